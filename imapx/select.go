package imapx

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// selection is what the server will have opened once it has worked through all that was sent. It belongs to
// whoever holds lock, first come first served; answers of earlier selections may still be coming in.
type selection struct {
	lock     chan struct{}
	serial   uint64 // of the EXAMINE or SELECT sent last
	folder   string // raw; "" none
	writable bool
}

// opening is an EXAMINE or SELECT in flight. Its fields are the reader's until the command has ended.
type opening struct {
	cmd    *command
	serial uint64
	state  openState
	opened Opened
	err    error // of the planned UIDVALIDITY
}

type openState int

const (
	openUnknown openState = iota
	openYes
	openNo
)

func (c *conn) lockSelection(ctx context.Context) error {
	if ctx.Err() != nil { // nothing is under way yet, so the connection need not end with it
		return c.cancelled(ctx)
	}
	select {
	case c.sel.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.cancelled(ctx)
	case <-c.life.Done():
		return c.failure()
	}
}

func (c *conn) unlockSelection() { <-c.sel.lock }

// open sends EXAMINE, or SELECT where writable. then runs on the reader as soon as the folder is open with the
// planned UIDVALIDITY (0: any), before any answer to later commands. The caller holds the selection.
func (c *conn) open(ctx context.Context, folder string, writable bool, uidValidity uint32, then func(Opened) error) (*opening, error) {
	name := "EXAMINE"
	if writable {
		name = "SELECT"
	}
	o := &opening{}
	o.cmd = &command{op: name, folder: folder, kind: KindFolder, scope: ScopeFolder, data: o.take}
	o.cmd.finish = func(h *command) {
		o.state = openNo
		if h.status.name != "OK" {
			return
		}
		if uidValidity != 0 && o.opened.UIDValidity != uidValidity {
			o.err = c.error(h, &Error{Text: "the folder has another UIDVALIDITY than planned", Kind: KindFolder,
				Scope: ScopeFolder, Retry: RetryNever, Err: ErrUIDValidity})
			return
		}
		if then != nil {
			if o.err = then(o.opened); o.err != nil {
				return
			}
		}
		o.state = openYes
	}
	w := c.command(name).Mailbox(folder)
	if c.has(imap.CapCondStore) { // RFC 7162 section 3.1.8
		w.Raw(" (CONDSTORE)")
	}
	c.sel.serial++
	o.serial = c.sel.serial
	c.sel.folder, c.sel.writable = folder, writable
	if err := c.send(ctx, w, o.cmd); err != nil {
		return nil, err
	}
	return o, nil
}

// settle waits for an opening and tells how it went.
func (c *conn) settle(ctx context.Context, o *opening) error {
	if err := c.wait(ctx, o.cmd); err != nil {
		return err
	}
	return o.err
}

// take reads the untagged answers to EXAMINE. They count only while it is the oldest command: before that they
// speak of the folder that was open.
func (o *opening) take(r *wire.Response, head bool) (bool, error) {
	if !head {
		return false, nil
	}
	m := &o.opened
	switch r.Name {
	case "EXISTS":
		m.Messages = r.Num
	case "FLAGS":
		flags, err := r.P.Flags()
		m.Flags = flags
		return true, err
	case "OK":
		return true, o.code(r)
	case "RECENT", "EXPUNGE", "VANISHED":
	default:
		return false, nil
	}
	return true, nil
}

func (o *opening) code(r *wire.Response) (err error) {
	p := wire.ParserFor(r.Args)
	m := &o.opened
	switch r.Code {
	case "UIDVALIDITY":
		m.UIDValidity, err = p.Number()
	case "UIDNEXT":
		var n uint32
		n, err = p.Number()
		m.UIDNext = imap.UID(n)
	case "HIGHESTMODSEQ":
		m.HighestModSeq, err = p.Number64()
	case "NOMODSEQ":
		m.HighestModSeq = 0
	case "PERMANENTFLAGS":
		m.PermanentFlags, err = p.Flags()
	case "MAILBOXID":
		m.MailboxID, _ = objectID(&p) // one that cannot be read is as good as none
	}
	return err
}

// objectID reads `(id)` (RFC 8474 section 4); "" is what is no ID by its section 7: 1 to 255 letters, digits, "_" and "-".
func objectID(p *wire.Parser) (id string, err error) {
	err = p.List(func() error {
		s, err := p.String()
		id = string(s.Bytes)
		return err
	})
	if len(id) > 255 || strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}) {
		id = ""
	}
	return id, err
}
