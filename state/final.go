package state

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	metaFinal   = "final"   // when the final pass ended, RFC 3339
	metaReverse = "reverse" // a reverse pass has begun, and the ledger does not have all of it yet
)

// ErrReverseOpen: a reverse pass was interrupted, and what it sent to the source may be there without being in the
// ledger. Until another one has settled that, nobody can tell it from new mail of the source.
var ErrReverseOpen = errors.New("a reverse pass was interrupted, and what it sent is not settled")

// Floor is a target folder as it was when the final pass began: what has a UID below UIDNext was there by then.
type Floor struct {
	Folder string // raw name
	Mark
}

// Final tells when the final pass ended; the zero time where there was none.
func (f *File) Final(ctx context.Context) (time.Time, error) {
	at, err := finalTime(ctx, f.reader)
	return at, f.fail("read final pass", err)
}

func finalTime(ctx context.Context, db execer) (time.Time, error) {
	text, err := meta(ctx, db, metaFinal)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, text)
}

// SetFinal notes that the final pass is done. The floors of the first one stay: what came to the target since then
// came to people's new mailbox.
func (f *File) SetFinal(ctx context.Context, at time.Time, floors []Floor) error {
	return f.write(ctx, "store final pass", func(t *tx) error {
		var before int64
		if err := t.queryRow(`SELECT count(*) FROM meta WHERE key = ?`, []any{metaFinal}, &before); err != nil {
			return err
		}
		for _, fl := range floors {
			if before > 0 {
				break
			}
			if _, err := t.exec(`INSERT OR REPLACE INTO floors (folder, uidvalidity, uidnext, messages) VALUES (?, ?, ?, ?)`,
				fl.Folder, fl.UIDValidity, fl.UIDNext, fl.Messages); err != nil {
				return err
			}
		}
		return t.putMeta(metaFinal, at.UTC().Format(time.RFC3339))
	})
}

func (t *tx) putMeta(key, value string) error {
	_, err := t.exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// Floors gives the target folders as they were when the final pass began, by raw name.
func (f *File) Floors(ctx context.Context) (map[string]Mark, error) {
	list, err := queryAll(ctx, f.reader, `SELECT folder, uidvalidity, uidnext, messages FROM floors`,
		func(rows *sql.Rows) (fl Floor, err error) {
			return fl, rows.Scan(&fl.Folder, &fl.UIDValidity, &fl.UIDNext, &fl.Messages)
		})
	out := make(map[string]Mark, len(list))
	for _, fl := range list {
		out[fl.Folder] = fl.Mark
	}
	return out, f.fail("read floors", err)
}

// Reopen takes SetFinal back, and forgets how a reverse pass sees the account; what it carried stays in the ledger.
// ErrReverseOpen where one was interrupted, or where nobody has looked a last time for what a dead connection of it
// stored late: with what it knows of that, the ledger would lose what tells it from new mail of the source.
func (f *File) Reopen(ctx context.Context) error {
	watched, err := f.TakeReversed(ctx)
	if err != nil {
		return err
	}
	if watched {
		return ErrReverseOpen
	}
	return f.write(ctx, "reopen", func(t *tx) error {
		for _, table := range []string{"ledger", "windows", "exceptions", "unkept"} {
			if _, err := t.exec(`DELETE FROM ` + table + ` WHERE pair IN (SELECT id FROM pairs WHERE reverse = 1)`); err != nil {
				return err
			}
		}
		for _, query := range []string{`DELETE FROM pairs WHERE reverse = 1`, `DELETE FROM floors`,
			`DELETE FROM meta WHERE key IN ('` + metaFinal + `', '` + metaReverse + `')`} {
			if _, err := t.exec(query); err != nil {
				return err
			}
		}
		return nil
	})
}
