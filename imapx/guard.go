package imapx

import (
	"fmt"
	"time"
)

// What a server may say. More than this is nothing that a mailbox needs, and memory and time must not depend on a server's
// good will; docs/hostile-servers.md explains each to an admin. The bounds of one answer are those of wire.Limits.
const (
	maxFolders  = 50_000   // LIST and LSUB lines of one listing
	maxNames    = 8 << 20  // bytes of their names together
	maxName     = 16 << 10 // bytes of one name; Dovecot takes 255 for each level
	maxAttrs    = 64       // attributes of one folder
	maxAttrText = 2 << 10  // bytes of them together
	maxDelim    = 4        // bytes of a separator: one character (RFC 9051 section 7.3.1)
	maxLevels   = 1 << 20  // of the hierarchy, of all names together
	maxMessages = 1 << 24  // messages of one folder; Exchange stops at a million
	maxUnwanted = 1 << 18  // answers in a row that bring nothing
	maxPartial  = 8 << 20  // bytes of header fields that wait for the rest of their messages, of one FETCH
	maxSteps    = 1 << 18  // SEARCHes that one answer which the server cut is asked for again in

	// maxIdle is how many timeouts a server may keep a command waiting with words that bring nothing, such as Dovecot's
	// "* OK Hang in there": half an hour by default.
	maxIdle = 15

	// maxTrickle is what a server has to send in that time of an answer that it has begun, in bytes: no line is as slow.
	maxTrickle = maxIdle << 10
)

// guard counts what brings nothing. It belongs to the reader.
type guard struct {
	answers int
	since   time.Time // of the last answer that brought something
}

// useful is called for an answer that brings a pass further.
func (c *conn) useful() { c.guard = guard{since: time.Now()} }

// unwanted counts an answer, and ends the connection where a server talks on and on without an end: every byte is
// progress to a deadline that rolls.
func (c *conn) unwanted() {
	c.guard.answers++
	if c.guard.answers > maxUnwanted {
		c.fail(c.error(nil, &Error{Op: "connection", Kind: KindProtocol, Scope: ScopeAccount, Retry: RetryReconnect,
			Text: fmt.Sprintf("the server sent %d answers in a row that answer nothing", maxUnwanted)}))
		return
	}
	c.mu.Lock()
	busy, since := len(c.queue) > 0, c.lastUse
	c.mu.Unlock()
	if c.guard.since.After(since) {
		since = c.guard.since
	}
	if patience := maxIdle * c.opts.Timeout; busy && time.Since(since) > patience {
		e := &Error{Op: "connection", Kind: KindLost, Scope: ScopeAccount, Retry: RetryReconnect,
			Text: fmt.Sprintf("the server has kept us waiting for %v with words alone", patience)}
		c.lastWords(e)
		c.fail(c.error(nil, e))
	}
}
