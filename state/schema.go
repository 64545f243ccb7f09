package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// applicationID is "MMst": what PRAGMA application_id says of our files, so that another program's database is
// not taken for one of ours.
const applicationID = 0x4D4D7374

// step brings a file from one schema version to the next.
type step []string

// schema gives the steps from an empty file on: schema()[0] makes version 1. A step that was released is never
// edited, a change is a new one. docs/state.md documents every column.
func schema() []step {
	return []step{{
		`CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,

		`CREATE TABLE pairs (
			id INTEGER PRIMARY KEY,
			source TEXT NOT NULL UNIQUE, target TEXT NOT NULL,
			source_name TEXT NOT NULL, target_name TEXT NOT NULL,
			source_mailboxid TEXT NOT NULL, target_mailboxid TEXT NOT NULL,
			source_uidvalidity INTEGER NOT NULL DEFAULT 0, source_uidnext INTEGER NOT NULL DEFAULT 0,
			source_messages INTEGER NOT NULL DEFAULT 0, source_highestmodseq INTEGER NOT NULL DEFAULT 0,
			target_uidvalidity INTEGER NOT NULL DEFAULT 0, target_uidnext INTEGER NOT NULL DEFAULT 0,
			target_messages INTEGER NOT NULL DEFAULT 0, target_highestmodseq INTEGER NOT NULL DEFAULT 0)`,

		`CREATE TABLE flagsets (id INTEGER PRIMARY KEY, flags TEXT NOT NULL UNIQUE)`,
		`INSERT INTO flagsets (id, flags) VALUES (0, '')`,

		`CREATE TABLE ledger (
			pair INTEGER NOT NULL, source_uid INTEGER NOT NULL, target_uid INTEGER NOT NULL,
			fingerprint BLOB NOT NULL, digest BLOB, size INTEGER NOT NULL, date INTEGER NOT NULL,
			flags INTEGER NOT NULL, status INTEGER NOT NULL, window INTEGER,
			PRIMARY KEY (pair, source_uid)) WITHOUT ROWID`,
		`CREATE INDEX ledger_target ON ledger (pair, target_uid) WHERE target_uid > 0`,

		`CREATE TABLE windows (
			id INTEGER PRIMARY KEY AUTOINCREMENT, pair INTEGER NOT NULL, pass INTEGER NOT NULL,
			uidvalidity INTEGER NOT NULL, floor INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL,
			messages INTEGER NOT NULL, source_uids TEXT NOT NULL, packed BLOB NOT NULL)`,

		`CREATE TABLE exceptions (
			id INTEGER PRIMARY KEY, pair INTEGER NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL,
			reason TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL,
			message_id TEXT NOT NULL, subject TEXT NOT NULL, date TEXT NOT NULL,
			first_pass INTEGER NOT NULL, last_pass INTEGER NOT NULL, accepted INTEGER NOT NULL)`,
		`CREATE INDEX exceptions_uid ON exceptions (pair, uid)`,

		`CREATE TABLE passes (
			id INTEGER PRIMARY KEY AUTOINCREMENT, started INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
			result TEXT NOT NULL, error TEXT NOT NULL DEFAULT '',
			folders INTEGER NOT NULL DEFAULT 0, source_messages INTEGER NOT NULL DEFAULT 0,
			copied INTEGER NOT NULL DEFAULT 0, copied_bytes INTEGER NOT NULL DEFAULT 0,
			matched INTEGER NOT NULL DEFAULT 0, flags INTEGER NOT NULL DEFAULT 0,
			recovered INTEGER NOT NULL DEFAULT 0, doubles INTEGER NOT NULL DEFAULT 0,
			exceptions INTEGER NOT NULL DEFAULT 0, new_exceptions INTEGER NOT NULL DEFAULT 0)`,

		// The views are for people with sqlite3; the program does not read them.
		`CREATE VIEW messages AS SELECT p.source_name AS folder, l.source_uid, l.target_uid,
			CASE l.status WHEN 0 THEN 'stored' WHEN 1 THEN 'gone-on-target' WHEN 2 THEN 'refused' WHEN 3 THEN 'gone-on-source'
				ELSE l.status END AS status,
			l.size, CASE l.date WHEN 0 THEN NULL ELSE datetime(l.date, 'unixepoch') END AS date, f.flags,
			lower(hex(l.fingerprint)) AS fingerprint, lower(hex(l.digest)) AS digest
			FROM ledger l LEFT JOIN pairs p ON p.id = l.pair LEFT JOIN flagsets f ON f.id = l.flags`,
		`CREATE VIEW intents AS SELECT w.id, p.source_name AS folder, p.target_name AS target_folder, w.pass,
			CASE w.state WHEN 0 THEN 'open' WHEN 1 THEN 'watched' ELSE w.state END AS state,
			datetime(w.created / 1000, 'unixepoch') AS created, w.uidvalidity, w.floor, w.messages, w.source_uids
			FROM windows w LEFT JOIN pairs p ON p.id = w.pair`,
		`CREATE VIEW history AS SELECT id AS pass, datetime(started / 1000, 'unixepoch') AS started,
			CASE ended WHEN 0 THEN NULL ELSE round((ended - started) / 1000.0, 1) END AS seconds,
			result, error, folders, source_messages, copied, copied_bytes, matched, flags, recovered, doubles,
			exceptions, new_exceptions FROM passes`,
	}, {
		// Status 4. A program that does not know it would send such a message again: hence a version of its own.
		`DROP VIEW messages`,
		`CREATE VIEW messages AS SELECT p.source_name AS folder, l.source_uid, l.target_uid,
			CASE l.status WHEN 0 THEN 'stored' WHEN 1 THEN 'gone-on-target' WHEN 2 THEN 'refused' WHEN 3 THEN 'gone-on-source'
				WHEN 4 THEN 'moved-on-target' ELSE l.status END AS status,
			l.size, CASE l.date WHEN 0 THEN NULL ELSE datetime(l.date, 'unixepoch') END AS date, f.flags,
			lower(hex(l.fingerprint)) AS fingerprint, lower(hex(l.digest)) AS digest
			FROM ledger l LEFT JOIN pairs p ON p.id = l.pair LEFT JOIN flagsets f ON f.id = l.flags`,
	}, {
		// Status 5: a program that does not know it would take what a filter left out for carried.
		`CREATE INDEX ledger_deferred ON ledger (pair, source_uid) WHERE status = 5`,
		`ALTER TABLE passes ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0`,
		`ALTER TABLE exceptions ADD COLUMN flag TEXT NOT NULL DEFAULT ''`,
		`CREATE TABLE unkept (pair INTEGER NOT NULL, flag TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (pair, flag)) WITHOUT ROWID`,
		`DROP VIEW messages`,
		`CREATE VIEW messages AS SELECT p.source_name AS folder, l.source_uid, l.target_uid,
			CASE l.status WHEN 0 THEN 'stored' WHEN 1 THEN 'gone-on-target' WHEN 2 THEN 'refused' WHEN 3 THEN 'gone-on-source'
				WHEN 4 THEN 'moved-on-target' WHEN 5 THEN 'deferred' ELSE l.status END AS status,
			l.size, CASE l.date WHEN 0 THEN NULL ELSE datetime(l.date, 'unixepoch') END AS date, f.flags,
			lower(hex(l.fingerprint)) AS fingerprint, lower(hex(l.digest)) AS digest
			FROM ledger l LEFT JOIN pairs p ON p.id = l.pair LEFT JOIN flagsets f ON f.id = l.flags`,
		`DROP VIEW history`,
		`CREATE VIEW history AS SELECT id AS pass, datetime(started / 1000, 'unixepoch') AS started,
			CASE ended WHEN 0 THEN NULL ELSE round((ended - started) / 1000.0, 1) END AS seconds,
			result, error, folders, source_messages, copied, copied_bytes, matched, flags, recovered, doubles,
			exceptions, new_exceptions, deferred FROM passes`,
	}, finalStep(), deletionsStep()}
}

// execer is what a *sql.Conn and a *sql.DB have in common here.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// errForeign: a database, but not one of ours.
var errForeign = errors.New("it is no mailmove state file")

// version gives the schema version of an open database that carries our application id.
func version(ctx context.Context, db execer) (int, error) {
	var app, v int
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return 0, err
	}
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&v); err != nil {
		return 0, err
	}
	if app != applicationID || v < 1 {
		return 0, errForeign
	}
	return v, nil
}

// migrate brings a file of version from to the newest one, each step in a transaction of its own: dying
// between two leaves a file that the next call continues with.
func migrate(ctx context.Context, db execer, from int, steps []step) error {
	for v := from; v < len(steps); v++ {
		if err := migrateOne(ctx, db, v+1, steps[v]); err != nil {
			return fmt.Errorf("bring to version %d: %w", v+1, err)
		}
	}
	return nil
}

func migrateOne(ctx context.Context, db execer, to int, s step) (err error) {
	if _, err := db.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = db.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		}
	}()
	for _, query := range s {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	// The pragma decides; meta repeats it for people.
	for _, query := range []string{
		`PRAGMA application_id = ` + strconv.Itoa(applicationID),
		`PRAGMA user_version = ` + strconv.Itoa(to),
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	if err := setMeta(ctx, db, "schema_version", strconv.Itoa(to)); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `COMMIT`)
	return err
}

func setMeta(ctx context.Context, db execer, key, value string) error {
	_, err := db.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value`, key, value)
	return err
}

// meta gives a value, "" where there is none.
func meta(ctx context.Context, db execer, key string) (string, error) {
	var value string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return value, err
}
