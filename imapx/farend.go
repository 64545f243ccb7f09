package imapx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Ending tells how the far side ended a connection, as far as that says whether it meant to. A server that fails over
// one message ends in good order and at the same place each time; a line that is cut seldom does both.
type Ending struct {
	Orderly bool   // closed (FIN; under TLS between two records), not reset
	Partial uint64 // bytes of the answer that was not complete, its literals included
	Words   string // of a BYE, safe to show; "" without
}

// farEnd notices how reading ended, and ends it where an answer that was begun comes so slowly that it would never come to
// an end: to a deadline that rolls each byte is progress, and an answer may have a megabyte, or a literal of any size.
type farEnd struct {
	r        io.Reader // TLS or plain
	clean    bool
	patience time.Duration // in which maxTrickle bytes have to come

	came   int           // bytes of the answer that is under way, in this span of patience
	waited time.Duration // for them
}

// errTrickle is wrapped where a server sends an answer too slowly.
var errTrickle = errors.New("too slow")

// Read gives io.ErrUnexpectedEOF for an end within a TLS record, and io.EOF otherwise (crypto/tls).
func (f *farEnd) Read(p []byte) (int, error) {
	begun := time.Now()
	n, err := f.r.Read(p)
	f.clean = err == io.EOF
	if f.came > 0 { // before the first byte there is a deadline, or the server may be silent for as long as it likes
		f.waited += time.Since(begun)
	}
	f.came += n
	if err != nil || f.waited <= f.patience {
		return n, err
	}
	if f.came < maxTrickle {
		return n, fmt.Errorf("%w: the server sent %d bytes of an answer in %v", errTrickle, f.came, f.patience)
	}
	f.came, f.waited = 1, 0
	return n, nil
}

// whole says that an answer is complete.
func (f *farEnd) whole() { f.came, f.waited = 0, 0 }

// ending is how the far side ended the connection, nil where it was not the far side, or where silence did it. Only the
// reader may ask.
func (c *conn) ending(err error) *Ending {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTrickle) || c.life.Err() != nil {
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
