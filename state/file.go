package state

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
)

// ErrClosed is what methods of a closed File return.
var ErrClosed = errors.New("the state file is closed")

// ErrReadOnly is what writing methods return where Options.ReadOnly was set.
var ErrReadOnly = errors.New("the state file is open for reading only")

// File is an account's state, open and locked. Its methods may be called concurrently.
type File struct {
	path    string
	lock    *lock   // nil: read-only and there is nothing to lock
	reader  *sql.DB // never writes
	writer  *writer // nil: read-only
	reverse direction
	keeping sync.Mutex // one message after the other goes into the quarantine
	fresh   atomic.Bool
	close   sync.Once
	closed  error // what the first Close returned
}

// Path is the file's absolute path. It may not exist where Options.ReadOnly was set.
func (f *File) Path() string { return f.path }

// Fresh reports whether no pass over this account has come to its end (result done or exceptions) yet.
func (f *File) Fresh() bool { return f.fresh.Load() }

// Close settles what is queued, empties the write-ahead log into the file and gives the lock back. Calls after
// the first do nothing and return the same.
func (f *File) Close() error {
	f.close.Do(func() {
		// The reader first: the last connection to go is the one that folds the log into the file.
		errs := []error{f.reader.Close()}
		if f.writer != nil {
			errs = append(errs, f.writer.close())
		}
		if f.lock != nil {
			errs = append(errs, f.lock.release())
		}
		f.closed = f.fail("close", errors.Join(errs...))
	})
	return f.closed
}

// write runs one operation on the writer goroutine and returns when it is on disk.
func (f *File) write(ctx context.Context, op string, run func(*tx) error) error {
	if f.writer == nil {
		return f.fail(op, ErrReadOnly)
	}
	return f.fail(op, f.writer.do(ctx, op, run))
}

// fail makes err one of the package's errors; nil stays nil.
func (f *File) fail(op string, err error) error { return classify(f.path, op, err) }

// queryAll collects every row that a query gives.
func queryAll[T any](ctx context.Context, db *sql.DB, query string, scan func(*sql.Rows) (T, error), args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
