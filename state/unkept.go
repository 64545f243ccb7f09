package state

import (
	"context"
	"database/sql"
)

// UnkeptFlag is a flag of the source that target folders do not keep, with what is carried without it.
type UnkeptFlag struct {
	Flag     string // as it was first seen
	Messages int64  // on the target, and with the flag on the source
	Folders  int64  // in which they are
}

// PutUnkept notes that the target folder of a pair does not keep a flag. Flags are compared without regard to case
// (RFC 9051 section 2.3.2); the first spelling stays.
func (f *File) PutUnkept(ctx context.Context, pair int64, flag string) error {
	return f.write(ctx, "store flag", func(t *tx) error {
		_, err := t.exec(`INSERT OR IGNORE INTO unkept (pair, flag) VALUES (?, ?)`, pair, flag)
		return err
	})
}

// DropUnkept takes PutUnkept back: the target folder keeps the flag now, and its messages have it.
func (f *File) DropUnkept(ctx context.Context, pair int64, flag string) error {
	return f.write(ctx, "drop flag", func(t *tx) error {
		_, err := t.exec(`DELETE FROM unkept WHERE pair = ? AND flag = ?`, pair, flag)
		return err
	})
}

// Unkept gives the flags that target folders do not keep, by pair.
func (f *File) Unkept(ctx context.Context) (map[int64][]string, error) {
	type line struct {
		pair int64
		flag string
	}
	lines, err := queryAll(ctx, f.reader, `SELECT pair, flag FROM unkept ORDER BY pair, flag`,
		func(rows *sql.Rows) (l line, err error) { return l, rows.Scan(&l.pair, &l.flag) })
	out := make(map[int64][]string)
	for _, l := range lines {
		out[l.pair] = append(out[l.pair], l.flag)
	}
	return out, f.fail("read flags", err)
}

// CountUnkept says of each such flag how many stored messages are without it, by flag; those that no message needs
// are absent. It reads the ledger of the pairs concerned once, and nothing where there are none.
func (f *File) CountUnkept(ctx context.Context) ([]UnkeptFlag, error) {
	list, err := queryAll(ctx, f.reader, `WITH sets AS (SELECT pair, flags, count(*) AS n FROM ledger
			WHERE pair IN (SELECT pair FROM unkept) AND status = 0 AND flags <> 0 GROUP BY pair, flags)
		SELECT min(u.flag), sum(s.n), count(DISTINCT u.pair) FROM unkept u
			JOIN sets s ON s.pair = u.pair JOIN flagsets f ON f.id = s.flags
			WHERE instr(' ' || lower(f.flags) || ' ', ' ' || lower(u.flag) || ' ') > 0
			GROUP BY lower(u.flag) ORDER BY lower(u.flag)`,
		func(rows *sql.Rows) (u UnkeptFlag, err error) { return u, rows.Scan(&u.Flag, &u.Messages, &u.Folders) })
	return list, f.fail("count flags", err)
}
