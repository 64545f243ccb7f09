package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
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
	if !errors.As(err, &older) || older.Found != 1 || older.Known != 3 || older.Hint() == "" {
		t.Errorf("%v", err)
	}
	// A step that fails undoes itself whole; the steps before it stay.
	broken := append(later()[:2], step{`CREATE TABLE pins (host TEXT)`, `INSERT INTO nowhere VALUES (1)`})
	if _, err = open(ctx, testOptions(dir), broken, local); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("%v", err)
	}
	f, err = open(ctx, testOptions(dir), later(), local)
	must(t, err)
	var note, version string
	var pins int
	must(t, f.reader.QueryRow(`SELECT note, (SELECT value FROM meta WHERE key = 'schema_version'), (SELECT count(*) FROM pins) FROM pairs`).Scan(&note, &version, &pins))
	if note != "from INBOX" || version != "3" {
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
		if !errors.As(err, &newer) || newer.Found != 3 || newer.Known != 1 || newer.Hint() == "" {
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
