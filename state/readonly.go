package state

import (
	"context"
	"database/sql"
	"errors"
	"os"
)

// openReadOnly opens without creating or writing anything.
func (f *File) openReadOnly(ctx context.Context, o Options, steps []step) error {
	found, err := present(f.path)
	if err != nil {
		return err
	}
	if !found {
		f.reader, err = emptyDB(ctx, steps)
		return err
	}
	if f.lock, err = takeSharedLock(ctx, f.path); err != nil {
		return err
	}
	if f.reader, err = openDB(f.path, quietAccess(f.path), readers); err != nil {
		return err
	}
	if err := checkVersion(ctx, f.reader, f.path, len(steps)); err != nil {
		return err
	}
	if err := checkSoundness(ctx, f.reader, f.path, hasLog(f.path), true); err != nil {
		return err
	}
	if err := checkAccount(ctx, f.reader, f.path, o.Account); err != nil {
		return err
	}
	return checkEndpoints(ctx, f.reader, o.Known)
}

// emptyDB is a state in memory that holds nothing.
func emptyDB(ctx context.Context, steps []step) (*sql.DB, error) {
	db, err := openDB("empty", inMemory, 1) // one connection: each would have a memory of its own
	if err != nil {
		return nil, err
	}
	for _, query := range []string{`PRAGMA query_only = 0`, ``, `PRAGMA query_only = 1`} {
		if query == "" {
			err = migrate(ctx, db, 0, steps)
		} else {
			_, err = db.ExecContext(ctx, query)
		}
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// quietAccess is how a file is read, while nobody writes it, without leaving traces beside it.
func quietAccess(path string) access {
	if !hasLog(path) {
		return immutable
	}
	if _, err := os.Stat(path + "-shm"); err != nil {
		return readOnly // a log without its index was copied here; SQLite has to make one to read it
	}
	return readOnlyLog
}

// checkVersion is for those who cannot bring a file up to date.
func checkVersion(ctx context.Context, db *sql.DB, path string, known int) error {
	v, err := version(ctx, db)
	switch {
	case err != nil:
		return err
	case v > known:
		return &NewerError{Path: path, Found: v, Known: known}
	case v < known:
		return &OlderError{Path: path, Found: v, Known: known}
	}
	return nil
}
