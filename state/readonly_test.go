package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// listing gives every name in dir with size and time of change.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		all[e.Name()] = info.ModTime().Format(time.RFC3339Nano) + info.Mode().String()
	}
	return all
}

func sameListing(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, v := range after {
		if before[name] != v {
			t.Errorf("%s: %q before, %q now", name, before[name], v)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%v before, %v now", before, after)
	}
}

func readOnlyOptions(dir string) Options {
	o := testOptions(dir)
	o.ReadOnly = true
	return o
}

func TestReadOnlyWithoutAFile(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "none")
	f, err := Open(ctx, readOnlyOptions(dir))
	must(t, err)
	pairs, err := f.Pairs(ctx)
	must(t, err)
	windows, err := f.Windows(ctx)
	must(t, err)
	if !f.Fresh() || len(pairs)+len(windows) > 0 {
		t.Errorf("fresh %v, %v, %v", f.Fresh(), pairs, windows)
	}
	if err := f.PutPair(ctx, &Pair{Source: "a", Target: "a"}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a write: %v", err)
	}
	must(t, f.Close())
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the folder was made")
	}
}

func TestReadOnlyLeavesNoTrace(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	must(t, f.PutRows(ctx, pair, testRows(1, 1200)))
	must(t, f.Close())
	before := listing(t, dir)
	g, err := Open(ctx, readOnlyOptions(dir))
	must(t, err)
	checkRows(t, g, pair, 1200)
	sameListing(t, before, listing(t, dir))
	// Two may look at the same time.
	h, err := Open(ctx, readOnlyOptions(dir))
	must(t, err)
	must(t, h.Close())
	_, err = Inspect(ctx, f.Path())
	must(t, err)
	must(t, g.Close())
	sameListing(t, before, listing(t, dir))
}

// A killed pass leaves its log, with its index or (copied by hand) without.
func TestReadOnlyWithALogLeftBehind(t *testing.T) {
	ctx, live, dir := context.Background(), t.TempDir(), t.TempDir()
	f := openTest(t, live)
	pair := testPair(t, f, "INBOX")
	must(t, f.PutRows(ctx, pair, testRows(1, 1200)))
	path := filepath.Join(dir, filepath.Base(f.Path()))
	for _, suffix := range []string{"", "-wal", "-shm", lockSuffix} {
		b, err := os.ReadFile(f.Path() + suffix)
		must(t, err)
		must(t, os.WriteFile(path+suffix, b, 0o600))
	}
	must(t, f.Close())
	must(t, os.WriteFile(path+lockSuffix, []byte("2147483646 2026-01-02T03:04:05Z\n"), 0o600)) // the dead one's
	before := listing(t, dir)
	g, err := Open(ctx, readOnlyOptions(dir))
	must(t, err)
	checkRows(t, g, pair, 1200)
	must(t, g.Close())
	sameListing(t, before, listing(t, dir))

	must(t, os.Remove(path+"-shm"))
	g, err = Open(ctx, readOnlyOptions(dir))
	must(t, err)
	checkRows(t, g, pair, 1200)
	must(t, g.Close())
	s, err := Inspect(ctx, path)
	must(t, err)
	if s.Messages.Stored != 1200 || s.Running {
		t.Errorf("%+v", s)
	}
	g = openTest(t, dir)
	checkRows(t, g, pair, 1200)
}

func checkRows(t *testing.T, f *File, pair int64, want int64) {
	t.Helper()
	n, err := f.CountRows(context.Background(), pair)
	must(t, err)
	if n != want {
		t.Errorf("%d rows, want %d", n, want)
	}
}
