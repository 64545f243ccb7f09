package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	// Folder is where logins are kept, below the state folder.
	Folder    = "oauth"
	plainEnd  = ".json"
	sealedEnd = ".age"
	draftEnd  = ".new" // one that is being written; a kill leaves it
	lockRetry = 50 * time.Millisecond
)

// ErrNotKept: there is no such login.
var ErrNotKept = errors.New("no login is kept for this user")

// ErrKeyNeeded: the login is encrypted, and no key was given.
var ErrKeyNeeded = errors.New("it is encrypted, and no key file was given")

// Store keeps logins in a folder, each in a file that its owner alone may read: plain, or encrypted by a key.
type Store struct {
	dir string
	key *Key
}

// OpenStore names the store of a state folder; it makes nothing. key may be nil: then only plain logins can be read.
func OpenStore(stateDir string, key *Key) *Store {
	return &Store{dir: filepath.Join(stateDir, Folder), key: key}
}

// Holds tells whether a path lies where logins are kept or in the state folder above: no place for their key.
func (s *Store) Holds(path string) bool { return within(filepath.Dir(s.dir), path) }

// Entry is what can be said of a kept login without reading secrets.
type Entry struct {
	Path   string
	Sealed bool
	Record Record // its tokens are taken out; empty where the file cannot be read
	Err    error  // why it cannot
}

// List gives all logins, by file name.
func (s *Store) List() ([]Entry, error) {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Entry
	for _, f := range files {
		if e := filepath.Ext(f.Name()); e != plainEnd && e != sealedEnd {
			continue
		}
		entry := Entry{Path: filepath.Join(s.dir, f.Name()), Sealed: filepath.Ext(f.Name()) == sealedEnd}
		entry.Record, entry.Err = s.read(entry.Path)
		entry.Record.RefreshToken, entry.Record.AccessToken, entry.Record.ClientSecret = "", "", ""
		all = append(all, entry)
	}
	return all, err
}

// Find gives the file of a login: ErrNotKept where there is none.
func (s *Store) Find(provider, user string) (string, error) {
	all, err := s.files(provider, user)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", ErrNotKept
	}
	return all[0], nil
}

// files gives the files of a login, the latest first: after a kill in the middle of Keep there is one of each kind.
func (s *Store) files(provider, user string) (all []string, err error) {
	var latest time.Time
	for _, end := range []string{plainEnd, sealedEnd} {
		path := filepath.Join(s.dir, fileName(provider, user)+end)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case info.ModTime().After(latest):
			all, latest = slices.Insert(all, 0, path), info.ModTime()
		default:
			all = append(all, path)
		}
	}
	return all, nil
}

// Load reads a login.
func (s *Store) Load(provider, user string) (Record, error) {
	path, err := s.Find(provider, user)
	if err != nil {
		return Record{}, err
	}
	return s.read(path)
}

// Keep stores a new login instead of one that may be there.
func (s *Store) Keep(ctx context.Context, r Record) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return s.locked(ctx, r.Provider, r.User, func() error {
		old, err := s.files(r.Provider, r.User)
		if err != nil {
			return err
		}
		path, err := s.write(r, s.key != nil)
		if err = errors.Join(err, s.dropDrafts(r.Provider, r.User)); err != nil {
			return err
		}
		return s.remove(slices.DeleteFunc(old, func(o string) bool { return o == path })) // what was of the other kind
	})
}

// Change lets change alter a login while no other process can. What it alters is on disk when Change returns, encrypted if it
// was before: with a key at hand, too, a plain login stays one for the runs that have none.
func (s *Store) Change(ctx context.Context, provider, user string, change func(*Record) (changed bool, err error)) error {
	if _, err := s.Find(provider, user); err != nil {
		return err
	}
	return s.locked(ctx, provider, user, func() error {
		path, err := s.Find(provider, user)
		if err != nil {
			return err
		}
		r, err := s.read(path)
		if err != nil {
			return err
		}
		changed, err := change(&r)
		if err != nil || !changed {
			return err
		}
		_, err = s.write(r, strings.HasSuffix(path, sealedEnd))
		return err
	})
}

// Forget removes a login.
func (s *Store) Forget(ctx context.Context, provider, user string) error {
	if _, err := s.Find(provider, user); err != nil {
		return err
	}
	return s.locked(ctx, provider, user, func() error {
		all, err := s.files(provider, user)
		if err == nil && len(all) == 0 {
			err = ErrNotKept
		}
		if err != nil {
			return err
		}
		return errors.Join(s.remove(all), s.dropDrafts(provider, user))
	})
}

func (s *Store) remove(files []string) (err error) {
	if len(files) == 0 {
		return nil
	}
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return errors.Join(err, syncDir(s.dir))
}

// dropDrafts removes what kills left of a login: it holds tokens, too.
func (s *Store) dropDrafts(provider, user string) (err error) {
	for _, end := range []string{plainEnd, sealedEnd} {
		if e := os.Remove(filepath.Join(s.dir, fileName(provider, user)+end+draftEnd)); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// locked runs do while no other process changes the login. The lock's file stays: removing it would let two in.
func (s *Store) locked(ctx context.Context, provider, user string, do func() error) error {
	lock := flock.New(filepath.Join(s.dir, fileName(provider, user)+".lock"), flock.SetPermissions(0o600))
	if ok, err := lock.TryLockContext(ctx, lockRetry); err != nil || !ok {
		return fmt.Errorf("lock of the login of %s: %w", user, err)
	}
	return errors.Join(do(), lock.Unlock())
}

func (s *Store) read(path string) (Record, error) {
	b, err := readFile(path)
	if err != nil {
		return Record{}, err
	}
	wrap := func(err error) error { return &os.PathError{Op: "read", Path: path, Err: err} }
	if strings.HasSuffix(path, sealedEnd) {
		if s.key == nil {
			return Record{}, wrap(ErrKeyNeeded)
		}
		if b, err = s.key.unseal(b); err != nil {
			return Record{}, wrap(err)
		}
	}
	r, err := readRecord(b)
	if err != nil {
		return Record{}, wrap(err)
	}
	return r, nil
}

// write replaces the file in one step: after a power cut there is the old login or the new one, whole.
func (s *Store) write(r Record, sealed bool) (path string, err error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(s.dir, fileName(r.Provider, r.User)+plainEnd)
	if sealed {
		path = strings.TrimSuffix(path, plainEnd) + sealedEnd
		if b, err = s.key.seal(b); err != nil {
			return "", err
		}
	}
	f, err := os.OpenFile(path+draftEnd, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // the lock is held
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return path, syncDir(s.dir)
}
