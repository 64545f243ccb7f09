package state

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Removed is what Remove took away.
type Removed struct {
	Files          []string // absolute paths
	Bytes          int64
	Source, Target string   // both endpoints as the file had them, "" where it could not be read
	Left           []string // files beside it that begin with its name and that this package did not make
}

// Remove takes away all that the folder holds of an account: the state file with its log, drafts that a kill left, and the
// lock, last of all. It waits for nobody: where a pass works on the account it is a *BusyError. A file that cannot be
// read is removed as well; one that another account was renamed to is not (*OtherAccountError). Where there is nothing
// the error wraps fs.ErrNotExist. A kill in the middle leaves files that the next call removes.
func Remove(ctx context.Context, dir, account string) (Removed, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Removed{}, err
	}
	path := filepath.Join(dir, FileName(account))
	r := Removed{}
	err = r.remove(ctx, path, account)
	return r, classify(path, "remove", err)
}

// made are the suffixes of an account's files, in the order in which they go: without the first there is no state, and
// what a kill leaves of the others belongs to nobody (create removes it).
func made() []string {
	return []string{"", "-wal", "-shm", "-journal", ".new", ".new-wal", ".new-shm", ".new-journal", lockSuffix}
}

func (r *Removed) remove(ctx context.Context, path, account string) error {
	mine, others, err := beside(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(quarantineOf(path)); len(mine) == 0 && err != nil {
		return &UnwritableError{Path: path, Err: fs.ErrNotExist}
	}
	l, err := takeLock(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = l.flock.Close() }() // the file is gone, or its holder is told below
	s := Summary{Path: path}
	if err := s.readOwned(ctx); err == nil {
		if s.Account != account {
			return errors.Join(&OtherAccountError{Path: path, Found: s.Account, Want: account}, l.release())
		}
		r.Source, r.Target = s.Source, s.Target
	}
	if err := r.removeKept(path); err != nil {
		return errors.Join(err, l.release())
	}
	for _, suffix := range made() {
		info, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Remove(path + suffix)
		}
		if err != nil {
			return errors.Join(err, l.release())
		}
		if suffix != lockSuffix || slices.Contains(mine, path+suffix) { // not one that this call made
			r.Files = append(r.Files, path+suffix)
			r.Bytes += info.Size()
		}
	}
	r.Left = others
	return syncDir(filepath.Dir(path))
}

// readOwned reads whose file it is. The lock is ours.
func (s *Summary) readOwned(ctx context.Context) (err error) {
	if found, err := present(s.Path); err != nil || !found {
		return errors.Join(err, fs.ErrNotExist)
	}
	db, err := openDB(s.Path, quietAccess(s.Path), 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return s.readMeta(ctx, db)
}

// beside lists what lies in the folder under the file's name: ours, and what others put there (an admin's copy).
func beside(path string) (mine, others []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path))
		switch {
		case !ok:
		case slices.Contains(made(), rest):
			mine = append(mine, filepath.Join(filepath.Dir(path), e.Name()))
		case strings.Contains(rest, extension): // of an account whose id begins like this file's name
		default:
			others = append(others, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return mine, others, nil
}

// AccountNames gives the ids of the accounts of a folder that begin with a prefix, at most limit of them, without opening a
// file where its name says the id already. Files that cannot be read are left out: it is for completion.
func AccountNames(ctx context.Context, dir, prefix string, limit int) ([]string, error) {
	paths, err := List(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), extension)
		if FileName(name) != filepath.Base(path) { // a hash is in it
			s := Summary{Path: path}
			if err := s.reading(ctx, func(db *sql.DB) error { return s.readMeta(ctx, db) }); err != nil {
				continue
			}
			name = s.Account
		}
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		if len(names) == limit || ctx.Err() != nil {
			break
		}
	}
	return names, nil
}
