package imapx

import (
	"errors"
	"io"
	"os"
)

// Ending tells how the far side ended a connection, as far as that says whether it meant to. A server that fails over
// one message ends in good order and at the same place each time; a line that is cut seldom does both.
type Ending struct {
	Orderly bool   // closed (FIN; under TLS between two records), not reset
	Partial uint64 // bytes of the answer that was not complete, its literals included
	Words   string // of a BYE, safe to show; "" without
}

// farEnd notices how reading ended.
type farEnd struct {
	r     io.Reader // TLS or plain
	clean bool
}

// Read gives io.ErrUnexpectedEOF for an end within a TLS record, and io.EOF otherwise (crypto/tls).
func (f *farEnd) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.clean = err == io.EOF
	return n, err
}

// ending is how the far side ended the connection, nil where it was not the far side, or where silence did it. Only the
// reader may ask.
func (c *conn) ending(err error) *Ending {
	if errors.Is(err, os.ErrDeadlineExceeded) || c.life.Err() != nil {
		return nil
	}
	e := &Ending{Orderly: c.far.clean, Partial: c.in.Partial()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastBye != nil && c.lastBye.Name == "BYE" {
		e.Words = c.trace.clean(c.lastBye.Text)
	}
	return e
}
