package imapx

import (
	"context"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/klauspost/compress/flate"
)

// Compress says when a connection is compressed (COMPRESS=DEFLATE, RFC 4978) where the server offers it.
type Compress int

const (
	CompressOff  Compress = iota // never
	CompressAuto                 // where the line proves to be slow, from the next FETCH of bodies or APPEND on
	CompressOn                   // always, right behind the login: a round trip more
)

const capCompress imap.Cap = "COMPRESS=DEFLATE"

// compressOnLogin is for CompressOn: nothing else is in flight yet.
func (c *conn) compressOnLogin(ctx context.Context) error {
	if c.opts.Compress != CompressOn {
		return nil
	}
	return c.exclusively(ctx, c.compress)
}

// compressForMail switches before a command that carries mail if the line is known to be slow. The caller is the only
// writer.
func (c *conn) compressForMail() error {
	if c.opts.Compress != CompressAuto || !c.opts.Line.slow() {
		return nil
	}
	return c.compress()
}

// compress sends COMPRESS and switches both directions. The caller is the only writer and stays it until the answer is
// there: nothing may be in flight before it, for servers answer several commands at a time, and nothing be sent behind it
// (RFC 4978 section 3). A refusal, such as [COMPRESSIONACTIVE] where TLS compresses already, leaves all as it is.
func (c *conn) compress() error {
	if c.asked || c.opts.Line.plain.Load() || !c.has(capCompress) {
		return nil
	}
	c.asked = true
	h := &command{op: "COMPRESS", kind: KindConnect, scope: ScopeAccount}
	out, err := compressedOutlet(c.nc) // before the server switches: from there on only the compressor will do
	if err != nil {
		return c.unsendable(h, err)
	}
	if err := c.drain(); err != nil {
		return err
	}
	h.finish = func(h *command) {
		if h.status.name == "OK" { // the very next byte, which may be read already, is the server's compressor's
			c.inflating = true
			c.in.Through(func(r io.Reader) io.Reader { return flate.NewReaderOpts(r, flate.WithPartialBlock()) })
		}
	}
	w := c.command("COMPRESS DEFLATE")
	parts, err := w.Parts()
	if err != nil {
		return c.unsendable(h, err)
	}
	if ok, err := c.write(w, h, parts); !ok {
		return err
	}
	c.sent(h)
	if err := c.out.Flush(); err != nil {
		return c.lostWriting(err)
	}
	<-h.done // closed by the answer, or by the reader's end
	if h.lost != nil {
		return h.lost
	}
	if h.status.name == "OK" {
		c.out = out
	}
	return nil
}

// distrust ends compression on this line, for this run, where the server closed a compressed connection in good order while
// mail was on its way. A server may do so at one damaged message, which is told from an accident by where the answer
// stops (Ending), and a compressor that dies with its server keeps back what is different each time. Only the reader may
// call it, when reading has ended.
func (c *conn) distrust() {
	if c.inflating && c.far.clean && slices.ContainsFunc(c.inFlight(), func(h *command) bool { return h.mail }) {
		c.opts.Line.plain.Store(true)
	}
}

// drain waits until nothing is in flight. The caller is the only writer, so nothing is added meanwhile; each command
// ends with its answer or with the reader.
func (c *conn) drain() error {
	if err := c.out.Flush(); err != nil {
		return c.lostWriting(err)
	}
	for _, h := range c.inFlight() {
		<-h.done
		if h.lost != nil {
			return h.lost
		}
	}
	return nil
}
