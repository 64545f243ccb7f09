package imapx

import (
	"context"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Want is the set of things that a Read asks of each message. UID is always there.
type Want uint8

const (
	WantFlags    Want = 1 << iota
	WantDate          // INTERNALDATE
	WantSize          // RFC822.SIZE, a hint only
	WantIdentity      // BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM TO SUBJECT)]
	WantBody          // BODY.PEEK[]
	WantLabels        // X-GM-LABELS; not asked of a server without labels
	WantGmailID       // X-GM-MSGID, as WantLabels
)

// Read is one question to an opened folder.
type Read struct {
	UIDs         imap.UIDSet // may end in *; UIDs that do not exist are no error
	Except       imap.UIDSet // of those, not to be asked
	Want         Want        // 0: only which UIDs exist (UID SEARCH)
	ChangedSince uint64      // only what changed after this mod-sequence (RFC 7162 section 3.1.4); 0: all
}

// Visit opens one folder read-only (EXAMINE) and asks its Reads in order, in windows, pipelined.
type Visit struct {
	Folder      string // raw
	UIDValidity uint32 // what the folder must have; 0: whatever it has
	Reads       []Read
	// Plan is asked for the Reads once the folder is open, where they depend on its mark. It costs one
	// round trip; Reads is then ignored.
	Plan func(Opened) ([]Read, error)
}

// Opened is the answer to EXAMINE or SELECT.
type Opened struct {
	Mark
	Flags          []imap.Flag // flags in use in the folder (untagged FLAGS)
	PermanentFlags []imap.Flag // `\*` included where the client may make keywords
	MailboxID      string
}

// Message is what came of one message. Fields that were not asked for, or that the server gave as NIL, are zero.
type Message struct {
	UID    imap.UID
	Flags  []imap.Flag // \Recent left out
	Date   time.Time   // INTERNALDATE; zero: NIL, absent or not a date
	Size   int64       // RFC822.SIZE
	Header []byte      // raw header fields of WantIdentity
	Body   Body        // complete, Len() is the announced literal length; the receiver owns and releases it
	ModSeq uint64
	Labels []string // raw folder names and system labels (`\Inbox`) that the message has besides the open folder's
	// GmailID is the same in all folders of an account that show the message (X-GM-MSGID); 0: not told.
	GmailID uint64
}

// Body holds one message. It can be read any number of times until it is released.
type Body interface {
	io.Writer   // filled by the reader of the connection
	io.WriterTo // the whole body from its beginning
	Len() int64
	Release()
}

// VisitHandler receives what a Visit brings. Its functions run on the connection's reader: blocking in them
// holds back the server (no deadline counts meanwhile), an error ends the visit.
type VisitHandler struct {
	Opened  func(Opened) error                                  // may be nil; before the first Message
	UIDs    func(read int, uids imap.UIDSet) error              // answers to Reads with Want 0
	Alloc   func(ctx context.Context, size int64) (Body, error) // room for a body of size bytes; needed with WantBody
	Message func(read int, m Message) error                     // in any order
}

// VisitResult says how a visit ended.
type VisitResult struct {
	Opened Opened
	// Failed are messages that exist and still did not come when asked for singly (RFC 9051 section 6.4.5
	// does not oblige the server), with the reason. Messages that vanished meanwhile are not here.
	Failed map[imap.UID]error
}
