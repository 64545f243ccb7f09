package state

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// The way back (mailmove sync --reverse) is the ordinary work with the sides exchanged. It has folder pairs of its own,
// with rows and windows, in which the target is the source and the other way round; they are made from the ledger, and
// what they carry goes into it. So a message that was carried back is, for every later pass, one that was carried.

// direction tells the pairs of the two ways apart.
type direction int64

const (
	forward  direction = 0
	backward direction = 1
)

// Reversed is the account seen from the other side: of Pairs, PutPair, RenamePair, CarriedTo and Windows those of the
// way back. It shares the file, and is not closed.
func (f *File) Reversed() *File {
	return &File{path: f.path, reader: f.reader, writer: f.writer, reverse: backward}
}

// BeginReverse makes the pairs and rows of the way back, as far as they are not there: a pair for each target folder,
// and a row for each message that the ledger has there. Where several source folders went to one target folder, new
// mail goes back to the first of them, INBOX before all; mail of the others is known and stays where it is. One
// transaction.
func (f *File) BeginReverse(ctx context.Context) error {
	if err := f.takeRows(ctx); err != nil {
		return err
	}
	return f.write(ctx, "begin reverse", func(t *tx) error {
		for _, query := range []string{
			// The mark of an empty folder: what is not in the ledger is new, and what is missing of it was moved.
			`INSERT OR IGNORE INTO pairs (reverse, source, target, source_name, target_name, source_mailboxid, target_mailboxid,
					source_uidvalidity, source_uidnext, target_uidvalidity)
				SELECT 1, target, source, target_name, source_name, target_mailboxid, source_mailboxid, target_uidvalidity, 1, source_uidvalidity
				FROM pairs WHERE reverse = 0 ORDER BY upper(source) <> 'INBOX', id`,
			// A pair that was made before its folder was there gets that folder's mark, in the same way.
			`UPDATE pairs SET (source_uidvalidity, target_uidvalidity) =
					(SELECT p.target_uidvalidity, iif(pairs.target_uidvalidity > 0, pairs.target_uidvalidity, p.source_uidvalidity)
					FROM pairs p WHERE p.reverse = 0 AND p.target = pairs.source AND p.source = pairs.target)
				WHERE reverse = 1 AND source_uidvalidity = 0
					AND EXISTS (SELECT 1 FROM pairs p WHERE p.reverse = 0 AND p.target = pairs.source AND p.source = pairs.target)`,
			// Known and left alone (4): rows of other folders, and of messages that are not on the source any more.
			`INSERT OR IGNORE INTO ledger (pair, source_uid, target_uid, fingerprint, digest, size, date, flags, status, window)
				SELECT r.id, l.target_uid, iif(p.source = r.target AND l.source_uid > 0 AND l.status = 0, l.source_uid, 0),
					l.fingerprint, l.digest, l.size, l.date, l.flags,
					iif(p.source = r.target AND l.source_uid > 0 AND l.status = 0, 0, 4), NULL
				FROM pairs r JOIN pairs p ON p.reverse = 0 AND p.target = r.source
					AND (r.source_uidvalidity = 0 OR p.target_uidvalidity IN (0, r.source_uidvalidity))
				JOIN ledger l ON l.pair = p.id AND l.target_uid > 0
				WHERE r.reverse = 1 ORDER BY r.id, l.target_uid, p.source <> r.target`,
		} {
			if _, err := t.exec(query); err != nil {
				return err
			}
		}
		return t.putMeta(metaReverse, "begun")
	})
}

// TakeReversed brings into the ledger what the way back carried, and tells whether windows of it are still to be
// looked at (Reversed().Windows). ErrReverseOpen where one of them is not settled. Without a reverse pass since the
// last call it costs one look.
func (f *File) TakeReversed(ctx context.Context) (watched bool, err error) {
	begun, err := meta(ctx, f.reader, metaReverse)
	if err != nil || begun == "" {
		return false, f.fail("read reverse pass", err)
	}
	windows, err := f.Reversed().Windows(ctx)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(windows, func(w Window) bool { return w.State == WindowOpen }) {
		return false, ErrReverseOpen
	}
	if err := f.takeRows(ctx); err != nil || len(windows) > 0 {
		return len(windows) > 0, err
	}
	return false, f.write(ctx, "end reverse", func(t *tx) error {
		_, err := t.exec(`DELETE FROM meta WHERE key = ?`, metaReverse)
		return err
	})
}

// carriedBack is a row of the way back that the ledger lacks, and the pair of the ledger that it belongs to.
type carriedBack struct {
	from, pair int64
	Row        // seen from the ledger
}

// takeRows copies rows of the way back into the ledger; done again it changes nothing. The pair is that of the source
// folder; one that has none yet gets it.
func (f *File) takeRows(ctx context.Context) error {
	err := f.write(ctx, "take reversed pairs", func(t *tx) error {
		_, err := t.exec(`INSERT OR IGNORE INTO pairs (reverse, source, target, source_name, target_name, source_mailboxid,
				target_mailboxid, source_uidvalidity, source_uidnext, target_uidvalidity)
			SELECT 0, target, source, target_name, source_name, target_mailboxid, source_mailboxid,
				target_uidvalidity, target_uidvalidity > 0, source_uidvalidity
			FROM pairs r WHERE reverse = 1 AND EXISTS (SELECT 1 FROM ledger l WHERE l.pair = r.id AND l.status = 0 AND l.target_uid > 0)
			ORDER BY id`)
		return err
	})
	if err != nil {
		return err
	}
	unkept, err := f.Unkept(ctx)
	if err != nil {
		return err
	}
	for {
		rows, err := queryAll(ctx, f.reader, `SELECT r.id, p.id, l.target_uid, iif(p.target = r.source, l.source_uid, 0), l.fingerprint, l.digest,
				l.size, l.date, f.flags, iif(p.target = r.source, 0, 4)
			FROM pairs r JOIN pairs p ON p.reverse = 0 AND p.source = r.target
				AND (p.source_uidvalidity = 0 OR r.target_uidvalidity IN (0, p.source_uidvalidity))
			JOIN ledger l ON l.pair = r.id JOIN flagsets f ON f.id = l.flags
			WHERE r.reverse = 1 AND l.status = 0 AND l.target_uid > 0 AND l.window > 0
				AND NOT EXISTS (SELECT 1 FROM ledger k WHERE k.pair = p.id AND k.source_uid = l.target_uid)
			LIMIT ?`, scanCarriedBack, readChunk)
		if err != nil {
			return f.fail("read reversed rows", err)
		}
		if err := f.putCarriedBack(ctx, rows, unkept); err != nil || len(rows) < readChunk {
			return err
		}
	}
}

func scanCarriedBack(rows *sql.Rows) (c carriedBack, err error) {
	var fingerprint, digest sql.RawBytes
	err = rows.Scan(&c.from, &c.pair, &c.SourceUID, &c.TargetUID, &fingerprint, &digest, &c.Size, &c.Date, &c.Flags, &c.Status)
	copy(c.Fingerprint[:], fingerprint)
	copy(c.Digest[:], digest)
	return c, err
}

// putCarriedBack stores the rows with the flags that the source's folders keep: those are what it will show.
func (f *File) putCarriedBack(ctx context.Context, rows []carriedBack, unkept map[int64][]string) error {
	byPair := make(map[int64][]Row)
	for _, c := range rows {
		if lacking := unkept[c.from]; len(lacking) > 0 {
			kept := slices.DeleteFunc(strings.Fields(c.Flags), func(flag string) bool {
				return slices.ContainsFunc(lacking, func(l string) bool { return strings.EqualFold(l, flag) })
			})
			c.Flags = strings.Join(kept, " ")
		}
		byPair[c.pair] = append(byPair[c.pair], c.Row)
	}
	for _, pair := range sortedKeys(byPair) {
		if err := f.PutRows(ctx, pair, byPair[pair]); err != nil {
			return err
		}
	}
	return nil
}

// Rehomed gives the rows of the ledger that have no place on the target: messages of the source that people moved or
// deleted there. Where one of them is on the target after all, it came from the source.
func (f *File) Rehomed(ctx context.Context) ([]Row, error) {
	rows, err := queryAll(ctx, f.reader, selectRow+`WHERE l.pair IN (SELECT id FROM pairs WHERE reverse = 0)
		AND l.target_uid = 0 AND l.status IN (?, ?, ?) ORDER BY l.pair, l.source_uid`,
		func(rows *sql.Rows) (Row, error) {
			r, err := scanRow(rows)
			return r.Row, err
		}, int64(Gone), int64(SourceGone), int64(Moved))
	return rows, f.fail("read ledger", err)
}
