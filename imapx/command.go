package imapx

import (
	"sync/atomic"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// command is one command in flight. Its functions run on the connection's reader, in the order of the answers,
// and never after done is closed.
type command struct {
	tag    string
	op     string
	folder string // raw, for messages
	scope  Scope  // what a refusal kills where its code does not say
	kind   Kind   // class of a refusal where its code does not say
	mail   bool   // it carries messages, so that the line can be measured

	data      func(r *wire.Response, head bool) (taken bool, err error) // untagged answers; may be nil
	malformed func(error)                                               // a frame did not parse while this was the oldest command; may be nil
	body      func() *visit                                             // who takes a message body now; may be nil, and say nobody
	finish    func(*command)                                            // the tagged answer came; may be nil

	waiting atomic.Bool   // for the server to ask for the rest (`+`); a `+` that nobody waits for is dropped
	more    chan struct{} // capacity 1
	asked   string        // the text of that `+`; written before more, read after it
	done    chan struct{}

	// Set before done is closed.
	status status
	lost   *Error // the connection died first
}

// status is a tagged answer.
type status struct {
	name string // "OK", "NO", "BAD"
	code imap.ResponseCode
	args string
	text string
}

func (c *command) prepare() *command {
	c.more, c.done = make(chan struct{}, 1), make(chan struct{})
	return c
}

// ended reports whether the answer is there, without waiting.
func (c *command) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
