package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// later is a schema of the future: one step that rewrites rows and one that adds a table.
func later() []step {
	return append(schema(),
		step{`ALTER TABLE pairs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'`, `UPDATE pairs SET note = 'from ' || source`},
		step{`CREATE TABLE pins (host TEXT PRIMARY KEY)`})
}

// current is the version that this program writes; later() is two ahead of it.
func current() int { return len(schema()) }

func local(string) (string, error) { return "", nil }

func TestOlderFileIsBroughtUpToDate(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	must(t, f.PutRows(ctx, pair, testRows(1, 300)))
	must(t, f.Close())
	before, err := os.ReadFile(f.Path())
	must(t, err)

	// Who only reads cannot do it.
	_, err = open(ctx, readOnlyOptions(dir), later(), local)
	var older *OlderError
	if !errors.As(err, &older) || older.Found != current() || older.Known != current()+2 || older.Hint() == "" {
		t.Errorf("%v", err)
	}
	// A step that fails undoes itself whole; the steps before it stay.
	broken := append(later()[:current()+1], step{`CREATE TABLE pins (host TEXT)`, `INSERT INTO nowhere VALUES (1)`})
	if _, err = open(ctx, testOptions(dir), broken, local); err == nil || !strings.Contains(err.Error(), fmt.Sprint("version ", current()+2)) {
		t.Errorf("%v", err)
	}
	f, err = open(ctx, testOptions(dir), later(), local)
	must(t, err)
	var note, version string
	var pins int
	must(t, f.reader.QueryRow(`SELECT note, (SELECT value FROM meta WHERE key = 'schema_version'), (SELECT count(*) FROM pins) FROM pairs`).Scan(&note, &version, &pins))
	if note != "from INBOX" || version != fmt.Sprint(current()+2) {
		t.Errorf("%q, version %q", note, version)
	}
	checkRows(t, f, pair, 300)
	must(t, f.Close())

	// And now it is newer than this program.
	after, err := os.ReadFile(f.Path())
	must(t, err)
	if bytes.Equal(before, after) {
		t.Error("nothing was changed")
	}
	for _, o := range []Options{testOptions(dir), readOnlyOptions(dir)} {
		_, err := Open(ctx, o)
		var newer *NewerError
		if !errors.As(err, &newer) || newer.Found != current()+2 || newer.Known != current() || newer.Hint() == "" {
			t.Errorf("%v", err)
		}
	}
	var newer *NewerError
	if _, err := Inspect(ctx, f.Path()); !errors.As(err, &newer) {
		t.Errorf("%v", err)
	}
	if untouched, err := os.ReadFile(f.Path()); err != nil || !bytes.Equal(untouched, after) {
		t.Errorf("the newer file was changed, %v", err)
	}
}

// A file of version 1, with a pass killed in it, works on as one of today.
func TestFirstVersionIsBroughtUpToDate(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f, err := open(ctx, testOptions(dir), schema()[:1], local)
	must(t, err)
	const pair = int64(1)
	must(t, f.write(ctx, "store folder pair", func(t *tx) error { // as the program of that version did
		_, err := t.insert(`INSERT INTO pairs (source, target, source_name, target_name, source_mailboxid, target_mailboxid, source_uidnext)
			VALUES ('INBOX', 'INBOX', 'INBOX', 'INBOX', '', '', 31)`)
		return err
	}))
	must(t, f.PutRows(ctx, pair, testRows(1, 20)))
	w := Window{Pair: pair, Rows: maybe(testRows(21, 30))}
	must(t, f.write(ctx, "store intent", func(t *tx) (err error) {
		w.ID, err = t.insert(`INSERT INTO windows (pair, pass, uidvalidity, floor, state, created, messages, source_uids, packed)
			VALUES (?, 1, 0, 0, 0, 0, ?, ?, ?)`, w.Pair, len(w.Rows), uidRanges(w.Rows), packRows(w.Rows))
		return err
	}))
	must(t, f.Close())
	f = openTest(t, dir)
	must(t, f.SetStatus(ctx, pair, []uint32{7}, Moved))
	must(t, f.Record(ctx, w.ID, testRows(21, 30), true))
	var word string
	must(t, f.reader.QueryRow(`SELECT status FROM messages WHERE source_uid = 7`).Scan(&word))
	checkRows(t, f, pair, 30)
	s, err := Inspect(ctx, f.Path())
	must(t, err)
	pairs, err := f.Pairs(ctx)
	must(t, err)
	if len(pairs) != 1 || pairs[0].ID != pair || pairs[0].SourceMark.UIDNext != 31 {
		t.Errorf("%+v", pairs)
	}
	if word != "moved-on-target" || s.Version != current() || s.Messages.Moved != 1 || s.Messages.Stored != 29 {
		t.Errorf("%q, %+v", word, s.Messages)
	}
}

// docs/state.md names every table and column.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/state.md")
	must(t, err)
	f := openTest(t, t.TempDir())
	columns, err := queryAll(context.Background(), f.reader,
		`SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
		func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) })
	must(t, err)
	if len(columns) < 50 {
		t.Fatalf("%q", columns)
	}
	for _, c := range columns {
		table, column, _ := strings.Cut(c, ".")
		_, section, ok := strings.Cut(string(text), "### "+table+":")
		section, _, _ = strings.Cut(section, "\n###")
		if table == "meta" {
			continue // its keys are documented, not its two columns
		}
		if !ok || !strings.Contains(section, "`"+column+"`") {
			t.Errorf("%s is not documented", c)
		}
	}
}
