package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFileAndFolderAreOursAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	old := syscall.Umask(0)
	f := openTest(t, dir)
	syscall.Umask(old)
	testPair(t, f, "INBOX")
	for path, want := range map[string]fs.FileMode{
		dir: 0o700, f.Path(): 0o600, f.Path() + "-wal": 0o600, f.Path() + "-shm": 0o600, f.Path() + lockSuffix: 0o600,
	} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: mode %o, want %o", path, got, want)
		}
	}
}

func TestSecondOpenIsBusy(t *testing.T) {
	dir := t.TempDir()
	f := openTest(t, dir)
	for _, readOnly := range []bool{false, true} {
		o := testOptions(dir)
		o.ReadOnly = readOnly
		g, err := Open(context.Background(), o)
		var busy *BusyError
		if !errors.As(err, &busy) {
			t.Fatalf("read-only %v: %v, %v", readOnly, g, err)
		}
		if busy.PID != os.Getpid() || busy.Since.IsZero() || busy.Path != f.Path() || busy.Hint() == "" {
			t.Errorf("%+v", busy)
		}
	}
	must(t, f.Close())
	if h := readHolder(f.Path()); h != (Holder{}) {
		t.Errorf("a holder after Close: %+v", h)
	}
	openTest(t, dir)
	o := testOptions(dir)
	o.Account = "somebody else"
	g, err := Open(context.Background(), o)
	must(t, err)
	must(t, g.Close())
	must(t, mustClose(t, dir))
}

// mustClose opens nothing: it checks that List finds both accounts' files and nothing else.
func mustClose(t *testing.T, dir string) error {
	t.Helper()
	paths, err := List(dir)
	if len(paths) != 2 {
		t.Errorf("List gives %q", paths)
	}
	return err
}

// soundFile gives the bytes of a closed state file with some rows.
func soundFile(t *testing.T) []byte {
	t.Helper()
	f := openTest(t, t.TempDir())
	must(t, f.PutRows(context.Background(), testPair(t, f, "INBOX"), testRows(1, 2000)))
	must(t, f.Close())
	b, err := os.ReadFile(f.Path())
	must(t, err)
	return b
}

func TestDamageIsTold(t *testing.T) {
	sound := soundFile(t)
	random := make([]byte, len(sound))
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(random)
	holed := bytes.Clone(sound)
	copy(holed[4096*5:4096*9], random)
	stranger := filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", stranger)
	must(t, err)
	_, err = db.Exec(`CREATE TABLE t (a); PRAGMA user_version = 1`)
	must(t, err)
	must(t, db.Close())
	strange, err := os.ReadFile(stranger)
	must(t, err)

	for name, content := range map[string][]byte{
		"empty":            {},
		"one byte":         {'S'},
		"random":           random,
		"text":             []byte(strings.Repeat("not a database\n", 1000)),
		"half":             sound[:len(sound)/2],
		"one page":         sound[:4096],
		"odd length":       sound[:len(sound)-100],
		"header only":      sound[:100],
		"pages overlaid":   holed,
		"other program's":  strange,
		"header and chaos": append(bytes.Clone(sound[:100]), random[100:]...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName(testAccount))
			must(t, os.WriteFile(path, content, 0o600))
			for _, readOnly := range []bool{false, true} {
				o := testOptions(dir)
				o.ReadOnly = readOnly
				f, err := Open(context.Background(), o)
				var damaged *DamagedError
				if !errors.As(err, &damaged) {
					t.Fatalf("read-only %v: %v, %v", readOnly, f, err)
				}
				if strings.ContainsAny(err.Error(), "\n\r") || !strings.Contains(err.Error(), path) || !strings.Contains(damaged.Hint(), "no mail is lost") {
					t.Errorf("%q, hint %q", err, damaged.Hint())
				}
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(after, content) {
				t.Error("the damaged file was changed")
			}
			// What the hint says: moved away, a new one is made.
			must(t, os.Rename(path, path+".damaged"))
			f := openTest(t, dir)
			if !f.Fresh() {
				t.Error("not fresh")
			}
		})
	}
}

func TestSymlinkAndFolderAreNoStateFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName(testAccount))
	for name, make := range map[string]func() error{
		"symlink": func() error { return os.Symlink("/etc/passwd", path) },
		"folder":  func() error { return os.Mkdir(path, 0o700) },
		"fifo":    func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		must(t, make())
		_, err := Open(context.Background(), testOptions(dir))
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, os.Remove(path))
	}
}

// A database that was moved away without its log: the log must not leak into the new one.
func TestStaleLogIsNotTakenOver(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	must(t, f.PutRows(ctx, testPair(t, f, "INBOX"), testRows(1, 500)))
	wal, err := os.ReadFile(f.Path() + "-wal")
	must(t, err)
	if len(wal) == 0 {
		t.Fatal("no log to test with")
	}
	must(t, f.Close())
	must(t, os.Remove(f.Path()))
	must(t, os.WriteFile(f.Path()+"-wal", wal, 0o600))
	g := openTest(t, dir)
	pairs, err := g.Pairs(ctx)
	must(t, err)
	if len(pairs) != 0 {
		t.Errorf("the old log's pairs: %+v", pairs)
	}
}

func TestUnusableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below"), filepath.Join(file, "much", "below")} {
		_, err := Open(context.Background(), testOptions(dir))
		var unwritable *UnwritableError
		if !errors.As(err, &unwritable) {
			t.Fatalf("%s: %v", dir, err)
		}
		if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) || unwritable.Hint() == "" {
			t.Errorf("%q", err)
		}
	}
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	nfs := func(string) (string, error) { return "nfs", nil }
	_, err := open(context.Background(), testOptions(dir), schema(), nfs)
	var network *NetworkFSError
	if !errors.As(err, &network) || network.Type != "nfs" || network.Hint() == "" {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder was made")
	}
	o := testOptions(dir)
	o.AllowNetworkFS = true
	f, err := open(context.Background(), o, schema(), nfs)
	must(t, err)
	must(t, f.Close())
}

func TestRenamedFileBelongsToItsAccount(t *testing.T) {
	dir := t.TempDir()
	f := openTest(t, dir)
	must(t, f.Close())
	o := testOptions(dir)
	o.Account = "bob@old.example"
	must(t, os.Rename(f.Path(), filepath.Join(dir, FileName(o.Account))))
	for _, o.ReadOnly = range []bool{false, true} {
		_, err := Open(context.Background(), o)
		var other *OtherAccountError
		if !errors.As(err, &other) || other.Found != testAccount || other.Want != o.Account {
			t.Errorf("%v", err)
		}
	}
}

func TestCancelledOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	if _, err := Open(ctx, testOptions(dir)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	openTest(t, dir) // the lock was given back
}
