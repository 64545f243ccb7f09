package imapx

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

const (
	defaultTimeout     = 2 * time.Minute
	defaultDialTimeout = 30 * time.Second
	writeBuffer        = 64 << 10
)

// conn is one connection: a reader goroutine that hands answers to the commands in flight, in the order they
// were sent, and a writer that whoever holds writing may use. It knows no policy.
type conn struct {
	side   string
	server string
	opts   Options
	log    *slog.Logger
	trace  *tracer
	raw    *rollingConn
	nc     io.ReadWriteCloser // raw or TLS over it
	in     *wire.Reader
	far    *farEnd // what in reads from
	out    *outlet // under writing
	sel    selection
	id     identity
	secure bool
	state  *tls.ConnectionState // nil in clear text
	asked  bool                 // to compress; under writing
	ends   time.Time            // of the trust in the server's certificate; zero in clear text, and where it is pinned
	pinned bool                 // the server's certificate is one that was pinned

	cautious atomic.Bool // the last folder did not open: do not send blindly behind the next EXAMINE
	starless atomic.Bool // a SEARCH with "*" finds nothing: see blind in visit_search.go
	badIDs   atomic.Bool // the server's MAILBOXIDs are none: see asksIDs
	selects  bool        // folders are read with SELECT: see DialTarget

	writing chan struct{} // semaphore of one, first come first served
	life    context.Context
	end     context.CancelFunc
	stopped chan struct{} // the reader is gone and every command in flight has ended
	group   sync.WaitGroup

	sinks     []*bodySink // of the frame that is being read; the reader's own
	inflating bool        // the server compresses; the reader's own
	guard     guard       // the reader's own
	discarded uint64      // bytes of bodies that nobody wanted, since the last one somebody did

	mu      sync.Mutex
	queue   []*command // in flight, oldest first; only the reader removes
	caps    imap.CapSet
	largest uint64 // message that the server takes, in bytes (APPENDLIMIT, RFC 7889); 0: not told
	tags    uint64
	failed  *Error
	lastBye *wire.Response // BYE, or an ALERT; only words and code
	lastUse time.Time
	closing bool
}

// start runs the reader. From here on only commands talk.
func (c *conn) start() {
	c.group.Add(1)
	go func() {
		defer c.group.Done()
		defer close(c.stopped)
		c.readAll()
	}()
}

// call sends a command and waits for its OK. Anything else is an *Error.
func (c *conn) call(ctx context.Context, w *wire.Command, h *command) error {
	if err := c.send(ctx, w, h); err != nil {
		return err
	}
	return c.wait(ctx, h)
}

// command makes the next command; the caller adds arguments and sends it.
func (c *conn) command(name string) *wire.Command {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tags++
	return wire.NewCommand("m"+strconv.FormatUint(c.tags, 36), name)
}

// send writes a command without flushing, so that pipelined commands share packets.
func (c *conn) send(ctx context.Context, w *wire.Command, h *command) error {
	parts, err := w.Parts()
	if err != nil {
		return c.unsendable(h, err)
	}
	return c.exclusively(ctx, func() error {
		ok, err := c.write(w, h, parts)
		if ok {
			c.sent(h)
		}
		return err
	})
}

func (c *conn) unsendable(h *command, err error) error {
	return c.error(h, &Error{Text: err.Error(), Kind: h.kind, Scope: h.scope, Err: err})
}

// exclusively runs do as the only writer. When ctx ends meanwhile the connection is closed, for a command may be
// half written.
func (c *conn) exclusively(ctx context.Context, do func() error) error {
	if err := c.lockWriting(ctx); err != nil {
		return err
	}
	defer c.unlockWriting()
	stop := context.AfterFunc(ctx, func() { c.fail(c.cancelled(ctx)) })
	defer stop()
	return do()
}

// write puts a command in flight and writes its parts. Not ok without an error: the command was answered before
// all was written, and nothing more of it may be sent. The caller is the only writer.
func (c *conn) write(w *wire.Command, h *command, parts []wire.Part) (ok bool, err error) {
	if h.mail {
		if err := c.compressForMail(); err != nil {
			return false, err
		}
	}
	if err := c.begin(w, h); err != nil {
		return false, err
	}
	for _, p := range parts {
		if _, err := c.out.Write(p.Bytes); err != nil {
			return false, c.lostWriting(err)
		}
		if !p.Wait {
			continue
		}
		if ok, err := c.invited(h); !ok {
			return false, err
		}
	}
	return true, nil
}

// invited flushes an announced literal and waits until the server asks for it. Not ok without an error means
// that the command was answered instead: nothing more of it may be sent.
func (c *conn) invited(h *command) (ok bool, err error) {
	h.waiting.Store(true)
	if err := c.out.Flush(); err != nil {
		return false, c.lostWriting(err)
	}
	select {
	case <-h.more:
		return true, nil
	case <-h.done:
		return false, nil
	}
}

// begin puts a command in flight. The caller holds writing and writes it next.
func (c *conn) begin(w *wire.Command, h *command) error {
	h.prepare()
	h.tag = w.Tag
	c.mu.Lock()
	if c.failed != nil {
		c.mu.Unlock()
		return c.failed
	}
	c.queue = append(c.queue, h)
	c.lastUse = time.Now()
	c.mu.Unlock()
	c.raw.expect(1, h.mail)
	c.trace.line("C", w.Trace())
	return nil
}

func (c *conn) sent(h *command) {
	if c.opts.Hook != nil {
		c.opts.Hook("sent " + h.op)
	}
}

// wait flushes and waits for the tagged answer.
func (c *conn) wait(ctx context.Context, h *command) error {
	if err := c.await(ctx, h); err != nil {
		return err
	}
	return c.refusal(h)
}

// await is wait where NO and BAD are no errors yet.
func (c *conn) await(ctx context.Context, h *command) error {
	if !h.ended() {
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { c.fail(c.cancelled(ctx)) })
	defer stop()
	<-h.done // closed by the answer, or by the reader's end
	if h.lost != nil {
		return h.lost
	}
	return nil
}

func (c *conn) flush(ctx context.Context) error {
	return c.exclusively(ctx, func() error {
		if err := c.out.Flush(); err != nil {
			return c.lostWriting(err)
		}
		return nil
	})
}

// lockWriting waits for the writer. Where the context ends first, commands that the caller has in flight may
// never have been flushed, so the connection ends with it.
func (c *conn) lockWriting(ctx context.Context) error {
	select {
	case c.writing <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.fail(c.cancelled(ctx))
	case <-c.life.Done():
		return c.failure()
	}
}

func (c *conn) unlockWriting() { <-c.writing }

// lostWriting ends the connection after a failed write. The server's last words often explain it, so the
// reader gets a moment to find them.
func (c *conn) lostWriting(err error) error {
	select {
	case <-c.stopped:
	case <-time.After(200 * time.Millisecond):
	}
	return c.fail(c.lost(err))
}

// fail ends the connection; the first reason stays. It gives that reason.
func (c *conn) fail(e *Error) *Error {
	c.mu.Lock()
	if c.failed == nil {
		c.failed = e
	}
	e = c.failed
	c.mu.Unlock()
	c.end()
	_ = c.raw.Conn.Close() // below TLS: closing must never wait for a write
	return e
}

func (c *conn) failure() *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// readAll reads until the connection ends, then ends every command in flight.
func (c *conn) readAll() {
	for {
		f, err := c.in.Next()
		if err != nil {
			c.dropSinks()
			c.distrust()
			end := c.ending(err)
			e := c.lost(err)
			if e.Kind == KindLost {
				e.Ending = end
			}
			c.fail(e)
			break
		}
		c.far.whole()
		c.trace.received(f.Text)
		c.unwanted() // until somebody finds it useful
		r, err := wire.Parse(f)
		if err == nil {
			err = c.dispatch(&r)
		}
		if err != nil {
			c.malformed(f, err)
		}
		c.dropSinks()
	}
	c.mu.Lock()
	left := c.queue
	c.queue = nil
	e := c.failed
	c.mu.Unlock()
	for _, h := range left {
		h.lost = e
		close(h.done)
	}
}

func (c *conn) inFlight() []*command {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue[:len(c.queue):len(c.queue)]
}

// malformed reports a frame that did not parse. It is dropped; the oldest command learns of it, for its answer
// may be incomplete.
func (c *conn) malformed(f *wire.Frame, err error) {
	if c.log.Enabled(context.Background(), slog.LevelWarn) { // a server may send thousands, and to look for secrets takes time
		c.log.Warn("malformed answer", "side", c.side, "server", c.server, "err", err,
			"line", c.trace.clean(string(f.Text[:min(len(f.Text), scrubbed)])))
	}
	for _, h := range c.inFlight() {
		if h.malformed != nil {
			h.malformed(err)
			return
		}
	}
}

func (c *conn) dispatch(r *wire.Response) error {
	switch {
	case r.Tag == "+":
		// Only the newest command can be waiting, for it holds the writer.
		if q := c.inFlight(); len(q) > 0 && q[len(q)-1].waiting.CompareAndSwap(true, false) {
			q[len(q)-1].asked = r.Text
			q[len(q)-1].more <- struct{}{}
		}
		return nil
	case r.Tag != "*":
		c.tagged(r)
		return nil
	case r.Name == "CAPABILITY":
		c.setCaps(string(r.P.Rest()))
		return nil
	case r.Status():
		c.untaggedStatus(r)
	}
	for i, h := range c.inFlight() {
		if h.data == nil {
			continue
		}
		if taken, err := h.data(r, i == 0); taken || err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) untaggedStatus(r *wire.Response) {
	switch {
	case r.Code == "CAPABILITY":
		c.setCaps(string(r.Args))
	case r.Name == "BYE" || r.Code == "ALERT":
		c.mu.Lock()
		c.lastBye = &wire.Response{Name: r.Name, Code: r.Code, Text: r.Text}
		c.mu.Unlock()
	}
}

// tagged ends the command that was answered.
func (c *conn) tagged(r *wire.Response) {
	c.mu.Lock()
	var h *command
	for i, q := range c.queue {
		if q.tag == r.Tag {
			h = q
			c.queue = append(append(make([]*command, 0, len(c.queue)), c.queue[:i]...), c.queue[i+1:]...)
			break
		}
	}
	c.mu.Unlock()
	if h == nil {
		return // Dovecot answers the empty line of rule 7's probe with a tag that is not ours
	}
	c.useful()
	if r.Code == "CAPABILITY" {
		c.setCaps(string(r.Args))
	}
	h.status = status{name: r.Name, code: imap.ResponseCode(r.Code), args: string(r.Args), text: r.Text}
	c.raw.expect(-1, h.mail)
	if h.finish != nil {
		h.finish(h)
	}
	close(h.done)
	if c.opts.Hook != nil {
		c.opts.Hook("answered " + h.op)
	}
}

func (c *conn) setCaps(words string) {
	caps := make(imap.CapSet)
	for _, w := range bytes.Fields([]byte(words)) {
		caps[capName(string(w))] = struct{}{}
	}
	largest := uint64(0)
	if n, ok := caps.AppendLimit(); ok && n != nil {
		largest = uint64(*n)
	}
	c.mu.Lock()
	c.caps, c.largest = caps, largest
	c.mu.Unlock()
}

// Caps are what the server said last that it can do.
func (c *conn) Caps() imap.CapSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps.Copy()
}

func (c *conn) has(k imap.Cap) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps.Has(k)
}

// Address is the server as host:port, for messages.
func (c *conn) Address() string { return c.server }
