package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"modernc.org/sqlite"
)

// Each of these errors is one line that says what and where; Hint says what to do next.

// BusyError: another program kept the file locked for longer than any run does.
type BusyError struct{ Path string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("fleet file %s: locked by another program", printable(e.Path))
}

// Hint says what to do next.
func (e *BusyError) Hint() string {
	return "close the sqlite3 shell (or the backup) that has it open, and run again"
}

// NewerError: a newer mailmove wrote the file.
type NewerError struct {
	Path         string
	Found, Known int // schema versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("fleet file %s: schema version %d, this program knows up to %d", printable(e.Path), e.Found, e.Known)
}

// Hint says what to do next.
func (e *NewerError) Hint() string {
	return "use the newer mailmove that wrote it, or another state folder"
}

// DamagedError: the file is no sound fleet file.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("fleet file %s: damaged: %s", printable(e.Path), oneLine(e.Err.Error()))
}
func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *DamagedError) Hint() string {
	return "move the file away together with its -journal: no mail is lost by that, only which logins failed"
}

// UnwritableError: the file or its folder cannot be written, or read (a full disk, permissions, I/O errors).
type UnwritableError struct {
	Path string
	Err  error
	Full bool // the disk is full
}

func (e *UnwritableError) Error() string {
	what := "cannot be used"
	if e.Full {
		what = "the disk is full"
	}
	return fmt.Sprintf("fleet file %s: %s: %s", printable(e.Path), what, oneLine(e.Err.Error()))
}
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *UnwritableError) Hint() string {
	if e.Full {
		return "make room and run again; the file is sound, nothing was lost"
	}
	return "check the folder's owner, permissions and disk, or give another one with --state-dir"
}

// The SQLite result codes (https://sqlite.org/rescode.html) that decide; an extended code has them in its
// lowest byte.
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

// hinted is what every error of the package that is already classified has.
type hinted interface {
	error
	Hint() string
}

// fail makes err one of the package's errors where its cause is known; nil stays nil.
func (f *Fleet) fail(ctx context.Context, op string, err error) error {
	var done hinted
	if err == nil || errors.As(err, &done) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqliteBusy, sqliteLocked:
			return &BusyError{Path: f.path}
		case sqliteCorrupt, sqliteNotADB:
			return &DamagedError{Path: f.path, Err: err}
		case sqliteFull:
			return &UnwritableError{Path: f.path, Err: err, Full: true}
		case sqlitePerm, sqliteReadOnly, sqliteIOErr, sqliteCantOpen, sqliteAuth:
			return &UnwritableError{Path: f.path, Err: err}
		case sqliteInterrupt:
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}
	}
	var pathError *fs.PathError
	switch {
	case errors.Is(err, errForeign), errors.Is(err, errUnsound), errors.Is(err, errKey):
		return &DamagedError{Path: f.path, Err: err}
	case errors.As(err, &pathError):
		return &UnwritableError{Path: f.path, Err: pathError.Err, Full: isFull(err)}
	}
	return fmt.Errorf("fleet file %s: %s: %w", printable(f.path), op, err)
}

// oneLine keeps a text on one line that nothing in it can move.
func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

// printable quotes what could move a terminal's cursor, turn its text round or break a line.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.QuoteToASCII(s)
}
