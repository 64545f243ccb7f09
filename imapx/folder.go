package imapx

import "github.com/emersion/go-imap/v2"

// Mark is what a server said of a folder at one moment. Zero values mean that it did not say.
type Mark struct {
	UIDValidity   uint32
	UIDNext       imap.UID
	Messages      uint32
	HighestModSeq uint64 // 0: no CONDSTORE for this folder (NOMODSEQ, RFC 7162 section 3.1.2.2)
}

// Folder is one line of a LIST answer.
type Folder struct {
	Raw        string   // name exactly as on the wire; commands carry this
	Name       string   // decoded for display and mapping; valid UTF-8, the raw name where it does not decode
	Path       []string // Name split at Delim; INBOX in any case is "INBOX"
	Delim      string   // hierarchy separator, "" where the server has none
	Attrs      []imap.MailboxAttr
	SpecialUse imap.MailboxAttr // first RFC 6154 attribute, "" without
	Selectable bool
	Subscribed bool
	Mark       *Mark  // nil: the server gave no STATUS for it
	MailboxID  string // RFC 8474, "" without
	NotMail    string // why the provider's row says that it holds no mail, "" for mail
	Err        error  // why STATUS failed for this folder alone; it is then neither empty nor gone
}

// Namespace is one personal, other users' or shared namespace (RFC 2342).
type Namespace struct {
	Prefix string // raw
	Delim  string
}

// Listing is what a server holds, in one round trip where it knows LIST-STATUS (RFC 5819).
type Listing struct {
	Folders  []Folder
	Personal []Namespace
	Others   []Namespace // other users'
	Shared   []Namespace
	Labels   bool // folders are labels: a message is in several, and in the one with \All (X-GM-EXT-1)
	Lost     int  // lines of the list that could not be read: each may have been a folder
	Complete bool // false: a line was malformed or a folder gave no STATUS; nothing may be derived from what is absent
}

// Limits are what a server says it takes. Zero: it did not say.
type Limits struct {
	Append uint64 // APPENDLIMIT in bytes (RFC 7889)
	Move   bool   // MOVE (RFC 6851): a message that is moved is never in both folders
}
