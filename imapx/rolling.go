package imapx

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// writePiece is how much is given to the kernel at once: the grain in which progress of a write is noticed.
const writePiece = 64 << 10

// rollingConn gives a connection deadlines that roll on progress in either direction. It sits below TLS, where
// every byte counts, and where a write that timed out can be continued.
type rollingConn struct {
	net.Conn
	timeout time.Duration
	line    *Line

	mu      sync.Mutex
	waiting int  // answers we wait for; 0: the server may be silent for as long as it likes
	reading bool // false: the reader is busy with what it read, so silence is not the server's
	pace    pace
	until   time.Time // not zero: one fixed deadline for everything, while connecting
}

func (c *rollingConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	c.arm()
	c.pace.waits(time.Now())
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.reading = false
	rate := c.pace.came(n, time.Now())
	c.mu.Unlock()
	if rate > 0 {
		c.line.Note(rate)
	}
	return n, err
}

func (c *rollingConn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := c.SetWriteDeadline(c.deadline()); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(p[done:min(len(p), done+writePiece)])
		done += n
		if n > 0 {
			c.progress(n)
		}
		if err != nil && !(errors.Is(err, os.ErrDeadlineExceeded) && (n > 0 || c.held())) {
			return done, err
		}
	}
	return done, nil
}

// expect counts the answers that are waited for up (1) or down (-1), and those whose commands carry mail.
func (c *rollingConn) expect(delta int, mail bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mail {
		c.pace.carry(delta, time.Now())
	}
	before := c.waiting
	c.waiting += delta
	if c.reading && (before == 0) != (c.waiting == 0) {
		c.arm()
	}
}

// progress rolls the reader's deadline too: a server need not answer while it is being sent to.
func (c *rollingConn) progress(sent int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.moved(sent)
	if c.reading {
		c.arm()
	}
}

// held reports whether it is we who do not read, so that the server may be unable to read either.
func (c *rollingConn) held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.reading && c.until.IsZero()
}

// fix sets one deadline for all reads and writes; the zero time goes back to rolling ones.
func (c *rollingConn) fix(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = until
}

func (c *rollingConn) deadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() {
		return c.until
	}
	return time.Now().Add(c.timeout)
}

// arm sets the read deadline. An error means that the connection is closed, which the read will tell.
func (c *rollingConn) arm() {
	var t time.Time
	switch {
	case !c.until.IsZero():
		t = c.until
	case c.waiting > 0:
		t = time.Now().Add(c.timeout)
	}
	_ = c.SetReadDeadline(t)
}
