package fleet

import (
	"context"
	"errors"
	"fmt"

	"mailmove/state/cause"
)

// Each of these errors is one line that says what and where; Hint says what to do next.

// BusyError: another program kept the file locked for longer than any run does.
type BusyError struct{ Path string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("fleet file %s: locked by another program", cause.Printable(e.Path))
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
	return fmt.Sprintf("fleet file %s: schema version %d, this program knows up to %d", cause.Printable(e.Path), e.Found, e.Known)
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
	return fmt.Sprintf("fleet file %s: damaged: %s", cause.Printable(e.Path), cause.OneLine(e.Err))
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
	return fmt.Sprintf("fleet file %s: %s: %s", cause.Printable(e.Path), what, cause.OneLine(e.Err))
}
func (e *UnwritableError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *UnwritableError) Hint() string {
	if e.Full {
		return "make room and run again; the file is sound, nothing was lost"
	}
	return "check the folder's owner, permissions and disk, or give another one with --state-dir"
}

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
	if errors.Is(err, errForeign) || errors.Is(err, errUnsound) || errors.Is(err, errKey) {
		return &DamagedError{Path: f.path, Err: err}
	}
	switch kind, told := cause.Of(f.path, err); kind {
	case cause.Busy:
		return &BusyError{Path: f.path}
	case cause.Damaged:
		return &DamagedError{Path: f.path, Err: told}
	case cause.Full, cause.Unusable:
		return &UnwritableError{Path: f.path, Err: told, Full: kind == cause.Full}
	case cause.Interrupted:
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return fmt.Errorf("fleet file %s: %s: %w", cause.Printable(f.path), op, err)
}
