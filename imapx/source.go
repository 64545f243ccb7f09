package imapx

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"
)

const (
	keepAliveAfter = 2 * time.Minute // of silence; servers close after 30 (RFC 9051 section 5.4), NATs much earlier
	logoutPatience = time.Second
	endPatience    = 2 * time.Second // Options.AwaitEnd
)

// Source is a connection to the old side. It has no verb that could change anything there: EXAMINE, PEEK,
// SEARCH, LIST, STATUS and NOOP are all it sends. Its methods may be called concurrently.
type Source struct{ c *conn }

// DialSource connects to e, verifies it and logs in. Its error is an *Error.
func DialSource(ctx context.Context, e Endpoint, o Options) (*Source, error) {
	c, err := dial(ctx, e, o)
	if err != nil {
		return nil, err
	}
	return &Source{c}, nil
}

// Caps are the server's capabilities as read after the login.
func (s *Source) Caps() imap.CapSet { return s.c.Caps() }

// Address is the server as host:port, for messages.
func (s *Source) Address() string { return s.c.server }

// Close says LOGOUT, does not wait for the answer (but see Options.AwaitEnd), and frees everything. What is in flight ends with an error.
func (s *Source) Close() error { return s.c.close() }

// List tells which folders there are, with their marks.
func (s *Source) List(ctx context.Context) (Listing, error) { return s.c.list(ctx) }

// Visit opens a folder read-only and answers the visit's Reads. Any number of visits may run at once on one
// connection: the next one's commands are sent while the answers to the former still come in. The handler is not
// called any more once Visit has returned.
func (s *Source) Visit(ctx context.Context, v Visit, h VisitHandler) (VisitResult, error) {
	return s.c.visit(ctx, v, h)
}

// keepAlive sends NOOP while nothing is in flight, so that neither server nor NAT forgets the connection.
func (c *conn) keepAlive() {
	c.group.Add(1)
	go func() {
		defer c.group.Done()
		t := time.NewTicker(keepAliveAfter / 4)
		defer t.Stop()
		for {
			select {
			case <-c.life.Done():
				return
			case <-t.C:
			}
			if c.idle() {
				// A failure ends the connection by itself; whoever uses it next learns why.
				_ = c.call(c.life, c.command("NOOP"), &command{op: "NOOP"})
			}
		}
	}()
}

func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing && len(c.queue) == 0 && time.Since(c.lastUse) > keepAliveAfter*3/4
}

func (c *conn) close() error {
	c.mu.Lock()
	first, dead := !c.closing, c.failed != nil
	c.closing = true
	c.mu.Unlock()
	if first && !dead {
		ctx, cancel := context.WithTimeout(context.Background(), logoutPatience)
		// A courtesy, whose answer is not waited for: what matters was answered before.
		sent := c.send(ctx, c.command("LOGOUT"), &command{op: "LOGOUT"}) == nil && c.flush(ctx) == nil
		if sent && c.opts.AwaitEnd {
			end := time.NewTimer(endPatience)
			select {
			case <-c.life.Done(): // the server closes after its BYE (RFC 9051 section 6.1.3)
			case <-end.C:
			}
			end.Stop()
		}
		cancel()
	}
	c.fail(c.error(nil, &Error{Op: "connection", Text: "closed by us", Kind: KindLost, Retry: RetryReconnect}))
	c.group.Wait()
	return nil
}
