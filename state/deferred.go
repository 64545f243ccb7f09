package state

import (
	"context"
	"database/sql"
)

// Statements name the status Deferred as 5: only so can SQLite take the index ledger_deferred, without which each
// pass would read the whole ledger for them.

const selectDeferred = rowColumns + `FROM ledger l INDEXED BY ledger_deferred JOIN flagsets f ON f.id = l.flags
	WHERE l.pair = ? AND l.status = 5 AND l.source_uid >= ? ORDER BY l.source_uid LIMIT ?`

// DeferredRows is Rows for those that a filter left out. It costs what there is of them.
func (f *File) DeferredRows(ctx context.Context, pair int64, fn func(Row) error) error {
	return f.stream(ctx, 0, fn, selectDeferred, pair)
}

// CountDeferred counts them by folder pair; pairs without any are absent.
func (f *File) CountDeferred(ctx context.Context) (map[int64]int64, error) {
	type counted struct{ pair, count int64 }
	counts, err := queryAll(ctx, f.reader, `SELECT pair, count(*) FROM ledger WHERE status = 5 GROUP BY pair`,
		func(rows *sql.Rows) (c counted, err error) { return c, rows.Scan(&c.pair, &c.count) })
	out := make(map[int64]int64, len(counts))
	for _, c := range counts {
		out[c.pair] = c.count
	}
	return out, f.fail("count deferred messages", err)
}

// ForgetDeferred drops all deferred rows of a pair and takes the source's mark back below them, in one
// transaction: should the folder turn up again, they are new to it.
func (f *File) ForgetDeferred(ctx context.Context, pair int64) error {
	return f.write(ctx, "forget deferred messages", func(t *tx) error {
		if _, err := t.exec(`UPDATE pairs SET source_uidnext = min(source_uidnext,
			coalesce((SELECT min(source_uid) FROM ledger WHERE pair = ?1 AND status = 5), source_uidnext)) WHERE id = ?1`, pair); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM ledger WHERE pair = ? AND status = 5`, pair)
		return err
	})
}
