package sync

import "time"

// Event is something that happened in a pass. The renderer switches on the concrete type; every event names
// its account.
type Event interface{ event() }

// PassStarted opens a pass.
type PassStarted struct {
	Account string
	Pass    int64 // number of the pass, from 1
	First   bool
	DryRun  bool
	Time    time.Time
}

// FolderPlanned tells what a folder pair needs. It comes once a pair and pass, before its work.
type FolderPlanned struct {
	Account  string
	Source   string // decoded names
	Target   string
	Create   bool
	Messages int64  // on the source
	Copy     int64  // expected to be copied; an estimate until the folder is read
	Opened   bool   // false: unchanged, not opened
	Why      string // why it goes there: one of the words in docs/folders.md
	Trouble  string // what an admin should look at, "" for nothing
}

// MessageCopied is one message stored and recorded.
type MessageCopied struct {
	Account string
	Folder  string // source
	Bytes   int64
}

// MessagesDeferred are new messages of a folder that the filter leaves to a later pass. FolderPlanned counted them.
type MessagesDeferred struct {
	Account  string
	Folder   string // source
	Messages int64
}

// FolderDone closes a folder pair.
type FolderDone struct {
	Account string
	Folder  string
	Copied  int64
	Flags   int64 // messages whose flags changed on the target
}

// MessagesDeleted are copies on the target that were deleted because their messages were deleted on the source.
type MessagesDeleted struct {
	Account  string
	Folder   string // source
	Target   string
	Trash    string // the folder that they were moved to, "": deleted for good
	Messages int64
}

// Exception is a message or folder that could not be carried as it is.
type Exception struct {
	Account string
	Folder  string // source, decoded
	UID     uint32 // source, 0: the folder
	Reason  string // one word of the table in docs/state.md
	Detail  string // the server's words
	New     bool   // not known from an earlier pass
}

// Throttled is a pause that a server asked for, or that its refusals made necessary.
type Throttled struct {
	Account string
	Side    string
	Delay   time.Duration
	Why     string
	Err     error // what Why is the text of, for who words errors himself
}

// Notice is a line for the person at the terminal: recovery after a kill, a reconnect, a late double removed.
type Notice struct {
	Account string
	Text    string
	Rule    string // a mapping rule that matches no source folder, as it was written: a warning; "": anything else
}

// PassEnded closes a pass with its report.
type PassEnded struct {
	Account string
	Report  Report
	Err     error
}

func (PassStarted) event()      {}
func (FolderPlanned) event()    {}
func (MessageCopied) event()    {}
func (MessagesDeferred) event() {}
func (FolderDone) event()       {}
func (MessagesDeleted) event()  {}
func (Exception) event()        {}
func (Throttled) event()        {}
func (Notice) event()           {}
func (PassEnded) event()        {}

// Report sums up a pass. Counts are messages unless they say otherwise.
type Report struct {
	Pass           int64
	Started        time.Time
	Ended          time.Time
	Folders        int64 // folder pairs
	FoldersOpened  int64
	FoldersCreated int64
	FoldersLeftOut int64 // source folders that no pair carries
	SourceMessages int64
	Copied         int64
	CopiedBytes    int64
	Matched        int64 // already on the target, now in the ledger
	Flags          int64 // messages whose flags changed on the target
	Recovered      int64 // found on the target after an interruption
	Doubles        int64 // late doubles removed
	Followed       int64 // moved on the target because they were moved on the source
	Deleted        int64 // deleted on the target, or moved to its trash, because they were deleted on the source
	Moved          int64 // newly seen: moved on the target to another folder
	Gone           int64 // newly seen: gone-on-target, in no folder any more
	Exceptions     int64 // all that are open
	Accepted       int64 // of these: the admin agreed to them
	NewExceptions  int64
	ToCopy         int64 // a dry run: what a pass would copy, and its bytes as the source tells sizes
	ToCopyBytes    int64
	Deferred       int64 // left out by a filter, of the whole account, as it is now
	Interrupted    bool  // ended by the first stop
	DryRun         bool
}
