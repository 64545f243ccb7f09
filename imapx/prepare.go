package imapx

import (
	"context"

	"github.com/emersion/go-imap/v2"
)

// preparing is one folder of a Prepare in flight; nil fields were not asked for.
type preparing struct {
	create, subscribe, probe, status *command
	open                             *opening
}

// Prepare creates, subscribes and opens folders, all in one flight, in the order given: parents come before
// children. Prepared.Err is the folder's own trouble; where its Op is SUBSCRIBE the folder can be used all the
// same. With Open the system flags are probed too, so that a first Append need not.
func (t *Target) Prepare(ctx context.Context, folders []Prepare) ([]Prepared, error) {
	c := t.c
	if err := c.lockSelection(ctx); err != nil {
		return nil, err
	}
	defer c.unlockSelection()
	work := make([]preparing, len(folders))
	out := make([]Prepared, len(folders))
	for i, f := range folders {
		if err := t.sendPrepare(ctx, f, &work[i]); err != nil {
			if c.failure() != nil {
				return nil, err
			}
			out[i].Err = err // a name that must not be sent
		}
	}
	if c.has(imap.CapUnselect) {
		if _, err := c.unselect(ctx); err != nil {
			return nil, err
		}
	}
	for i := range folders {
		if err := t.waitPrepare(ctx, &work[i]); err != nil {
			return nil, err
		}
	}
	if err := t.again(ctx, folders, work); err != nil {
		return nil, err
	}
	for i := range folders {
		if out[i].Err == nil {
			out[i] = c.prepared(&work[i])
		}
	}
	return out, nil
}

func (t *Target) sendPrepare(ctx context.Context, f Prepare, w *preparing) (err error) {
	c := t.c
	if f.Create {
		if w.create, err = c.sendCreate(ctx, f.Folder, f.SpecialUse); err != nil {
			return err
		}
	}
	if f.Subscribe {
		h := &command{op: "SUBSCRIBE", folder: f.Folder, kind: KindFolder, scope: ScopeFolder}
		if err := c.send(ctx, c.command("SUBSCRIBE").Mailbox(f.Folder), h); err != nil {
			return err
		}
		w.subscribe = h
	}
	if !f.Open {
		return nil
	}
	if w.open, err = c.open(ctx, f.Folder, true, 0, nil); err != nil {
		return err
	}
	if t.canProbe() && !t.accepted(f.Folder, systemFlags()) && !t.isWary(f.Folder) {
		w.probe, err = t.sendProbe(ctx, f.Folder, systemFlags())
	}
	return err
}

// sendCreate gives the special use where the server knows how (RFC 6154 section 3).
func (c *conn) sendCreate(ctx context.Context, folder string, use imap.MailboxAttr) (*command, error) {
	w := c.command("CREATE").Mailbox(folder)
	if use != "" && c.has(imap.CapCreateSpecialUse) && checkAttr(use) {
		w.Raw(" (USE (" + string(use) + "))")
	}
	h := &command{op: "CREATE", folder: folder, kind: KindFolder, scope: ScopeFolder}
	return h, c.send(ctx, w, h)
}

func checkAttr(use imap.MailboxAttr) bool {
	for _, known := range specialUses() {
		if use == known {
			return true
		}
	}
	return false
}

func (t *Target) waitPrepare(ctx context.Context, w *preparing) error {
	cmds := []*command{w.create, w.subscribe, w.status, w.probe}
	if w.open != nil {
		cmds = append(cmds, w.open.cmd)
	}
	for _, h := range cmds {
		if h == nil {
			continue
		}
		if err := t.c.await(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// again does in a second flight what the first could not know: a special use that the server refuses is left
// out, and a CREATE that failed without saying why is checked by STATUS where the folder was not opened anyway.
func (t *Target) again(ctx context.Context, folders []Prepare, work []preparing) error {
	c := t.c
	var retried []int
	for i, f := range folders {
		w := &work[i]
		if w.create == nil || w.create.status.name == "OK" {
			continue
		}
		switch {
		case w.create.status.code == "USEATTR":
			if err := t.sendPrepare(ctx, Prepare{Folder: f.Folder, Create: true, Subscribe: f.Subscribe, Open: f.Open}, w); err != nil {
				return err
			}
		case w.open == nil && w.create.status.code != imap.ResponseCodeAlreadyExists:
			h := &command{op: "STATUS", folder: f.Folder, kind: KindFolder, scope: ScopeFolder}
			if err := c.send(ctx, c.command("STATUS").Mailbox(f.Folder).Raw(" (UIDVALIDITY)"), h); err != nil {
				return err
			}
			w.status = h
		default:
			continue
		}
		retried = append(retried, i)
	}
	if len(retried) > 0 && c.has(imap.CapUnselect) {
		if _, err := c.unselect(ctx); err != nil {
			return err
		}
	}
	for _, i := range retried {
		if err := t.waitPrepare(ctx, &work[i]); err != nil {
			return err
		}
	}
	return nil
}

// prepared reads the answers of one folder.
func (c *conn) prepared(w *preparing) (p Prepared) {
	there := true
	if w.create != nil {
		s := w.create.status
		p.Created = s.name == "OK"
		there = p.Created || s.code == imap.ResponseCodeAlreadyExists || w.status != nil && w.status.status.name == "OK"
	}
	if w.open != nil {
		opens := w.open.state == openYes
		if !opens && there {
			p.Err = c.refused(w.open.cmd, w.open.cmd.status)
			return p
		}
		there = opens
		p.Opened = w.open.opened
	}
	switch {
	case !there:
		p.Err = c.refused(w.create, w.create.status)
	case w.subscribe != nil && w.subscribe.status.name != "OK":
		p.Err = c.refused(w.subscribe, w.subscribe.status)
	}
	return p
}
