package imapx

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/auth"
	"mailmove/imapx/wire"
)

// Scope is what an error kills, the widest first.
type Scope int

const (
	ScopeAccount Scope = iota
	ScopeFolder
	ScopeMessage
)

// Retry says when the same thing may be tried again.
type Retry int

const (
	RetryNever     Retry = iota
	RetryReconnect       // on a new connection, soon
	RetryLater           // after Error.Delay, or a growing pause where that is 0
)

// Kind is the class that exit codes are made of.
type Kind int

const (
	KindOther       Kind = iota
	KindConnect          // resolve, dial, greeting
	KindTLS              // handshake, certificate, STARTTLS refused
	KindAuth             // login refused
	KindLost             // an established connection died or timed out
	KindQuota            // [OVERQUOTA]
	KindUnavailable      // [UNAVAILABLE], [INUSE], [LIMIT], [THROTTLED], BYE
	KindFolder           // EXAMINE, SELECT, CREATE, STATUS refused
	KindAppend           // APPEND refused
	KindFetch            // FETCH refused
	KindStore            // STORE, EXPUNGE refused
	KindProtocol         // the server broke the protocol
)

// ErrUIDValidity is wrapped where a folder does not have the UIDVALIDITY that was planned with.
var ErrUIDValidity = errors.New("UIDVALIDITY changed")

// Error is every error of this package. It is classified once, here: from the response code first, then from
// how the connection ended; callers switch on Scope, Retry and Kind, never on text.
type Error struct {
	Op        string // command or step: "dial", "TLS", "login", "APPEND" …
	Side      string // "source" or "target"
	Server    string // host:port
	Folder    string // decoded name, "" without
	UID       imap.UID
	Code      imap.ResponseCode
	Text      string // the server's words, or what happened
	Kind      Kind
	Scope     Scope
	Retry     Retry
	Delay     time.Duration  // with RetryLater: what the server suggested, 0: nothing
	Hint      string         // what to do next, one sentence, may be empty
	Mechanism auth.Mechanism // of a login that the server judged; else empty
	Ending    *Ending        // of KindLost: how the far side ended the connection; nil: it was not the far side
	Err       error          // cause
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Side != "" {
		b.WriteString(e.Side + " ")
	}
	b.WriteString(e.Server + ": " + e.Op)
	if e.Folder != "" {
		b.WriteString(` "` + wire.Visible(e.Folder, 500) + `"`)
	}
	if e.UID != 0 {
		fmt.Fprintf(&b, " uid %d", e.UID)
	}
	b.WriteString(": ")
	switch {
	case e.Text != "" && e.Code != "":
		fmt.Fprintf(&b, "[%s] %s", e.Code, e.Text)
	case e.Text != "":
		b.WriteString(e.Text)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		fmt.Fprintf(&b, "[%s]", e.Code)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
