package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// Holder is who has an account's lock.
type Holder struct {
	PID   int       // 0: not known
	Since time.Time // zero: not known
}

// How long a lock is waited for. A holder that wrote its pid has a pass to run, one that did not only looks: Inspect
// for milliseconds, a dry run for longer.
const (
	lockPatience   = 3 * time.Second
	passPatience   = 50 * time.Millisecond
	lockRetryDelay = 10 * time.Millisecond
)

// lock is the kernel's lock (flock) on a file beside the state file. It ends with the process, however that
// ends. Only Remove takes the lock file away, while it has the lock: who waited for that one finds that it is no longer
// the file of that name, and waits for the new one.
type lock struct {
	flock *flock.Flock
	path  string
	owner bool // its pid is in the file
}

// takeLock takes the lock for writing, or tells who has it.
func takeLock(ctx context.Context, statePath string) (*lock, error) {
	l := &lock{path: statePath + lockSuffix}
	l.flock = flock.New(l.path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if err := try(ctx, statePath, l.current(l.flock.TryLock)); err != nil {
		return nil, err
	}
	l.owner = true
	if err := writeHolder(l.path, fmt.Sprintf("%d %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// takeSharedLock keeps writers away while somebody looks, without creating or writing anything. It is nil where
// there is no lock file: then nobody ever worked here.
func takeSharedLock(ctx context.Context, statePath string) (*lock, error) {
	l := &lock{path: statePath + lockSuffix}
	if _, err := os.Lstat(l.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	l.flock = flock.New(l.path, flock.SetFlag(os.O_RDONLY))
	if err := try(ctx, statePath, l.current(l.flock.TryRLock)); err != nil {
		return nil, err
	}
	return l, nil
}

// current makes a way to take the lock one that gives it back where the file was removed meanwhile.
func (l *lock) current(take func() (bool, error)) func() (bool, error) {
	return func() (bool, error) {
		ok, err := take()
		if !ok || err != nil {
			return ok, err
		}
		have, err := l.flock.Stat()
		if err != nil {
			return false, err
		}
		now, err := os.Stat(l.path)
		if err == nil && os.SameFile(have, now) {
			return true, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, l.flock.Close() // the next try opens the file anew
	}
}

func try(ctx context.Context, statePath string, take func() (bool, error)) error {
	start := time.Now()
	for {
		if ok, err := take(); ok || err != nil {
			return err
		}
		h, waited := readHolder(statePath), time.Since(start)
		if waited > lockPatience || h.PID > 0 && waited > passPatience {
			return &BusyError{Path: statePath, PID: h.PID, Since: h.Since}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRetryDelay):
		}
	}
}

// release also empties the lock file, so that no dead pid is read from it.
func (l *lock) release() error {
	if l.owner {
		if err := writeHolder(l.path, ""); err != nil {
			return errors.Join(err, l.flock.Close())
		}
	}
	return l.flock.Close()
}

// writeHolder goes through its own descriptor: the lock is the open file's, not the content's.
func writeHolder(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// readHolder reads what the holder wrote; zero where that is not (yet) readable, and where the process is gone: it
// was killed, and who has the lock now left no name.
func readHolder(statePath string) Holder {
	file, err := os.Open(statePath + lockSuffix)
	if err != nil {
		return Holder{}
	}
	defer file.Close()
	text := make([]byte, 100)
	n, _ := file.Read(text)
	fields := bytes.Fields(text[:n])
	if len(fields) != 2 {
		return Holder{}
	}
	pid, err := strconv.Atoi(string(fields[0]))
	if err != nil || pid <= 0 || !alive(pid) {
		return Holder{}
	}
	since, err := time.Parse(time.RFC3339, string(fields[1]))
	if err != nil {
		return Holder{PID: pid}
	}
	return Holder{PID: pid, Since: since}
}
