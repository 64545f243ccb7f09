package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// Each of these errors is one line that says what and where; Hint says what to do next.

// BusyError: another process works on this account.
type BusyError struct {
	Path  string
	PID   int       // 0: not known (a dry run, which leaves no trace, or a sqlite3 shell)
	Since time.Time // zero: not known
}

func (e *BusyError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if !e.Since.IsZero() {
		who += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("state %s: in use by %s", printable(e.Path), who)
}

// Hint says what to do next.
func (e *BusyError) Hint() string {
	if e.PID > 0 {
		return fmt.Sprintf("wait for its pass to end, or stop it (kill %d); the lock ends with the process", e.PID)
	}
	return "wait until it is done; the lock ends with the process that holds it"
}

// NewerError: a newer mailmove wrote the file.
type NewerError struct {
	Path         string
	Found, Known int // schema versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("state %s: schema version %d, this program knows up to %d", printable(e.Path), e.Found, e.Known)
}

// Hint says what to do next.
func (e *NewerError) Hint() string {
	return "use the newer mailmove that wrote it, or another state folder"
}

// OlderError: the file must be brought up to date first, and it was opened for reading only.
type OlderError struct {
	Path         string
	Found, Known int // schema versions
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("state %s: schema version %d, this program reads version %d", printable(e.Path), e.Found, e.Known)
}

// Hint says what to do next.
func (e *OlderError) Hint() string {
	return "any pass over the account that is no dry run brings the file up to date"
}

// DamagedError: the file is no sound state file.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("state %s: damaged: %s", printable(e.Path), oneLine(e.Err))
}
func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *DamagedError) Hint() string {
	return "move the file away together with its -wal and -shm (mv FILE* elsewhere): no mail is lost by that, the next pass matches what is on both sides and makes a new one"
}

// OtherAccountError: the file was renamed, it belongs to another account.
type OtherAccountError struct {
	Path        string
	Found, Want string // account ids
}

func (e *OtherAccountError) Error() string {
	return fmt.Sprintf("state %s: belongs to account %q, not %q", printable(e.Path), e.Found, e.Want)
}

// Hint says what to do next.
func (e *OtherAccountError) Hint() string {
	return "give that account's id (--id), or give the file its old name back"
}

// UnwritableError: the file or its folder cannot be written, or read (a full disk, permissions, I/O errors).
type UnwritableError struct {
	Path string
	Err  error
	Full bool // the disk is full
}

func (e *UnwritableError) Error() string {
	if e.Full {
		return fmt.Sprintf("state %s: the disk is full: %s", printable(e.Path), oneLine(e.Err))
	}
	return fmt.Sprintf("state %s: cannot be used: %s", printable(e.Path), oneLine(e.Err))
}
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *UnwritableError) Hint() string {
	if e.Full {
		return "make room and run the pass again; the file is sound, nothing was lost"
	}
	return "check the folder's owner, permissions and disk, or give another one with --state-dir"
}

// NetworkFSError: the folder is on a network file system.
type NetworkFSError struct {
	Path string
	Type string // "nfs", "cifs", "fuse.sshfs" …
}

func (e *NetworkFSError) Error() string {
	return fmt.Sprintf("state folder %s: on a network file system (%s)", printable(e.Path), printable(e.Type))
}

// Hint says what to do next.
func (e *NetworkFSError) Hint() string {
	return "give a folder on a local disk (--state-dir): locks and shared memory are not reliable over the network"
}

// The SQLite result codes (https://sqlite.org/rescode.html) that decide; an extended code has them in its
// lowest byte.
const (
	sqlitePerm     = 3
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteAuth     = 23
	sqliteNotADB   = 26
)

// hinted is what every error of the package that is already classified has.
type hinted interface {
	error
	Hint() string
}

// classify makes err one of the package's errors where its cause is known; nil stays nil.
func classify(path, op string, err error) error {
	var done hinted
	if err == nil || errors.As(err, &done) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqliteBusy, sqliteLocked:
			return &BusyError{Path: path}
		case sqliteCorrupt, sqliteNotADB:
			return &DamagedError{Path: path, Err: err}
		case sqliteFull:
			return &UnwritableError{Path: path, Err: err, Full: true}
		case sqliteIOErr, sqliteCantOpen:
			// For a log or shared memory that finds no room SQLite has codes of its own (IOERR_SHMSIZE and others).
			return &UnwritableError{Path: path, Err: err, Full: noRoom(path)}
		case sqlitePerm, sqliteReadOnly, sqliteAuth:
			return &UnwritableError{Path: path, Err: err}
		}
	}
	var pathError *fs.PathError
	switch {
	case errors.Is(err, errForeign), errors.Is(err, errUnsound), errors.Is(err, errPacked):
		return &DamagedError{Path: path, Err: err}
	case isFull(err):
		return &UnwritableError{Path: path, Err: err, Full: true}
	case errors.As(err, &pathError):
		return &UnwritableError{Path: path, Err: pathError.Err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("state: %s: %w", op, err)
	}
	return fmt.Errorf("state %s: %s: %w", printable(path), op, err)
}

// oneLine keeps an error's text on one line: quick_check and the file system give several.
func oneLine(err error) string {
	if err == nil {
		return "unknown"
	}
	return printable(strings.Join(strings.Fields(err.Error()), " "))
}

// printable quotes what could move a terminal's cursor or break a line: state folders have hostile names too.
func printable(s string) string {
	quoted := fmt.Sprintf("%+q", s)
	if plain := quoted[1 : len(quoted)-1]; plain == s {
		return s
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xFFFD || r >= 0x2028 && r <= 0x202e {
			return quoted
		}
	}
	return s
}
