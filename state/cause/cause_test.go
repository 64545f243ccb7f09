package cause

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Each error is made by what makes it, not by hand.
func TestOf(t *testing.T) {
	dir := t.TempDir()
	open := func(name, options string) *sql.DB {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, name)+options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	exec := func(db *sql.DB, query string) error { _, err := db.Exec(query); return err }
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("no database, but longer than its header of a hundred bytes, as any text of some length is, this one as well"), 0o600); err != nil {
		t.Fatal(err)
	}
	sound := open("sound", "")
	sound.SetMaxOpenConns(1)
	for _, query := range []string{"CREATE TABLE t(x)", "PRAGMA max_page_count = 2"} {
		if err := exec(sound, query); err != nil {
			t.Fatal(err)
		}
	}
	full := exec(sound, "INSERT INTO t VALUES (zeroblob(100000))")
	if err := exec(sound, "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	busy := exec(open("sound", ""), "INSERT INTO t VALUES (1)")
	if err := exec(sound, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	missing, noFile := os.Open(filepath.Join(dir, "missing"))
	if noFile == nil {
		t.Fatal(missing.Close())
	}
	for name, c := range map[string]struct {
		err  error
		kind Kind
		told string // "": the error itself
	}{
		"text":         {exec(open("text", ""), "CREATE TABLE t(x)"), Damaged, ""},
		"locked":       {busy, Busy, ""},
		"full":         {fmt.Errorf("wrapped: %w", full), Full, ""},
		"read-only":    {exec(open("sound", "?mode=ro"), "INSERT INTO t VALUES (1)"), Unusable, ""},
		"no folder":    {exec(open("nowhere/x", ""), "CREATE TABLE t(x)"), Unusable, ""},
		"mistake":      {exec(open("sound", ""), "NO SQL"), Unknown, ""},
		"disk full":    {&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, Full, ""},
		"over quota":   {syscall.EDQUOT, Full, ""},
		"no such file": {noFile, Unusable, "no such file or directory"},
		"ended":        {context.Canceled, Unknown, ""},
	} {
		kind, told := Of(filepath.Join(dir, "sound"), c.err)
		if want := c.told; kind != c.kind || want == "" && !errors.Is(told, c.err) || want != "" && told.Error() != want {
			t.Errorf("%s: %d %v, want %d; of %v", name, kind, told, c.kind, c.err)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"/päth with blank": "/päth with blank", "a\x1b[2Jb": `"a\x1b[2Jb"`, "ü\u202e": `"\u00fc\u202e"`, "\xff": `"\xff"`, "a\tb\n\nc": "a b c",
	} {
		if got := OneLine(errors.New(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := Printable("a\nb"); got != `"a\nb"` {
		t.Error(got)
	}
	if got := OneLine(nil); got != "unknown" {
		t.Error(got)
	}
}
