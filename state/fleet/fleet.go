package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// FileName is the file's name in the state folder. Package state keeps it free: no account's file has it.
const FileName = "fleet.db"

// busyTimeout bounds every wait for another process; their transactions take milliseconds.
const busyTimeout = 5 * time.Second

// Fleet is the file, open for one run: what failed in it is not tried again in it. Its methods may be called
// concurrently, in several processes.
type Fleet struct {
	path string
	db   *sql.DB
	key  []byte // of the credential digests

	mu     sync.Mutex
	failed map[account]digest   // in this run
	worked map[string]time.Time // by server: when the latest login of this run that worked began
}

// account is a user of a server.
type account struct{ server, user string }

// Open opens fleet.db in the state folder; both are made where they are not there. Errors: *UnwritableError,
// *DamagedError, *NewerError, *BusyError, or the context's.
func Open(ctx context.Context, dir string) (*Fleet, error) {
	return open(ctx, dir, schema())
}

func open(ctx context.Context, dir string, steps [][]string) (*Fleet, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	f := &Fleet{path: filepath.Join(dir, FileName), failed: make(map[account]digest), worked: make(map[string]time.Time)}
	if err := f.prepare(); err != nil {
		return nil, f.fail(ctx, "open", err)
	}
	if f.db, err = openDB(f.path); err == nil {
		if err = f.bringUpToDate(ctx, steps); err == nil {
			err = f.check(ctx)
		}
		if err != nil { // what went wrong first is what is told
			_ = f.db.Close()
		}
	}
	if err != nil {
		return nil, f.fail(ctx, "open", err)
	}
	return f, nil
}

// prepare makes an empty file (SQLite would ask the umask) or makes sure that the one there is ours alone: the key
// is in it.
func (f *Fleet) prepare() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		file, err := os.OpenFile(f.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		return file.Close()
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", errForeign)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(f.path, 0o600)
	}
	return nil
}

// openDB gives a database of one connection. It has a rollback journal, not a write-ahead log: it is small, seldom
// written, and needs no memory shared between processes. SQLite's memory is outside Go's limit, so the cache is capped (KiB
// when negative). synchronous=FULL: a commit is on disk when it returns.
func openDB(path string) (*sql.DB, error) {
	parts := strings.Split(path, "/")
	for i := range parts { // SQLite's URI parser knows "?", "#" and "%" (https://sqlite.org/uri.html)
		parts[i] = url.PathEscape(parts[i])
	}
	query := []string{"mode=rw"}
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)", "cache_size(-512)",
		"mmap_size(0)", "temp_store(MEMORY)", "trusted_schema(0)", "cell_size_check(1)",
	} {
		query = append(query, "_pragma="+p)
	}
	u := url.URL{Scheme: "file", Opaque: strings.Join(parts, "/"), RawQuery: strings.Join(query, "&")}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// Path is the file's absolute path.
func (f *Fleet) Path() string { return f.path }

// Close closes the file.
func (f *Fleet) Close() error { return f.fail(context.Background(), "close", f.db.Close()) }

// update runs one write transaction: all of it is on disk when it returns nil, else nothing.
func (f *Fleet) update(ctx context.Context, run func(*sql.Conn) error) (err error) {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// IMMEDIATE: what is read in it stays true until it ends.
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err = run(conn); err == nil {
		_, err = conn.ExecContext(ctx, `COMMIT`)
	}
	if err != nil {
		// Also after a COMMIT that found the file busy: the transaction is then still open. Where SQLite has rolled
		// back by itself (disk full), its complaint says nothing new.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
	}
	return err
}
