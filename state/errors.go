package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailmove/state/cause"
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
	return fmt.Sprintf("state %s: in use by %s", cause.Printable(e.Path), who)
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
	return fmt.Sprintf("state %s: schema version %d, this program knows up to %d", cause.Printable(e.Path), e.Found, e.Known)
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
	return fmt.Sprintf("state %s: schema version %d, this program reads version %d", cause.Printable(e.Path), e.Found, e.Known)
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
	return fmt.Sprintf("state %s: damaged: %s", cause.Printable(e.Path), cause.OneLine(e.Err))
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
	return fmt.Sprintf("state %s: belongs to account %q, not %q", cause.Printable(e.Path), e.Found, e.Want)
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
		return fmt.Sprintf("state %s: the disk is full: %s", cause.Printable(e.Path), cause.OneLine(e.Err))
	}
	return fmt.Sprintf("state %s: cannot be used: %s", cause.Printable(e.Path), cause.OneLine(e.Err))
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
	return fmt.Sprintf("state folder %s: on a network file system (%s)", cause.Printable(e.Path), cause.Printable(e.Type))
}

// Hint says what to do next.
func (e *NetworkFSError) Hint() string {
	return "give a folder on a local disk (--state-dir): locks and shared memory are not reliable over the network"
}

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
	if errors.Is(err, errForeign) || errors.Is(err, errUnsound) || errors.Is(err, errPacked) {
		return &DamagedError{Path: path, Err: err}
	}
	switch kind, told := cause.Of(path, err); kind {
	case cause.Busy:
		return &BusyError{Path: path}
	case cause.Damaged:
		return &DamagedError{Path: path, Err: told}
	case cause.Full, cause.Unusable:
		return &UnwritableError{Path: path, Err: told, Full: kind == cause.Full}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("state: %s: %w", op, err)
	}
	return fmt.Errorf("state %s: %s: %w", cause.Printable(path), op, err)
}
