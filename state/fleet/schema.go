package fleet

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// applicationID is "MMfl": what PRAGMA application_id says of the file.
const applicationID = 0x4D4D666C

// keySize is that of the digest key, in bytes.
const keySize = 32

// schema gives the steps from an empty file on: schema()[0] makes version 1. A step that was released is never
// edited, a change is a new one. docs/state.md documents every column.
func schema() [][]string {
	return [][]string{{
		`CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE logins (
			server TEXT NOT NULL, user TEXT NOT NULL, digest BLOB NOT NULL, failures INTEGER NOT NULL,
			first INTEGER NOT NULL, last INTEGER NOT NULL, in_row INTEGER NOT NULL, text TEXT NOT NULL,
			PRIMARY KEY (server, user)) WITHOUT ROWID`,
		`CREATE TABLE servers (
			server TEXT PRIMARY KEY, level INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
			probe INTEGER NOT NULL) WITHOUT ROWID`,
		// For people with sqlite3; the program does not read it.
		`CREATE VIEW failed AS SELECT server, user, failures, datetime(first / 1000, 'unixepoch') AS since,
			datetime(last / 1000, 'unixepoch') AS last, text FROM logins ORDER BY server, user`,
	}, {
		`CREATE TABLE outcomes (
			account TEXT PRIMARY KEY, word TEXT NOT NULL, code INTEGER NOT NULL, text TEXT NOT NULL, since INTEGER NOT NULL,
			last INTEGER NOT NULL, good INTEGER NOT NULL, told INTEGER NOT NULL, final INTEGER NOT NULL,
			exceptions INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE limits (server TEXT PRIMARY KEY, connections INTEGER NOT NULL, learned INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE volumes (account TEXT PRIMARY KEY, day TEXT NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID`,
	}, {
		`ALTER TABLE servers ADD COLUMN shut INTEGER NOT NULL DEFAULT 0`,
	}, trustedSchema(), ttlSchema(), cutoverTables(), noteIndexes()}
}

// execer is what a *sql.DB and a *sql.Conn have in common here.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

var (
	errForeign = errors.New("it is no fleet file of mailmove")
	errUnsound = errors.New("the integrity check failed")
	errKey     = errors.New("its digest key cannot be read")
)

// version gives the schema version, 0 for a file without anything in it: new, or its maker was killed. It reads in
// three steps, so it is only right inside a transaction; but a version that is ours is never wrong.
func version(ctx context.Context, db execer) (int, error) {
	var app, v, things int
	for _, read := range []struct {
		query string
		dest  *int
	}{{`PRAGMA application_id`, &app}, {`PRAGMA user_version`, &v}, {`SELECT count(*) FROM sqlite_schema`, &things}} {
		if err := db.QueryRowContext(ctx, read.query).Scan(read.dest); err != nil {
			return 0, err
		}
	}
	switch {
	case app == 0 && v == 0 && things == 0:
		return 0, nil
	case app != applicationID || v < 1:
		return 0, errForeign
	}
	return v, nil
}

// bringUpToDate makes or migrates the tables. Another process may be doing the same: who comes second finds it
// done, and whatever is not as it should be is only judged while nobody writes.
func (f *Fleet) bringUpToDate(ctx context.Context, steps [][]string) error {
	if v, err := version(ctx, f.db); err == nil && v == len(steps) {
		return nil
	}
	return f.update(ctx, func(c *sql.Conn) error {
		v, err := version(ctx, c)
		if err != nil {
			return err
		}
		if v > len(steps) {
			return &NewerError{Path: f.path, Found: v, Known: len(steps)}
		}
		if v == len(steps) {
			return nil
		}
		for i := v; i < len(steps); i++ {
			for _, query := range steps[i] {
				if _, err := c.ExecContext(ctx, query); err != nil {
					return fmt.Errorf("bring to version %d: %w", i+1, err)
				}
			}
		}
		if v == 0 {
			if err := stamp(ctx, c); err != nil {
				return err
			}
		}
		_, err = c.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, len(steps)))
		return err
	})
}

// stamp makes a file with tables ours: its number, its birthday and its key.
func stamp(ctx context.Context, c execer) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
		return err
	}
	_, err := c.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('digest_key', ?), ('created', ?)`,
		key, time.Now().UTC().Format(time.RFC3339))
	return err
}

// check reads the whole file for damage, and the key.
func (f *Fleet) check(ctx context.Context) error {
	var text string
	if err := f.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&text); err != nil {
		return err
	}
	if text != "ok" {
		return fmt.Errorf("%w: %s", errUnsound, text)
	}
	err := f.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'digest_key'`).Scan(&f.key)
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(f.key) != keySize {
		return errKey
	}
	return err
}
