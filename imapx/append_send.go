package imapx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

const (
	literalMinus = 4096    // RFC 7888 section 5: the most that LITERAL- sends without waiting
	waitOver     = 8 << 20 // bodies over this size wait: a refusal then costs no upload
)

var (
	errEarly = errors.New("the server answered before the message was sent")
	errLong  = errors.New("the message is longer than announced")
)

// outgoing is one message of a batch, checked and ready to write.
type outgoing struct {
	index int // in the batch
	flags []imap.Flag
	date  string // "" without
	body  Body
}

// appendOp is one APPEND command: one message, or all of a MULTIAPPEND.
type appendOp struct {
	cmd      *command
	messages []outgoing
	sending  atomic.Bool // a literal that the server did not ask for is being written
	unasked  atomic.Bool // at least one such literal was sent
}

// Append writes a batch and returns when everything is written; Pending.Wait tells what became of it. Messages
// that must not be sent (illegal flag, impossible date, larger than APPENDLIMIT) are refused in Appended.Errs,
// the others go. The connection is closed where a body does not have the length it says, where the server
// answers BAD to what did not wait, and where it answers before everything is sent (Dovecot when over quota): the
// refusal is in Appended then all the same.
func (t *Target) Append(ctx context.Context, b AppendBatch) (Pending, error) {
	p := &pending{t: t, batch: b, out: Appended{UIDs: make([]imap.UID, len(b.Messages)), Errs: make([]error, len(b.Messages))}}
	if ctx.Err() != nil {
		return nil, t.c.cancelled(ctx)
	}
	good := t.check(b, p.out.Errs)
	if len(good) == 0 {
		return p, nil
	}
	if !t.c.has(imap.CapMultiAppend) {
		return p.written(t.appendSingly(ctx, p, good))
	}
	var atoms []imap.Flag
	for _, m := range good {
		atoms = append(atoms, m.flags...)
	}
	slices.Sort(atoms)
	accepted, err := t.probe(ctx, b.Folder, slices.Compact(atoms))
	if err != nil {
		return nil, err
	}
	op := t.newOp(b.Folder, good)
	p.ops = append(p.ops, op)
	err = t.c.exclusively(ctx, func() error { return t.writeOp(op, b.Folder, func(outgoing) bool { return !accepted }) })
	return p.written(err)
}

// appendSingly sends a command for each message, pipelined where literals need not wait. Without MULTIAPPEND
// there is no probe; a message with an atom that is new to the folder waits, and what it proves counts from
// then on.
func (t *Target) appendSingly(ctx context.Context, p *pending, good []outgoing) error {
	folder := p.batch.Folder
	return t.c.exclusively(ctx, func() error {
		for _, m := range good {
			op := t.newOp(folder, []outgoing{m})
			p.ops = append(p.ops, op)
			if err := t.writeOp(op, folder, func(m outgoing) bool { return !t.accepted(folder, m.flags) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// check sorts out what must not be sent.
func (t *Target) check(b AppendBatch, errs []error) (good []outgoing) {
	limit := t.Limits().Append
	at := &command{op: "APPEND", folder: b.Folder}
	for i, m := range b.Messages {
		flags, err := checkFlags(m.Flags)
		date := ""
		if err == nil && !m.Date.IsZero() {
			date, err = wire.FormatDate(m.Date)
		}
		x := &Error{Kind: KindAppend, Scope: ScopeMessage, Err: err}
		switch {
		case err != nil:
			x.Text = err.Error()
		case m.Body == nil || m.Body.Len() < 0:
			x.Text = "the message has no body"
		case m.Body.Len() == 0: // it would abort a MULTIAPPEND (RFC 3502), and no server stores it
			x.Text = "the message is empty"
		case limit > 0 && uint64(m.Body.Len()) > limit:
			x.Code = imap.ResponseCodeTooBig
			x.Text = fmt.Sprintf("the message has %d bytes, the server takes %d (APPENDLIMIT)", m.Body.Len(), limit)
		default:
			good = append(good, outgoing{i, flags, date, m.Body})
			continue
		}
		errs[i] = t.c.error(at, x)
	}
	return good
}

func (t *Target) newOp(folder string, messages []outgoing) *appendOp {
	op := &appendOp{messages: messages}
	op.cmd = &command{op: "APPEND", folder: folder, kind: KindAppend, scope: ScopeMessage, mail: true}
	op.cmd.finish = func(h *command) {
		switch {
		case op.sending.Load() || h.status.name == "BAD" && op.unasked.Load():
			// What was sent, or still is on its way, may be taken for commands.
			t.c.fail(t.c.error(h, &Error{Text: "closed after an unexpected answer to APPEND: " + h.status.text,
				Code: h.status.code, Kind: KindLost, Scope: ScopeAccount, Retry: RetryReconnect}))
		case h.status.name == "OK":
			for _, m := range messages {
				t.setAccepted(folder, m.flags)
			}
		}
	}
	return op
}

// writeOp writes one APPEND; the caller is the only writer. wary tells which messages' literals have to wait.
func (t *Target) writeOp(op *appendOp, folder string, wary func(outgoing) bool) error {
	c := t.c
	w := c.command("APPEND").Mailbox(folder)
	parts, err := w.Begun()
	if err != nil {
		return c.unsendable(op.cmd, err)
	}
	if ok, err := c.write(w, op.cmd, parts); !ok {
		return err
	}
	for _, m := range op.messages {
		if ok, err := t.writeMessage(op, m, wary(m)); !ok {
			return err
		}
	}
	op.sending.Store(false) // from here on an answer is what we wait for
	if op.cmd.ended() {     // it came before the end of the command: the rest may be read as commands
		return c.fail(c.lost(errEarly))
	}
	if _, err := c.out.WriteString("\r\n"); err != nil {
		return c.lostWriting(err)
	}
	if err := c.out.Flush(); err != nil {
		return c.lostWriting(err)
	}
	c.sent(op.cmd)
	return nil
}

// writeMessage writes flags, date and literal. Not ok without an error: refused before the literal, cleanly.
func (t *Target) writeMessage(op *appendOp, m outgoing, wary bool) (ok bool, err error) {
	c, n := t.c, m.body.Len()
	wait := wary || n > waitOver || !c.has(imap.CapLiteralMinus) || n > literalMinus && !c.has(imap.CapLiteralPlus)
	line := " " + flagList(m.flags)
	if m.date != "" {
		line += ` "` + m.date + `"`
	}
	line += " {" + strconv.FormatInt(n, 10)
	if !wait {
		line += "+"
	}
	line += "}"
	c.trace.line("C", op.cmd.tag+" …"+line)
	if _, err := c.out.WriteString(line + "\r\n"); err != nil {
		return false, c.lostWriting(err)
	}
	if wait {
		// Until the server asks nothing is on its way. Where it answers instead, only what did not wait before
		// could be misread.
		op.sending.Store(false)
		if ok, err := c.invited(op.cmd); !ok {
			if err == nil && op.unasked.Load() {
				err = c.fail(c.lost(errEarly))
			}
			return false, err
		}
	} else {
		op.unasked.Store(true)
	}
	op.sending.Store(true)
	x := &exactly{c: c, op: op, left: n}
	if _, err = m.body.WriteTo(x); err == nil && x.left > 0 {
		err = fmt.Errorf("the message is %d bytes shorter than announced", x.left)
	}
	if err != nil { // the server waits for the rest of the literal, and would take anything for it
		return false, c.lostWriting(err)
	}
	return true, nil
}

// exactly lets as many bytes through as were announced, and stops when the server has answered already.
type exactly struct {
	c    *conn
	op   *appendOp
	left int64
}

func (x *exactly) Write(p []byte) (int, error) {
	if int64(len(p)) > x.left {
		return 0, errLong
	}
	if x.op.cmd.ended() {
		return 0, errEarly
	}
	n, err := x.c.out.Write(p)
	x.left -= int64(n)
	return n, err
}
