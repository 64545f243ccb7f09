package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOpenMakesAPrivateFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "with ? # % and blank")
	f := openTest(t, dir)
	for path, want := range map[string]os.FileMode{f.Path(): 0o600, dir: 0o700 | os.ModeDir} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s: %v, want %v", path, info.Mode(), want)
		}
	}
	must(t, f.Close())
	must(t, os.Chmod(f.Path(), 0o644))
	g := openTest(t, dir)
	if info, err := os.Stat(g.Path()); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if string(g.key) != string(f.key) || len(g.key) != keySize {
		t.Error("the key changed")
	}
}

// Many open a folder at the same time in which there is nothing yet: all get the same file. Who reads while another
// makes it sees it half made, which is no damage; rare, hence the rounds.
func TestOpenTogether(t *testing.T) {
	ctx := context.Background()
	const rounds, calls = 25, 8
	for range rounds {
		dir := t.TempDir()
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				f, err := Open(ctx, dir)
				if err == nil {
					err = errors.Join(f.Failed(ctx, login(fmt.Sprint("s", i), "u", "x"), noon(), ""), f.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f := openTest(t, dir)
		for i := range calls {
			if blocked(t, f, login(fmt.Sprint("s", i), "u", "x"), noon()) == nil {
				t.Errorf("call %d is not there, or had another key", i)
			}
		}
	}
}

// Two processes and this one write at the same time; nothing is lost.
func TestProcessesTogether(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	one, lineOne := child(t, "fail", "one", dir)
	two, lineTwo := child(t, "fail", "two", dir)
	f := openTest(t, dir)
	for i := range childFailures {
		must(t, f.Failed(ctx, login("busy", fmt.Sprint("here", i), "x"), noon(), ""))
	}
	for _, line := range []string{lineOne(), lineTwo()} {
		if line != "done" {
			t.Error(line)
		}
	}
	must(t, one.Wait())
	must(t, two.Wait())
	if b := blocked(t, f, login("busy", "new", "x"), noon()); b == nil || b.Failures != 3*childFailures {
		t.Errorf("%+v", b)
	}
}

func TestKilledAnywhere(t *testing.T) {
	for i := range 6 {
		dir := t.TempDir()
		cmd, line := child(t, "busy", "it", dir)
		if l := line(); l != "ready" {
			t.Fatal(l)
		}
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		must(t, cmd.Process.Kill())
		if cmd.Wait() == nil {
			t.Error("the child ended by itself")
		}
		f := openTest(t, dir) // checks it
		if b := blocked(t, f, login("s3", "3", "x"), noon()); b == nil || b.Failures < 1 {
			t.Errorf("%+v", b)
		}
		must(t, f.Failed(context.Background(), login("s9", "3", "x"), noon(), ""))
	}
}

func TestDamage(t *testing.T) {
	ctx := context.Background()
	change := func(query string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := openDB(path)
			must(t, err)
			_, err = db.Exec(query)
			must(t, errors.Join(err, db.Close()))
		}
	}
	for name, spoil := range map[string]func(*testing.T, string){
		"text": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 500)), 0o600))
		},
		"cut":         func(t *testing.T, path string) { must(t, os.Truncate(path, 5000)) },
		"overwritten": overwrite,
		"folder": func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		},
		"foreign":   change(`PRAGMA application_id = 7`),
		"no key":    change(`DELETE FROM meta WHERE key = 'digest_key'`),
		"short key": change(`UPDATE meta SET value = x'00' WHERE key = 'digest_key'`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := openTest(t, dir)
			open3(t, f, "s")
			must(t, f.Close())
			spoil(t, f.Path())
			_, err := Open(ctx, dir)
			var damaged *DamagedError
			if !errors.As(err, &damaged) || damaged.Hint() == "" || !strings.Contains(err.Error(), f.Path()) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v", err)
			}
			must(t, os.RemoveAll(f.Path())) // what the hint says
			if b := blocked(t, openTest(t, dir), login("s", "a", "x"), noon()); b != nil {
				t.Errorf("%v", b)
			}
		})
	}
}

func overwrite(t *testing.T, path string) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	info, err := file.Stat()
	must(t, err)
	for at := int64(4096); at < info.Size(); at += 4096 {
		_, err = file.WriteAt([]byte(strings.Repeat("\xaa", 64)), at)
		must(t, err)
	}
	must(t, file.Close())
}

// An empty file is what a maker leaves that was killed at once.
func TestEmptyFileIsNew(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, FileName), nil, 0o600))
	open3(t, openTest(t, dir), "s")
}

func TestVersions(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	must(t, f.Failed(ctx, login("s", "a", "x"), noon(), ""))
	must(t, f.Close())
	later := append(schema(), []string{`CREATE TABLE pins (host TEXT PRIMARY KEY)`, `INSERT INTO pins VALUES ('s')`})
	broken := append(schema(), []string{`CREATE TABLE pins (host TEXT)`, `INSERT INTO nowhere VALUES (1)`})
	if _, err := open(ctx, dir, broken); err == nil || !strings.Contains(err.Error(), fmt.Sprint("version ", len(later))) {
		t.Errorf("%v", err)
	}
	g, err := open(ctx, dir, later)
	must(t, err)
	if blocked(t, g, login("s", "a", "x"), noon()) == nil {
		t.Error("a failed login was lost on the way")
	}
	must(t, g.Close())
	_, err = Open(ctx, dir)
	var newer *NewerError
	if !errors.As(err, &newer) || newer.Found != len(later) || newer.Known != len(schema()) || newer.Hint() == "" {
		t.Errorf("%v", err)
	}
}

func TestUnwritable(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	var u *UnwritableError
	if _, err := Open(ctx, filepath.Join(file, "sub")); !errors.As(err, &u) || u.Hint() == "" || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("%v", err)
	}
	f := openTest(t, t.TempDir())
	var pages int
	must(t, f.db.QueryRow(`PRAGMA page_count`).Scan(&pages))
	_, err := f.db.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+1))
	must(t, err)
	for i := 0; err == nil && i < 1000; i++ {
		err = f.Failed(ctx, login("s", fmt.Sprint("user", i), "x"), noon(), strings.Repeat("no ", 150))
	}
	if !errors.As(err, &u) || !u.Full || u.Hint() == "" {
		t.Fatalf("%v", err)
	}
	must(t, f.Succeeded(ctx, login("s", "user0", "x"), noon())) // the transaction is over, the file sound
}

// A shell that keeps a lock is waited for, and then told as such; a context that ends is told as the context's.
func TestLockedByAShell(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	_, err := f.db.Exec(`PRAGMA busy_timeout = 50`)
	must(t, err)
	shell := openTest(t, dir)
	conn, err := shell.db.Conn(ctx)
	must(t, err)
	exec := func(query string) {
		t.Helper()
		_, err := conn.ExecContext(ctx, query)
		must(t, err)
	}
	alice := login("s", "a", "x")
	var busy *BusyError
	exec(`BEGIN EXCLUSIVE`)
	if err := f.Failed(ctx, alice, noon(), ""); !errors.As(err, &busy) || busy.Hint() == "" {
		t.Errorf("%v", err)
	}
	exec(`ROLLBACK`)
	exec(`BEGIN`) // a reader: the commit finds it, and the transaction has to be undone
	var n int
	must(t, conn.QueryRowContext(ctx, `SELECT count(*) FROM logins`).Scan(&n))
	if err := f.Failed(ctx, alice, noon(), ""); !errors.As(err, &busy) {
		t.Errorf("%v", err)
	}
	exec(`ROLLBACK`)
	must(t, conn.Close())
	must(t, f.Failed(ctx, alice, noon(), ""))
	if b := blocked(t, f, alice, noon()); b == nil || b.Failures != 1 {
		t.Errorf("%+v", b)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range []error{f.MayTry(ended, alice, noon()), f.Failed(ended, alice, noon(), ""), f.Succeeded(ended, alice, noon()), f.Forget(ended, "s", "")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	if b := blocked(t, f, alice, noon()); b == nil || b.Failures != 1 {
		t.Errorf("%+v", b)
	}
}

// docs/state.md names every table and column.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/state.md")
	must(t, err)
	f := openTest(t, t.TempDir())
	rows, err := f.db.Query(`SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'`)
	must(t, err)
	columns := 0
	for rows.Next() {
		var table, column string
		must(t, rows.Scan(&table, &column))
		columns++
		_, section, ok := strings.Cut(string(text), "### fleet.db, "+table+":")
		section, _, _ = strings.Cut(section, "\n###")
		if table != "meta" && (!ok || !strings.Contains(section, "`"+column+"`")) {
			t.Errorf("%s.%s is not documented", table, column)
		}
	}
	must(t, rows.Err())
	if columns < 15 {
		t.Errorf("%d columns", columns)
	}
}

// The view is for admins with sqlite3.
func TestView(t *testing.T) {
	f := openTest(t, t.TempDir())
	must(t, f.Failed(context.Background(), login("s", "a", "x"), noon(), "no"))
	var got string
	must(t, f.db.QueryRow(`SELECT server || ' ' || user || ' ' || failures || ' ' || since || ' ' || last || ' ' || text FROM failed`).Scan(&got))
	if got != "s a 1 2026-03-04 12:00:00 2026-03-04 12:00:00 no" {
		t.Errorf("%q", got)
	}
	if err := f.db.QueryRow(`SELECT 1 FROM failed WHERE failures > 1`).Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("%v", err)
	}
}
