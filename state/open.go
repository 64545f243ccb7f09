package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Options are how an account's state is opened.
type Options struct {
	Dir     string // made (0700) where it is not there
	Account string // id; decides the file's name, see FileName
	// Source and Target are both endpoints as "user@host:port", normalised, never with a password. They are
	// attributes that may change; empty: what the file has stays.
	Source, Target string
	// Known is asked, before anything is changed, about the endpoints that a file with folder pairs names: an error
	// ends the open, and is returned as it is where it has a hint. May be nil.
	Known          func(source, target string) error
	ReadOnly       bool // a dry run: nothing is created or written; a missing file reads as empty
	AllowNetworkFS bool // the admin has proven that locks and shared memory work there
	// Hook is called after each transaction of the writer that is on disk (a durable step), before those who wait
	// for it are told, with the names of what it did; nothing is written until it returns. It must not call the
	// File. For tests that die at every step; nil: nothing.
	Hook func(step string)
}

// readers is how many connections read at the same time.
const readers = 2

// Open opens the account's state and takes its lock, which ends with Close or with the process. A missing file is
// made, an older one brought up to date. Errors: *BusyError, *NewerError, *OlderError (only with ReadOnly),
// *DamagedError, *OtherAccountError, *UnwritableError, *NetworkFSError, or the context's.
//
// With ReadOnly the lock is a shared one: while it is held, a pass over the account gets a BusyError.
func Open(ctx context.Context, o Options) (*File, error) {
	return open(ctx, o, schema(), networkType)
}

func open(ctx context.Context, o Options, steps []step, network func(string) (string, error)) (*File, error) {
	if o.Account == "" || o.Dir == "" {
		return nil, errors.New("state: an account id and a folder are needed")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	f := &File{path: filepath.Join(dir, FileName(o.Account))}
	if !o.AllowNetworkFS {
		kind, err := network(dir)
		if err != nil {
			return nil, f.fail("look at the file system", err)
		}
		if kind != "" {
			return nil, &NetworkFSError{Path: dir, Type: kind}
		}
	}
	if o.ReadOnly {
		err = f.openReadOnly(ctx, o, steps)
	} else {
		err = f.openReadWrite(ctx, o, steps)
	}
	if err == nil {
		err = f.readFresh(ctx)
	}
	if err != nil {
		// What went wrong first is what is told; Close only gives back what was taken.
		err = f.fail("open", err)
		f.abandon()
		return nil, err
	}
	return f, nil
}

// abandon gives back whatever an unsuccessful open has taken.
func (f *File) abandon() {
	if f.reader != nil {
		_ = f.reader.Close()
	}
	if f.writer != nil {
		_ = f.writer.close()
	}
	if f.lock != nil {
		_ = f.lock.release()
	}
}

func (f *File) openReadWrite(ctx context.Context, o Options, steps []step) (err error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	if f.lock, err = takeLock(ctx, f.path); err != nil {
		return err
	}
	found, err := present(f.path)
	if err != nil {
		return err
	}
	if !found {
		if err := create(ctx, f.path, o.Account, steps); err != nil {
			return err
		}
	}
	log := hasLog(f.path) // asked first: opening makes one
	db, err := openDB(f.path, readWrite, 1)
	if err != nil {
		return err
	}
	conn, err := checked(ctx, db, f.path, log, o, steps)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	f.writer = newWriter(db, conn, o.Hook)
	f.reader, err = openDB(f.path, readOnly, readers)
	return err
}

// checked gives a connection to a file that is sound, ours, up to date and this account's.
func checked(ctx context.Context, db *sql.DB, path string, log bool, o Options, steps []step) (_ *sql.Conn, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	v, err := version(ctx, conn)
	if err != nil {
		return nil, err
	}
	if v > len(steps) {
		return nil, &NewerError{Path: path, Found: v, Known: len(steps)}
	}
	if err := checkSoundness(ctx, conn, path, log, false); err != nil {
		return nil, err
	}
	if err := checkAccount(ctx, conn, path, o.Account); err != nil {
		return nil, err
	}
	if err := checkEndpoints(ctx, conn, o.Known); err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn, v, steps); err != nil {
		return nil, err
	}
	for key, value := range map[string]string{"source": o.Source, "target": o.Target} {
		if value == "" {
			continue
		}
		if err := setMeta(ctx, conn, key, value); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

func checkAccount(ctx context.Context, db execer, path, account string) error {
	found, err := meta(ctx, db, "account")
	if err == nil && found != account {
		err = &OtherAccountError{Path: path, Found: found, Want: account}
	}
	return err
}

// present tells whether there is a state file. An empty one is damage: create never leaves one behind.
func present(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, &DamagedError{Path: path, Err: errors.New("it is no regular file")}
	case info.Size() == 0:
		return false, &DamagedError{Path: path, Err: errors.New("the file is empty")}
	}
	return true, nil
}

// create makes a state file under another name and gives it its own when it is whole and on disk, so that a
// process killed in between, or a disk that fills up, leaves nothing that looks like one.
func create(ctx context.Context, path, account string, steps []step) error {
	// A log left beside a file that was moved away would be taken for the new file's own.
	draft := path + ".new"
	if err := errors.Join(removeAll(path+"-wal", path+"-shm"), removeDraft(draft)); err != nil {
		return err
	}
	err := fill(ctx, draft, account, steps)
	if err == nil {
		err = settled(draft)
	}
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		err = classify(path, "create", err) // before the removal makes room on a disk that is full
		return errors.Join(err, removeDraft(draft))
	}
	return syncDir(filepath.Dir(path))
}

func removeDraft(draft string) error {
	return removeAll(draft, draft+"-wal", draft+"-shm", draft+"-journal")
}

// removeAll removes those of the files that are there.
func removeAll(paths ...string) (err error) {
	for _, path := range paths {
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// fill makes a state file at path.
func fill(ctx context.Context, path, account string, steps []step) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite would ask the umask
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	db, err := openDB(path, readWrite, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// No log yet: SQLite folds one into the file as it closes, and tells nobody when the disk has no room for that.
	// Nor a journal: a draft that is not whole is thrown away.
	if err := journalMode(ctx, conn, "memory"); err != nil {
		return err
	}
	if err := migrate(ctx, conn, 0, steps); err != nil {
		return err
	}
	if err := setMeta(ctx, conn, "account", account); err != nil {
		return err
	}
	if err := setMeta(ctx, conn, "created", time.Now().UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	return journalMode(ctx, conn, "wal") // a mark in the file's header; nothing is written to a log after it
}

// journalMode sets the mode; SQLite answers with the old one where it cannot.
func journalMode(ctx context.Context, db execer, mode string) error {
	var got string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = `+mode).Scan(&got); err != nil {
		return err
	}
	if got != mode {
		return fmt.Errorf("journal mode %s, not %s", got, mode)
	}
	return nil
}

// settled puts a closed draft on disk and makes sure that it is all there is: its log would not be renamed with it.
func settled(draft string) error {
	if info, err := os.Stat(draft + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("the log of the new file was not folded into it")
	}
	if err := removeAll(draft+"-wal", draft+"-shm"); err != nil {
		return err
	}
	file, err := os.OpenFile(draft, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// syncDir puts a folder's entries on disk: a rename is not, before.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readFresh reads whether a pass ever came to its end.
func (f *File) readFresh(ctx context.Context) error {
	var ended bool
	err := f.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM passes WHERE result IN (?, ?))`,
		ResultDone, ResultExceptions).Scan(&ended)
	f.fresh.Store(!ended)
	return err
}
