package imapx

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Prepare is what a target folder needs before messages go there.
type Prepare struct {
	Folder     string // raw
	Create     bool
	SpecialUse imap.MailboxAttr // given to CREATE where the server knows CREATE-SPECIAL-USE (RFC 6154 section 3)
	Subscribe  bool
	Open       bool // SELECT it: mark and PERMANENTFLAGS
}

// Prepared is the outcome for one folder.
type Prepared struct {
	Created bool   // false where it was there already ([ALREADYEXISTS] is no error)
	Opened  Opened // with Open
	Err     error
}

// AppendMessage is one message to store. Flags must come from an Opened.PermanentFlags check; \Recent is
// dropped, anything that is no legal flag is refused before a byte is sent.
type AppendMessage struct {
	Flags []imap.Flag
	Date  time.Time // zero: the server's own clock
	Body  Body
}

// AppendBatch is one window for one folder: a MULTIAPPEND (RFC 3502) where the server has it, else as many
// pipelined APPENDs.
type AppendBatch struct {
	Folder   string // raw
	Messages []AppendMessage
}

// Appended tells what became of a batch, message by message.
type Appended struct {
	UIDValidity uint32     // 0: the server gave no APPENDUID
	UIDs        []imap.UID // len(Messages); 0: stored, UID not told, or not stored (see Errs)
	Errs        []error    // len(Messages); nil: stored. A refused MULTIAPPEND gives every message the same error
}

// Pending is a batch that was sent.
type Pending interface {
	// Wait blocks until every answer came. An error means that the connection died or the context ended:
	// what was stored is then unknown.
	Wait(ctx context.Context) (Appended, error)
}

// FlagChange adds and removes flags of some messages, leaving the others alone (+FLAGS.SILENT, -FLAGS.SILENT).
type FlagChange struct {
	UIDs   imap.UIDSet
	Add    []imap.Flag
	Remove []imap.Flag
}
