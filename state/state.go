package state

import (
	"context"
	"time"
)

// Mark is what a server said of a folder when it was opened. Zero values: not said.
type Mark struct {
	UIDValidity   uint32
	UIDNext       uint32
	Messages      uint32
	HighestModSeq uint64
}

// Pair is a source folder and the target folder it maps to.
type Pair struct {
	ID              int64
	Source          string // raw name on the wire
	Target          string
	SourceName      string // decoded
	TargetName      string
	SourceMark      Mark // committed: everything below it is settled
	TargetMark      Mark
	SourceMailboxID string // RFC 8474
	TargetMailboxID string
}

// Row is one line of the ledger: a source message and what became of it on the target.
type Row struct {
	SourceUID   uint32
	TargetUID   uint32   // 0: not on the target (see Status)
	Fingerprint [16]byte // of the identifying header fields; comparable without reading a body
	Digest      [16]byte // of the normalised bytes; zero where the body was never read
	Size        int64    // bytes as the source sent them
	Date        int64    // INTERNALDATE in Unix seconds; 0: none
	Flags       string   // source flags as last seen, sorted, separated by blanks
	Status      Status
}

// Status is what the ledger knows of a message.
type Status uint8

const (
	Stored     Status = iota // on the target as TargetUID
	Gone                     // gone-on-target: neither there nor in another folder
	Refused                  // an exception: not carried
	SourceGone               // vanished from the source after it was stored
)

// WindowState is how far an intent has come.
type WindowState uint8

const (
	WindowOpen    WindowState = iota // appends may happen, have happened, or may still happen
	WindowWatched                    // recovered once; a dead connection's append may still land
)

// Window is the intent for one batch of APPENDs (docs/state.md).
type Window struct {
	ID          int64
	Pair        int64
	Pass        int64
	UIDValidity uint32 // of the target folder
	Floor       uint32 // target UIDNEXT before the first APPEND
	State       WindowState
	Created     time.Time
	Rows        []Row // what was meant to be stored; TargetUID 0 until recorded
}

// File is an account's state, open and locked.
type File struct{}

var _ = context.Background
