package imapx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// lost words the end of a connection that nobody asked for.
func (c *conn) lost(err error) *Error {
	e := &Error{Op: "connection", Kind: KindLost, Scope: ScopeAccount, Retry: RetryReconnect, Err: err}
	op := "an answer"
	if q := c.inFlight(); len(q) > 0 {
		op, e.Folder = "the answer to "+q[0].op, display(q[0].folder)
	}
	var ne net.Error
	switch {
	case errors.Is(err, wire.ErrProtocol):
		e.Kind, e.Retry, e.Text = KindProtocol, RetryNever, err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		e.Text = fmt.Sprintf("nothing came for %v while waiting for %s", c.opts.Timeout, op)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Text = "the server closed the connection while we waited for " + op
	default:
		e.Text = "the connection broke while waiting for " + op + ": " + err.Error()
	}
	c.lastWords(e)
	return c.error(nil, e)
}

// lastWords adds what the server said last. A BYE with a reason decides better than the broken socket.
func (c *conn) lastWords(e *Error) {
	c.mu.Lock()
	bye := c.lastBye
	c.mu.Unlock()
	if bye == nil || e.Kind == KindProtocol {
		return
	}
	if bye.Name == "BYE" {
		if bye.Code != "" {
			e.Code = imap.ResponseCode(bye.Code)
		}
		v := judge(e.Code, bye.Text, e.Kind, e.Scope)
		switch {
		case v.retry == RetryLater:
			e.Kind, e.Retry, e.Delay = v.kind, v.retry, suggestedDelay(e.Code, bye.Text)
		case v.kind == KindAuth || v.kind == KindQuota: // logging in again and again gets us locked out
			e.Kind, e.Retry = v.kind, v.retry
		}
	}
	e.Text += "; the server's last words: " + bye.Text
}

func (c *conn) cancelled(ctx context.Context) *Error {
	return c.error(nil, &Error{Op: "connection", Kind: KindLost, Scope: ScopeAccount, Retry: RetryReconnect,
		Text: "given up: " + context.Cause(ctx).Error(), Err: context.Cause(ctx)})
}

// refusal is the error for a tagged NO or BAD, nil for OK.
func (c *conn) refusal(h *command) error {
	if h.status.name == "OK" {
		return nil
	}
	return c.refused(h, h.status)
}

func (c *conn) refused(h *command, s status) *Error {
	v := judge(s.code, s.text, h.kind, h.scope)
	e := &Error{Code: s.code, Text: s.text, Kind: v.kind, Scope: v.scope, Retry: v.retry,
		Err: &imap.Error{Type: imap.StatusResponseType(s.name), Code: s.code, Text: c.trace.clean(s.text)}}
	if e.Text == "" {
		e.Text = "the server answered " + s.name
	}
	if e.Retry == RetryLater {
		e.Delay = suggestedDelay(s.code, s.text)
	}
	return c.error(h, e)
}

// error fills in where it happened and makes the words safe to show.
func (c *conn) error(h *command, e *Error) *Error {
	e.Side, e.Server = c.side, c.server
	if h != nil {
		e.Op, e.Folder = h.op, display(h.folder)
	}
	e.Text = c.trace.clean(e.Text)
	e.Code = imap.ResponseCode(c.trace.clean(string(e.Code)))
	return e
}
