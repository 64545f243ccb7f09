package imapx

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// CanMove reports whether Move works here: it needs UIDPLUS (RFC 4315), not MOVE.
func (t *Target) CanMove() bool { return t.HasUIDPlus() }

// Move moves messages to another folder, once from is open with the UIDVALIDITY given (else the error wraps
// ErrUIDValidity and nothing was moved). It gives the UIDs they have now; messages that are no longer there are
// left out, and 0 stands for one that was moved without a word of where to. With an error the result has what
// certainly is in the other folder; after a lost connection both folders must be listed. A server without MOVE
// (RFC 6851) copies, marks and expunges exactly these: when that stops halfway, a message may be in both.
func (t *Target) Move(ctx context.Context, from string, uidValidity uint32, uids imap.UIDSet, to string) (map[imap.UID]imap.UID, error) {
	at := &command{op: "UID MOVE", folder: from}
	if !t.CanMove() {
		return nil, t.c.error(at, &Error{Text: "the server cannot move single messages (no UIDPLUS)", Kind: KindStore, Scope: ScopeMessage})
	}
	if len(uids) == 0 || uids.Dynamic() {
		return nil, t.c.error(at, &Error{Text: "not a closed set of UIDs", Kind: KindStore, Scope: ScopeFolder})
	}
	moved := map[imap.UID]imap.UID{}
	err := t.inSelected(ctx, from, uidValidity, func() error {
		for rest := uids; len(rest) > 0; {
			var head imap.UIDSet
			head, rest = cutSet(rest, storeUIDs)
			step := t.copyAndRemove
			if t.c.has(imap.CapMove) {
				step = t.moveSome
			}
			got, err := step(ctx, from, head, to)
			maps.Copy(moved, got)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return moved, err
}

// moveSome moves one command's worth. What was there before is asked in the same flight, for only a COPYUID that
// names it tells a message that was moved from one that was gone already.
func (t *Target) moveSome(ctx context.Context, from string, uids imap.UIDSet, to string) (map[imap.UID]imap.UID, error) {
	had, got, err := t.relocate(ctx, "UID MOVE", from, uids, to)
	if err != nil {
		return got, err
	}
	if len(had) == 0 {
		return got, nil
	}
	left, err := t.there(ctx, from, had) // COPYUID says where it went, and not that it went
	if err != nil {
		return got, err
	}
	each(left, func(uid imap.UID) { delete(got, uid) })
	each(subtract(subtract(had, sources(got)), left), func(uid imap.UID) { got[uid] = 0 })
	if n := size(left); n > 0 {
		err = t.c.error(&command{op: "UID MOVE", folder: from}, &Error{Kind: KindStore, Scope: ScopeMessage, Retry: RetryLater,
			Text: fmt.Sprintf("the server answered OK and kept %d messages", n)})
	}
	return got, err
}

// copyAndRemove is what RFC 6851 section 3.3 describes for servers without MOVE. Nothing is removed that COPYUID
// does not name.
func (t *Target) copyAndRemove(ctx context.Context, from string, uids imap.UIDSet, to string) (map[imap.UID]imap.UID, error) {
	had, got, err := t.relocate(ctx, "UID COPY", from, uids, to)
	if err != nil {
		return got, err
	}
	if done := sources(got); len(done) > 0 {
		if err := t.removeSelected(ctx, from, done); err != nil {
			return got, err
		}
	}
	silent := subtract(had, sources(got))
	if len(silent) == 0 {
		return got, nil
	}
	left, err := t.there(ctx, from, silent)
	if n := size(left); err == nil && n > 0 {
		err = t.c.error(&command{op: "UID COPY", folder: from}, &Error{Kind: KindStore, Scope: ScopeMessage,
			Text: fmt.Sprintf("the server answered OK and does not say where %d messages were copied to; they were not removed", n)})
	}
	return got, err
}

// relocate sends UID MOVE or UID COPY and gives what was there before, and where it went.
func (t *Target) relocate(ctx context.Context, verb, from string, uids imap.UIDSet, to string) (had imap.UIDSet, got map[imap.UID]imap.UID, err error) {
	c, got := t.c, map[imap.UID]imap.UID{}
	before, err := t.sendThere(ctx, from, uids)
	if err != nil {
		return nil, got, err
	}
	h := &command{op: verb, folder: from, kind: KindStore, scope: ScopeFolder}
	h.data = func(r *wire.Response, _ bool) (bool, error) { // RFC 6851 section 4.3; Dovecot says it before the SEARCH has ended
		if r.Name != "OK" || r.Code != "COPYUID" {
			return false, nil
		}
		copied(got, string(r.Args), uids)
		return true, nil
	}
	h.finish = func(h *command) {
		if h.status.name == "OK" && h.status.code == "COPYUID" {
			copied(got, h.status.args, uids)
		}
	}
	if err := c.call(ctx, c.command(verb).Raw(" "+uids.String()).Mailbox(to), h); err != nil {
		return nil, got, err
	}
	if err := c.wait(ctx, before.cmd); err != nil {
		return nil, got, err
	}
	return intersect(before.found, uids), got, nil
}

// copied reads the arguments of COPYUID (RFC 4315 section 3): validity, UIDs here, UIDs there, of the same number
// and in the same order. What does not fit together, or was not asked for, is as good as not said.
func copied(got map[imap.UID]imap.UID, args string, asked imap.UIDSet) {
	words := strings.Fields(args)
	if len(words) != 3 {
		return
	}
	most := size(asked)
	here, ok1 := listed(words[1], most)
	there, ok2 := listed(words[2], most)
	if !ok1 || !ok2 || len(here) != len(there) {
		return
	}
	for _, uid := range here {
		if !asked.Contains(uid) {
			return
		}
	}
	for i, uid := range here {
		got[uid] = there[i]
	}
}

// listed spells a UID set out in its own order, at most most UIDs.
func listed(text string, most uint64) (uids []imap.UID, ok bool) {
	for _, part := range strings.Split(text, ",") {
		a, b, ranged := strings.Cut(part, ":")
		if !ranged {
			b = a
		}
		from, err1 := strconv.ParseUint(a, 10, 32)
		to, err2 := strconv.ParseUint(b, 10, 32)
		from, to = min(from, to), max(from, to)
		if err1 != nil || err2 != nil || from == 0 || to-from >= most-uint64(len(uids)) {
			return nil, false
		}
		for u := from; u <= to; u++ {
			uids = append(uids, imap.UID(u))
		}
	}
	return uids, true
}

func sources(moved map[imap.UID]imap.UID) (s imap.UIDSet) {
	for uid := range moved {
		s.AddNum(uid)
	}
	return s
}

// each calls do for every UID of a closed set.
func each(s imap.UIDSet, do func(imap.UID)) {
	for _, r := range ordered(s) {
		for u := uint64(r.Start); u <= uint64(r.Stop); u++ {
			do(imap.UID(u))
		}
	}
}
