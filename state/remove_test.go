package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestRemove(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	o := testOptions(dir)
	o.Source, o.Target = "a@h:993", "b@i:993"
	f, err := Open(ctx, o)
	must(t, err)
	must(t, f.Close())
	file := FileName(o.Account)
	for _, name := range []string{file + "-wal", file + ".new", file + ".new-journal", file + ".bak", file + ".db", "other.db"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	must(t, os.Remove(filepath.Join(dir, file+"-wal"))) // it would be read with the file
	r, err := Remove(ctx, dir, o.Account)
	must(t, err)
	if r.Source != o.Source || r.Target != o.Target || len(r.Files) != 4 || r.Bytes == 0 || len(r.Left) != 1 || filepath.Base(r.Left[0]) != file+".bak" {
		t.Errorf("%+v", r)
	}
	if left := names(t, dir); !slices.Equal(left, []string{file + ".bak", file + ".db", "other.db"}) {
		t.Errorf("left: %v", left)
	}
	if _, err := Remove(ctx, dir, o.Account); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := Remove(ctx, filepath.Join(dir, "nowhere"), o.Account); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestRemoveRefusesAndForgives(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	var busy *BusyError
	if _, err := Remove(ctx, dir, testAccount); !errors.As(err, &busy) {
		t.Errorf("at work: %v", err)
	}
	must(t, f.Close())
	must(t, os.Rename(f.Path(), filepath.Join(dir, FileName("renamed"))))
	var other *OtherAccountError
	if _, err := Remove(ctx, dir, "renamed"); !errors.As(err, &other) {
		t.Errorf("another's: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, FileName("broken")), []byte("no database"), 0o600))
	if r, err := Remove(ctx, dir, "broken"); err != nil || len(r.Files) != 1 || r.Source != "" {
		t.Errorf("damaged: %+v, %v", r, err)
	}
}

// Whoever waits for a lock file that is removed gets the lock of the new one, and nobody else has it.
func TestLockSurvivesRemoval(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, "a.db")
	held, err := takeLock(ctx, path)
	must(t, err)
	must(t, writeHolder(held.path, "")) // a holder without a name is waited for
	var mu sync.Mutex
	holders := 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			l, err := takeLock(ctx, path)
			for busy := (*BusyError)(nil); errors.As(err, &busy); { // the holder had left its name for a moment
				l, err = takeLock(ctx, path)
			}
			if err != nil {
				t.Error(err)
				return
			}
			must(t, writeHolder(l.path, ""))
			mu.Lock()
			if holders++; holders > 1 {
				t.Error("two have the lock")
			}
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
			mu.Lock()
			holders--
			mu.Unlock()
			must(t, os.Remove(l.path)) // as Remove does, while it has the lock
			must(t, l.flock.Close())
		})
	}
	time.Sleep(50 * time.Millisecond)
	must(t, os.Remove(held.path))
	must(t, held.flock.Close())
	wg.Wait()
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAccountNames(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	for _, id := range []string{"alice", "Älice", "bob"} {
		f, err := Open(ctx, Options{Dir: dir, Account: id, Source: "s", Target: "t"})
		must(t, err)
		must(t, f.Close())
	}
	must(t, os.WriteFile(filepath.Join(dir, "a~broken.db"), []byte("x"), 0o600))
	for _, c := range []struct {
		prefix string
		limit  int
		want   []string
	}{{"", 9, []string{"Älice", "alice", "bob"}}, {"al", 9, []string{"alice"}}, {"", 1, []string{"Älice"}}, {"x", 9, nil}} {
		got, err := AccountNames(ctx, dir, c.prefix, c.limit)
		must(t, err)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.prefix, got, c.want)
		}
	}
}

// The endpoints of a file that was used are shown before anything is changed; an empty one gives them away.
func TestKnownEndpoints(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	o := testOptions(dir)
	o.Source, o.Target = "a@h:1", "b@i:2"
	var asked []string
	o.Known = func(source, target string) error {
		asked = append(asked, source+" "+target)
		return &BusyError{Path: "said no"}
	}
	f, err := Open(ctx, o)
	must(t, err)
	testPair(t, f, "INBOX")
	must(t, f.Close())
	if len(asked) > 0 {
		t.Errorf("asked about an empty file: %q", asked)
	}
	o.Source = "other@h:1"
	for _, o.ReadOnly = range []bool{false, true} {
		var no *BusyError
		if _, err := Open(ctx, o); !errors.As(err, &no) || no.Path != "said no" {
			t.Errorf("read only %v: %v", o.ReadOnly, err)
		}
	}
	if !slices.Equal(asked, []string{"a@h:1 b@i:2", "a@h:1 b@i:2"}) {
		t.Errorf("asked %q", asked)
	}
	o.Known, o.Source, o.Target, o.ReadOnly = nil, "", "", false
	f, err = Open(ctx, o)
	must(t, err)
	must(t, f.Close())
	if s, err := Inspect(ctx, f.Path()); err != nil || s.Source != "a@h:1" || s.Target != "b@i:2" {
		t.Errorf("%+v, %v", s, err)
	}
}
