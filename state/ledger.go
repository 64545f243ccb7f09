package state

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// Row is one line of the ledger: a source message and what became of it on the target.
type Row struct {
	SourceUID   uint32   // 0: parked by Rekey, the message has no UID on the source any more
	TargetUID   uint32   // 0: not on the target (see Status)
	Fingerprint [16]byte // of the identifying header fields; comparable without reading a body
	Digest      [16]byte // of the normalised bytes; zero where the body was never read
	Size        int64    // bytes as the source sent them
	Date        int64    // INTERNALDATE in Unix seconds; 0: none
	Flags       string   // source flags as last seen, sorted, separated by blanks
	Status      Status
}

const (
	readChunk  = 500 // ledger rows that a reader holds at once
	rowColumns = `SELECT l.source_uid, l.target_uid, l.fingerprint, l.digest, l.size, l.date, f.flags, l.status, l.window `
	selectRow  = rowColumns + `FROM ledger l JOIN flagsets f ON f.id = l.flags `
)

// ledgerRow is a Row with the window that recorded it (0: none).
type ledgerRow struct {
	Row
	window int64
}

func scanRow(rows *sql.Rows) (ledgerRow, error) {
	var (
		r                   ledgerRow
		source              int64
		fingerprint, digest sql.RawBytes
		window              sql.NullInt64
	)
	if err := rows.Scan(&source, &r.TargetUID, &fingerprint, &digest, &r.Size, &r.Date, &r.Flags, &r.Status, &window); err != nil {
		return r, err
	}
	if source > 0 {
		r.SourceUID = uint32(source)
	}
	copy(r.Fingerprint[:], fingerprint)
	copy(r.Digest[:], digest)
	r.window = window.Int64
	return r, nil
}

// Rows calls fn for every row of a pair from source UID from on, ascending; an error of fn ends it and is
// returned. It reads in pieces and holds no lock and no connection while fn runs: fn may write, and sees rows
// that were written meanwhile where they lie ahead. Parked rows (Rekey) do not come.
func (f *File) Rows(ctx context.Context, pair int64, from uint32, fn func(Row) error) error {
	return f.stream(ctx, from, fn, selectRow+`WHERE l.pair = ? AND l.source_uid >= ? ORDER BY l.source_uid LIMIT ?`, pair)
}

// RowsByStatus is Rows for those of one status. There is no index: it reads over all rows of the pair.
func (f *File) RowsByStatus(ctx context.Context, pair int64, s Status, fn func(Row) error) error {
	return f.stream(ctx, 0, fn,
		selectRow+`WHERE l.pair = ? AND l.status = ? AND l.source_uid >= ? ORDER BY l.source_uid LIMIT ?`, pair, int64(s))
}

// stream reads in pieces a query that ends with the first source UID to come and the size of a piece.
func (f *File) stream(ctx context.Context, from uint32, fn func(Row) error, query string, args ...any) error {
	next := max(int64(from), 1)
	for {
		rows, err := queryAll(ctx, f.reader, query, scanRow, append(slices.Clip(args), next, readChunk)...)
		if err != nil {
			return f.fail("read ledger", err)
		}
		for _, r := range rows {
			if err := fn(r.Row); err != nil {
				return err
			}
		}
		if len(rows) < readChunk {
			return nil
		}
		next = int64(rows[len(rows)-1].SourceUID) + 1
	}
}

// RowsBySource gives the rows of these source UIDs; UIDs that the ledger does not know are absent.
func (f *File) RowsBySource(ctx context.Context, pair int64, uids []uint32) (map[uint32]Row, error) {
	found := make(map[uint32]Row, len(uids))
	err := f.eachBySource(ctx, pair, uids, func(r ledgerRow) { found[r.SourceUID] = r.Row })
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (f *File) eachBySource(ctx context.Context, pair int64, uids []uint32, fn func(ledgerRow)) error {
	args := make([]any, 0, readChunk+1)
	for chunk := range slices.Chunk(uids, readChunk) {
		args = append(args[:0], pair)
		for _, uid := range chunk {
			args = append(args, int64(uid)) // 0 finds nothing
		}
		rows, err := queryAll(ctx, f.reader,
			selectRow+`WHERE l.pair = ? AND l.source_uid IN (?`+strings.Repeat(",?", len(chunk)-1)+`)`, scanRow, args...)
		if err != nil {
			return f.fail("read ledger", err)
		}
		for _, r := range rows {
			fn(r)
		}
	}
	return nil
}

// RowsByTarget gives the rows whose TargetUID is from or above (0 counts as 1), ascending by target UID, of any
// status, parked ones too. It is meant for what lies above a floor: all of them are held in memory.
func (f *File) RowsByTarget(ctx context.Context, pair int64, from uint32) ([]Row, error) {
	rows, err := queryAll(ctx, f.reader,
		selectRow+`WHERE l.pair = ? AND l.target_uid > 0 AND l.target_uid >= ? ORDER BY l.target_uid, l.source_uid`,
		func(rows *sql.Rows) (Row, error) {
			r, err := scanRow(rows)
			return r.Row, err
		}, pair, from)
	return rows, f.fail("read ledger", err)
}

// SourceUIDs gives the source UIDs of a pair that the ledger knows, in any status, from from on, ascending.
func (f *File) SourceUIDs(ctx context.Context, pair int64, from uint32) ([]uint32, error) {
	uids, err := queryAll(ctx, f.reader,
		`SELECT source_uid FROM ledger WHERE pair = ? AND source_uid >= ? ORDER BY source_uid`,
		func(rows *sql.Rows) (uid uint32, err error) { return uid, rows.Scan(&uid) }, pair, max(int64(from), 1))
	return uids, f.fail("read ledger", err)
}

// HasRows tells whether CountRows is more than 0, without counting.
func (f *File) HasRows(ctx context.Context, pair int64) (bool, error) {
	var some bool
	err := f.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM ledger WHERE pair = ? AND source_uid > 0)`, pair).Scan(&some)
	return some, f.fail("read ledger", err)
}

// CountRows counts the rows of a pair that have a source UID, in any status.
func (f *File) CountRows(ctx context.Context, pair int64) (int64, error) {
	var n int64
	err := f.reader.QueryRowContext(ctx, `SELECT count(*) FROM ledger WHERE pair = ? AND source_uid > 0`, pair).Scan(&n)
	return n, f.fail("read ledger", err)
}

// CountByStatus counts the rows of a pair that have a source UID.
func (f *File) CountByStatus(ctx context.Context, pair int64) (map[Status]int64, error) {
	type counted struct {
		status Status
		count  int64
	}
	list, err := queryAll(ctx, f.reader, `SELECT status, count(*) FROM ledger WHERE pair = ? AND source_uid > 0 GROUP BY status`,
		func(rows *sql.Rows) (c counted, err error) { return c, rows.Scan(&c.status, &c.count) }, pair)
	out := make(map[Status]int64, len(list))
	for _, c := range list {
		out[c.status] = c.count
	}
	return out, f.fail("count rows", err)
}

// PutRows inserts or replaces ledger rows that no window announced: matched messages and refused ones.
func (f *File) PutRows(ctx context.Context, pair int64, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	return f.write(ctx, "store ledger rows", func(t *tx) error { return t.putRows(pair, nil, rows) })
}

// SetFlags notes the source flags last seen, by source UID. UIDs that the ledger does not know are ignored.
func (f *File) SetFlags(ctx context.Context, pair int64, flags map[uint32]string) error {
	if len(flags) == 0 {
		return nil
	}
	uids := sortedKeys(flags) // ascending: neighbours share a page
	return f.write(ctx, "store flags", func(t *tx) error {
		for _, uid := range uids {
			id, err := t.flagSet(flags[uid])
			if err != nil {
				return err
			}
			if _, err := t.exec(`UPDATE ledger SET flags = ? WHERE pair = ? AND source_uid = ?`, id, pair, uid); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ledger rows are inserted in statements of these many rows, largest first: one row a statement costs three
// times the CPU.
const (
	insertMany    = 50
	insertSome    = 10
	insertColumns = 10
	insertRow     = "(?,?,?,?,?,?,?,?,?,?)"
)

func insertStatement(n int) string {
	return `INSERT OR REPLACE INTO ledger (pair, source_uid, target_uid, fingerprint, digest, size, date, flags, status, window) VALUES ` +
		insertRow + strings.Repeat(","+insertRow, n-1)
}

// putRows inserts or replaces; window is nil or an int64.
func (t *tx) putRows(pair int64, window any, rows []Row) error {
	args := make([]any, 0, insertMany*insertColumns)
	for _, size := range []int{insertMany, insertSome, 1} {
		for len(rows) >= size {
			args = args[:0]
			for i := range rows[:size] {
				var err error
				if args, err = t.appendRow(args, pair, window, &rows[i]); err != nil {
					return err
				}
			}
			if _, err := t.exec(insertStatement(size), args...); err != nil {
				return err
			}
			rows = rows[size:]
		}
	}
	return nil
}

func (t *tx) appendRow(args []any, pair int64, window any, r *Row) ([]any, error) {
	if r.SourceUID == 0 {
		return nil, errors.New("a ledger row needs a source UID")
	}
	flags, err := t.flagSet(r.Flags)
	if err != nil {
		return nil, err
	}
	return append(args, pair, int64(r.SourceUID), int64(r.TargetUID), r.Fingerprint[:], digestValue(r), r.Size, r.Date, flags,
		int64(r.Status), window), nil
}

// digestValue is NULL where the body was never read: 16 bytes saved.
func digestValue(r *Row) any {
	if r.Digest == [16]byte{} {
		return nil
	}
	return r.Digest[:]
}

// maxFlagCache bounds the flag sets remembered; keywords are whatever people set on their mail.
const maxFlagCache = 10_000

// flagSet gives the id of a set of flags, storing it where it is new.
func (t *tx) flagSet(flags string) (int64, error) {
	if id, ok := t.flags[flags]; ok {
		return id, nil
	}
	var id int64
	err := t.queryRow(`SELECT id FROM flagsets WHERE flags = ?`, []any{flags}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		id, err = t.insert(`INSERT INTO flagsets (flags) VALUES (?)`, flags)
	}
	if err != nil {
		return 0, err
	}
	if len(t.flags) >= maxFlagCache {
		clear(t.flags)
	}
	t.flags[flags] = id
	return id, nil
}
