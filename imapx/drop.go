package imapx

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// Drop removes a folder (raw name) that holds no message; of one that holds some it refuses. A folder that the
// server says is not there (NONEXISTENT) is no error: that is what was wanted. A message that arrives between the look and the DELETE goes with the folder, so
// it is for folders that nobody else knows.
func (t *Target) Drop(ctx context.Context, folder string) error {
	c := t.c
	h := &command{op: "DELETE", folder: folder, kind: KindFolder, scope: ScopeFolder}
	if key(folder) == "INBOX" || folder == "" {
		return c.error(h, &Error{Text: "INBOX is never removed", Kind: KindFolder, Scope: ScopeFolder})
	}
	if err := c.lockSelection(ctx); err != nil {
		return err
	}
	defer c.unlockSelection()
	if _, err := c.unselect(ctx); err != nil {
		return err
	}
	mark, err := c.statusOf(ctx, folder)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Code == imap.ResponseCodeNonExistent {
			return nil
		}
		return err
	}
	if mark.Messages > 0 {
		return c.error(h, &Error{Text: fmt.Sprintf("it is not empty: %d messages", mark.Messages), Kind: KindFolder, Scope: ScopeFolder})
	}
	t.forgetAccepted()
	return c.call(ctx, c.command("DELETE").Mailbox(folder), h)
}

// statusOf asks for the marks of one folder that is not selected.
func (c *conn) statusOf(ctx context.Context, folder string) (Mark, error) {
	var found *Mark
	h := &command{op: "STATUS", folder: folder, kind: KindFolder, scope: ScopeFolder}
	h.data = func(r *wire.Response, _ bool) (bool, error) {
		if r.Name != "STATUS" {
			return false, nil
		}
		raw, err := r.P.AString()
		if err != nil {
			return true, err
		}
		s, err := parseStatus(r)
		if err == nil && key(string(raw)) == key(folder) {
			found = &s.mark
		}
		return true, err
	}
	if err := c.call(ctx, c.command("STATUS").Mailbox(folder).Raw(" "+c.statusItems()), h); err != nil {
		return Mark{}, err
	}
	if found == nil {
		return Mark{}, c.error(h, &Error{Text: "the server gave no STATUS for this folder", Kind: KindFolder, Scope: ScopeFolder})
	}
	return *found, nil
}
