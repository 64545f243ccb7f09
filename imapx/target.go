package imapx

import (
	"context"
	"sync"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// Target is a connection to the new side. Its methods may be called concurrently.
type Target struct {
	c *conn

	mu     sync.Mutex
	accept map[string]*acceptance // by raw folder; of this connection
}

// DialTarget connects to e, verifies it and logs in. Its error is an *Error.
func DialTarget(ctx context.Context, e Endpoint, o Options) (*Target, error) {
	c, err := dial(ctx, e, o)
	if err != nil {
		return nil, err
	}
	return newTarget(c), nil
}

// newTarget is a target's view of a connection.
func newTarget(c *conn) *Target {
	// Courier refuses an APPEND to the folder that the same connection has open read-only, and cannot close one without
	// expunging: it has no UNSELECT (RFC 3691). GNU mailutils, the one server without UIDPLUS, gives new mail another UID
	// at each EXAMINE, and keeps that of a SELECT.
	c.selects = !c.has(imap.CapUnselect) || !c.has(imap.CapUIDPlus)
	return &Target{c: c, accept: map[string]*acceptance{}}
}

// Caps are the server's capabilities as read after the login.
func (t *Target) Caps() imap.CapSet { return t.c.Caps() }

// Address is the server as host:port, for messages.
func (t *Target) Address() string { return t.c.server }

// Close says LOGOUT, does not wait for the answer (but see Options.AwaitEnd), and frees everything. What is in flight ends with an error.
func (t *Target) Close() error { return t.c.close() }

// List tells which folders there are, with their marks.
func (t *Target) List(ctx context.Context) (Listing, error) { return t.c.list(ctx) }

// Visit opens a folder read-only, as Source.Visit does; with SELECT where that is not safe (see DialTarget).
func (t *Target) Visit(ctx context.Context, v Visit, h VisitHandler) (VisitResult, error) {
	return t.c.visit(ctx, v, h)
}

// Limits are what the server says it takes.
func (t *Target) Limits() Limits {
	move := t.c.has(imap.CapMove)
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	return Limits{Append: t.c.largest, Move: move}
}

// HasUIDPlus reports whether APPENDUID and UID EXPUNGE can be counted on (RFC 4315).
func (t *Target) HasUIDPlus() bool { return t.c.has(imap.CapUIDPlus) }

// checkFlags gives the flags that may be sent, or why one must not be. \Recent is dropped.
func checkFlags(flags []imap.Flag) ([]imap.Flag, error) {
	out := make([]imap.Flag, 0, len(flags))
	for _, f := range flags {
		if wire.IsRecent(f) {
			continue
		}
		if err := wire.CheckFlag(f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}
