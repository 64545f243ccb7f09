package imapx

import (
	"context"
	"strconv"

	"github.com/emersion/go-imap/v2"
)

// Removal is what Expunge is asked for.
type Removal struct {
	UIDs           imap.UIDSet // closed
	Marked         imap.UIDSet // of these, those that have \Deleted already: they keep it where they stay
	UnchangedSince uint64      // mod-sequence (RFC 7162): what changed after it stays; 0: the server has none
}

// expungeTries is how often UID EXPUNGE is sent for one message: with another session open Dovecot may answer OK and
// expunge nothing.
const expungeTries = 2

// Expunge deletes messages that nobody changed meanwhile, and gives those of which it is proven, by asking again, that they
// are gone. What changed, and what the server keeps, stays as it was, without the mark that deleting begins with; that is
// no error. With an error the result has what certainly is gone; after a lost connection nothing is known of the rest,
// which may have \Deleted. Where the UIDVALIDITY is another one the error wraps ErrUIDValidity and nothing was changed.
// Without UIDPLUS it refuses, for EXPUNGE would take what others have marked too.
func (t *Target) Expunge(ctx context.Context, folder string, uidValidity uint32, r Removal) (gone imap.UIDSet, err error) {
	at := &command{op: "UID EXPUNGE", folder: folder}
	if !t.HasUIDPlus() {
		return nil, t.c.error(at, &Error{Text: "the server cannot delete single messages (no UIDPLUS)", Kind: KindStore, Scope: ScopeAccount})
	}
	if len(r.UIDs) == 0 || r.UIDs.Dynamic() {
		return nil, t.c.error(at, &Error{Text: "not a closed set of UIDs", Kind: KindStore, Scope: ScopeFolder})
	}
	err = t.inSelected(ctx, folder, uidValidity, func() error {
		for rest := r.UIDs; len(rest) > 0; {
			var head imap.UIDSet
			head, rest = cutSet(rest, storeUIDs)
			got, err := t.expungeSome(ctx, folder, head, r)
			gone = append(gone, got...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ordered(gone), err
}

// expungeSome is one command's worth. The folder is selected.
func (t *Target) expungeSome(ctx context.Context, folder string, uids imap.UIDSet, r Removal) (imap.UIDSet, error) {
	marked, err := t.markDeleted(ctx, folder, uids, r.UnchangedSince)
	if err != nil || len(marked) == 0 {
		return nil, err
	}
	left := marked
	for n := 0; n < expungeTries && len(left) > 0; n++ {
		h := &command{op: "UID EXPUNGE", folder: folder, kind: KindStore, scope: ScopeFolder}
		refused := t.c.call(ctx, t.c.command("UID EXPUNGE").Raw(" "+left.String()), h)
		if refused != nil && t.c.failure() != nil {
			return nil, refused
		}
		if left, err = t.there(ctx, folder, left); err != nil {
			return nil, err
		}
		if refused != nil {
			err = refused
			break
		}
	}
	gone := subtract(marked, left)
	if undo := subtract(left, r.Marked); len(undo) > 0 { // nobody else's EXPUNGE shall take it
		flight, uerr := t.sendStores(ctx, folder, undo, ` -FLAGS.SILENT (\Deleted)`)
		if uerr == nil {
			uerr = t.waitAll(ctx, flight)
		}
		if err == nil {
			err = uerr
		}
	}
	return gone, err
}

// markDeleted sets \Deleted on what did not change since, and gives what it was set on. The answer is waited for: what it
// names in MODIFIED is not to be expunged (RFC 7162 section 3.1.3).
func (t *Target) markDeleted(ctx context.Context, folder string, uids imap.UIDSet, since uint64) (imap.UIDSet, error) {
	condition := ""
	if since > 0 {
		condition = " (UNCHANGEDSINCE " + strconv.FormatUint(since, 10) + ")"
	}
	h := &command{op: "UID STORE", folder: folder, kind: KindStore, scope: ScopeFolder}
	err := t.c.call(ctx, t.c.command("UID STORE").Raw(" "+uids.String()+condition+` +FLAGS.SILENT (\Deleted)`), h)
	if t.c.failure() != nil || h.status.code != "MODIFIED" {
		if err != nil {
			return nil, err
		}
		return uids, nil
	}
	changed, perr := parseSet(h.status.args) // also with NO, where none was changed at all
	if perr != nil {
		return nil, t.c.error(h, &Error{Kind: KindProtocol, Scope: ScopeFolder, Text: "a MODIFIED that is no set of UIDs: nothing is expunged"})
	}
	return subtract(ordered(uids), ordered(changed)), nil
}
