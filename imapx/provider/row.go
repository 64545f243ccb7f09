package provider

import "time"

// Evidence says how far a row was tried.
type Evidence string

const (
	Live      Evidence = "live"           // the tests run against this server
	Documents Evidence = "from documents" // never seen by us
)

// Row is what is known of one service or server.
type Row struct {
	Key      string // one word, stable
	Name     string
	Evidence Evidence
	Limits   Limits
	Labels   bool   // folders are labels: one message is in several of them (X-GM-EXT-1)
	Skips    []Skip // folders that hold no mail
	Words    []Word // what its texts mean where it gives no code, or the wrong one
	Literals string // what it takes as a literal, where that is not what its capabilities say
	Notes    []string
	Sources  []string // where the facts are from

	seen []sign // any of them is enough
}

// Known reports that the row is of a server that was recognised.
func (r Row) Known() bool { return r.Key != "" }

// Limits are what a server is known to allow. Zero: not known.
type Limits struct {
	Connections int           // of one account at a time
	Download    int64         // bytes a day and account
	Upload      int64         // bytes a day and account
	Message     int64         // bytes of one message, where APPENDLIMIT does not say
	Folder      int64         // messages of one folder that IMAP shows or takes
	Session     time.Duration // after which a connection is ended
}

// Skip is a kind of folder that holds no mail. Only folders at the top, or directly below INBOX, are meant, and what lies
// below these.
type Skip struct {
	Why   string              // for people
	Names map[string][]string // language -> names; a mailbox speaks one language
}

// Meaning is what a text stands for.
type Meaning int

const (
	Later   Meaning = iota // the account is not served now, and will be again
	Full                   // no room; no pause makes any
	NoLogin                // this way to log in is closed
	BadMail                // this message is not taken, others are
	AsAsked                // whatever the code seems to say: nothing but this command is refused
)

// Word is a text and what it means.
type Word struct {
	Code  string // response code that it must come with; "": with none that is known
	Text  string // part of the text, lower case
	Means Meaning
	Pause time.Duration // with Later: what is waited at least where the text names no time; 0: a growing pause
}

// Seen is what a server said of itself.
type Seen struct {
	Capabilities []string          // after the login
	ID           map[string]string // RFC 2971, keys in lower case; nil: not asked, or NIL
	Greeting     string            // text of the first line
	Host         string            // that was dialled
}
