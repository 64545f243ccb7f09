// Package cause tells what an error of SQLite or of the file system comes to, and writes hostile text on one line. The
// state and the fleet file both stand on it; each words its errors itself.
//
// Where to change what: which result code means what: cause.go; what a full disk looks like on a system: full_*.go and
// room_*.go; which characters are quoted: text.go.
package cause

import (
	"errors"
	"io/fs"

	"modernc.org/sqlite"
)

// Kind is what an error comes to.
type Kind int

const (
	Unknown     Kind = iota
	Busy             // another program has the file locked
	Damaged          // it is no sound database
	Full             // no room, or a quota is used up
	Unusable         // it cannot be read or written: permissions, I/O errors
	Interrupted      // a context ended the statement
)

// The result codes (https://sqlite.org/rescode.html) that decide; an extended code has them in its lowest byte.
const (
	sqlitePerm      = 3
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteReadOnly  = 8
	sqliteInterrupt = 9
	sqliteIOErr     = 10
	sqliteCorrupt   = 11
	sqliteFull      = 13
	sqliteCantOpen  = 14
	sqliteAuth      = 23
	sqliteNotADB    = 26
)

// Of classifies an error that concerns the file path, and gives what is worth telling of it: the system's words
// without the call and the path, where they are the system's.
func Of(path string, err error) (Kind, error) {
	var database *sqlite.Error
	var system *fs.PathError
	switch {
	case errors.As(err, &database):
		return ofCode(path, database.Code()), err
	case isFull(err):
		return Full, err
	case errors.As(err, &system):
		return Unusable, system.Err
	}
	return Unknown, err
}

func ofCode(path string, code int) Kind {
	switch code & 0xff {
	case sqliteBusy, sqliteLocked:
		return Busy
	case sqliteCorrupt, sqliteNotADB:
		return Damaged
	case sqliteFull:
		return Full
	case sqliteIOErr, sqliteCantOpen:
		// For a log or shared memory that finds no room SQLite has codes of its own (IOERR_SHMSIZE and others).
		if noRoom(path) {
			return Full
		}
		return Unusable
	case sqlitePerm, sqliteReadOnly, sqliteAuth:
		return Unusable
	case sqliteInterrupt:
		return Interrupted
	}
	return Unknown
}
