package imapx

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// Rename gives a folder, with those below it, another name, and moves their subscriptions along. Names are raw.
// INBOX is refused: RENAME would empty it instead (RFC 9051 section 6.3.6). Where the error's Op is SUBSCRIBE the
// folder has its new name all the same.
func (t *Target) Rename(ctx context.Context, from, to string) error {
	c := t.c
	h := &command{op: "RENAME", folder: from, kind: KindFolder, scope: ScopeFolder}
	if key(from) == "INBOX" || key(to) == "INBOX" || from == "" || to == "" {
		return c.error(h, &Error{Text: "INBOX is never renamed, nor is anything to INBOX", Kind: KindFolder, Scope: ScopeFolder})
	}
	if err := c.lockSelection(ctx); err != nil {
		return err
	}
	defer c.unlockSelection()
	if _, err := c.unselect(ctx); err != nil {
		return err
	}
	subs, err := c.subscribed(ctx, from)
	if err != nil {
		return err
	}
	if err := c.call(ctx, c.command("RENAME").Mailbox(from).Mailbox(to), h); err != nil {
		return err
	}
	t.forgetAccepted()
	if below(c.sel.folder, from, subs.delim) { // without UNSELECT it stays open, under its new name
		c.sel.folder = to + c.sel.folder[len(from):]
	}
	return c.resubscribe(ctx, subs.names, from, to)
}

// subscriptions are the raw names at and below one folder.
type subscriptions struct {
	names []string
	delim string
}

// subscribed asks for all subscriptions, for a folder's name may hold the wildcards of LIST.
func (c *conn) subscribed(ctx context.Context, folder string) (subscriptions, error) {
	var s subscriptions
	l := &listing{c: c}
	h := &command{op: "LSUB", kind: KindFolder, scope: ScopeAccount}
	w := c.command("LSUB").Raw(` "" "*"`)
	if c.has(imap.CapListExtended) { // RFC 5258; IMAP4rev2 has no LSUB
		h.op = "LIST"
		w = c.command("LIST").Raw(` (SUBSCRIBED) "" "*"`)
	}
	h.data = func(r *wire.Response, _ bool) (bool, error) {
		if r.Name != h.op {
			return false, nil
		}
		f, err := parseList(r)
		if err != nil || !f.Subscribed && (h.op != "LSUB" || hasAttr(f.Attrs, imap.MailboxAttrNoSelect)) {
			return true, err
		}
		s.delim = f.Delim
		if below(f.Raw, folder, f.Delim) && l.room(f.Raw) {
			s.names = append(s.names, f.Raw)
		}
		return true, nil
	}
	if err := c.call(ctx, w, h); err != nil {
		return subscriptions{}, err
	}
	return s, nil
}

// below reports whether name is folder or lies in it.
func below(name, folder, delim string) bool {
	return name == folder || delim != "" && strings.HasPrefix(name, folder+delim)
}

// resubscribe is one flight. A server that renamed the subscription by itself may refuse to end the old one; that
// is no trouble.
func (c *conn) resubscribe(ctx context.Context, names []string, from, to string) error {
	var subscribe, unsubscribe []*command
	for _, name := range names {
		fresh := to + name[len(from):]
		on := &command{op: "SUBSCRIBE", folder: fresh, kind: KindFolder, scope: ScopeFolder}
		off := &command{op: "UNSUBSCRIBE", folder: name, kind: KindFolder, scope: ScopeFolder}
		if err := c.send(ctx, c.command("SUBSCRIBE").Mailbox(fresh), on); err != nil {
			return err
		}
		if err := c.send(ctx, c.command("UNSUBSCRIBE").Mailbox(name), off); err != nil {
			return err
		}
		subscribe, unsubscribe = append(subscribe, on), append(unsubscribe, off)
	}
	for _, h := range unsubscribe {
		if err := c.await(ctx, h); err != nil {
			return err
		}
	}
	for _, h := range subscribe {
		if err := c.wait(ctx, h); err != nil {
			return err
		}
	}
	return nil
}
