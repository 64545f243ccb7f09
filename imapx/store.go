package imapx

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// storeUIDs bounds one UID STORE.
const storeUIDs = 1000

// Store adds and removes flags, pipelined, once the folder is open with the UIDVALIDITY given (else the error
// wraps ErrUIDValidity and nothing was changed). Messages that are no longer there are no error.
func (t *Target) Store(ctx context.Context, folder string, uidValidity uint32, changes []FlagChange) error {
	for i, ch := range changes {
		var err error
		if ch.Add, err = checkFlags(ch.Add); err == nil {
			ch.Remove, err = checkFlags(ch.Remove)
		}
		if err != nil {
			return t.c.error(&command{op: "UID STORE", folder: folder}, &Error{Text: err.Error(), Kind: KindStore, Scope: ScopeMessage, Err: err})
		}
		if i == 0 {
			changes = append([]FlagChange(nil), changes...)
		}
		changes[i] = ch
	}
	return t.inSelected(ctx, folder, uidValidity, func() error {
		var flight []*command
		for _, ch := range changes {
			for _, x := range []struct {
				item  string
				flags []imap.Flag
			}{{" +FLAGS.SILENT ", ch.Add}, {" -FLAGS.SILENT ", ch.Remove}} {
				if len(x.flags) == 0 {
					continue
				}
				cmds, err := t.sendStores(ctx, folder, ch.UIDs, x.item+flagList(x.flags))
				if err != nil {
					return err
				}
				flight = append(flight, cmds...)
			}
		}
		return t.waitAll(ctx, flight)
	})
}

func (t *Target) sendStores(ctx context.Context, folder string, uids imap.UIDSet, what string) (sent []*command, err error) {
	for rest := uids; len(rest) > 0; {
		var head imap.UIDSet
		head, rest = cutSet(rest, storeUIDs)
		h := &command{op: "UID STORE", folder: folder, kind: KindStore, scope: ScopeFolder}
		if err := t.c.send(ctx, t.c.command("UID STORE").Raw(" "+head.String()+what), h); err != nil {
			return nil, err
		}
		sent = append(sent, h)
	}
	return sent, nil
}

// waitAll waits for every command and gives the first refusal.
func (t *Target) waitAll(ctx context.Context, cmds []*command) (first error) {
	for _, h := range cmds {
		if err := t.c.wait(ctx, h); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// inSelected runs do with the folder selected, and leaves it again. Nothing is ever closed: CLOSE expunges what
// others have marked.
func (t *Target) inSelected(ctx context.Context, folder string, uidValidity uint32, do func() error) error {
	c := t.c
	if err := c.lockSelection(ctx); err != nil {
		return err
	}
	defer c.unlockSelection()
	o, err := c.open(ctx, folder, true, uidValidity, nil)
	if err != nil {
		return err
	}
	if err := c.settle(ctx, o); err != nil {
		return err
	}
	err = do()
	if c.failure() == nil && c.has(imap.CapUnselect) {
		if _, uerr := c.unselect(ctx); uerr != nil && err == nil {
			err = uerr
		}
		if ferr := c.flush(ctx); ferr != nil && err == nil {
			err = ferr
		}
	}
	return err
}

// Remove deletes exactly these messages and proves it: with another session open Dovecot may answer OK and
// expunge nothing. Without UIDPLUS it refuses, for EXPUNGE would take what others have marked too.
func (t *Target) Remove(ctx context.Context, folder string, uidValidity uint32, uids imap.UIDSet) error {
	at := &command{op: "UID EXPUNGE", folder: folder}
	if !t.HasUIDPlus() {
		return t.c.error(at, &Error{Text: "the server cannot delete single messages (no UIDPLUS)", Kind: KindStore, Scope: ScopeAccount})
	}
	if len(uids) == 0 || uids.Dynamic() {
		return t.c.error(at, &Error{Text: "not a closed set of UIDs", Kind: KindStore, Scope: ScopeFolder})
	}
	return t.inSelected(ctx, folder, uidValidity, func() error { return t.removeSelected(ctx, folder, uids) })
}

// removeSelected is Remove once the folder is selected.
func (t *Target) removeSelected(ctx context.Context, folder string, uids imap.UIDSet) error {
	flight, err := t.sendStores(ctx, folder, uids, ` +FLAGS.SILENT (\Deleted)`)
	if err == nil {
		err = t.waitAll(ctx, flight)
	}
	var left uint64
	for rest := uids; len(rest) > 0 && err == nil; {
		var head imap.UIDSet
		head, rest = cutSet(rest, storeUIDs)
		var n uint64
		n, err = t.expunge(ctx, folder, head)
		left += n
	}
	if err == nil && left > 0 {
		err = t.c.error(&command{op: "UID EXPUNGE", folder: folder}, &Error{Kind: KindStore, Scope: ScopeFolder, Retry: RetryLater,
			Text: fmt.Sprintf("the server answered OK and kept %d messages", left)})
	}
	return err
}

// expunge removes the messages and counts those that are still there. The folder is selected.
func (t *Target) expunge(ctx context.Context, folder string, uids imap.UIDSet) (uint64, error) {
	c := t.c
	h := &command{op: "UID EXPUNGE", folder: folder, kind: KindStore, scope: ScopeFolder}
	if err := c.call(ctx, c.command("UID EXPUNGE").Raw(" "+uids.String()), h); err != nil {
		return 0, err
	}
	left, err := t.there(ctx, folder, uids)
	return size(left), err
}

// there tells which of the messages exist. The folder is selected. Whoever asks takes the others for gone, so an answer that
// cannot be read to its end is an error, and one that the server cut (RFC 9738) is asked for in smaller pieces.
func (t *Target) there(ctx context.Context, folder string, uids imap.UIDSet) (imap.UIDSet, error) {
	s, err := t.sendThere(ctx, folder, uids)
	if err == nil {
		err = t.c.wait(ctx, s.cmd)
	}
	if err == nil {
		err = (&visit{c: t.c}).check(s)
	}
	if err != nil {
		return nil, err
	}
	n := limitOf(s.cmd.status)
	if n == 0 {
		return intersect(s.found, uids), nil
	}
	if n >= size(uids) {
		return nil, t.c.error(s.cmd, &Error{Kind: KindProtocol, Scope: ScopeFolder, Retry: RetryLater,
			Text: fmt.Sprintf("the server cut its answer to a question for %d messages, and names a limit of %d", size(uids), n)})
	}
	var out imap.UIDSet
	for rest := uids; len(rest) > 0; {
		var head imap.UIDSet
		head, rest = cutSet(rest, n)
		found, err := t.there(ctx, folder, head)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return ordered(out), nil
}

func (t *Target) sendThere(ctx context.Context, folder string, uids imap.UIDSet) (*search, error) {
	v := &visit{c: t.c, v: Visit{Folder: folder}}
	return v.sendSearch(ctx, &opening{state: openYes}, uids, nil)
}
