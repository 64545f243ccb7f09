package state

import (
	"context"
	"database/sql"
	"time"
)

// DeletionHow says what becomes of a copy whose message was deleted on the source.
type DeletionHow uint8

const (
	DeleteToTrash DeletionHow = 1 // moved to the target's folder for deleted mail
	DeleteForGood DeletionHow = 2 // expunged
)

// Deletion is one copy on the target that is to be deleted, or was. It is on disk before the first command goes out;
// when nothing is known of its end (a kill, a lost connection) it is open, and the next attempt settles it.
type Deletion struct {
	ID               int64
	Pair             int64
	Pass             int64
	SourceUID        uint32
	TargetUID        uint32
	UIDValidity      uint32 // of the target folder
	How              DeletionHow
	Trash            string // raw name of the folder that it goes to; "" where it is expunged
	TrashUIDValidity uint32
	Floor            uint32 // UIDNEXT of that folder before
	Time             time.Time
}

const (
	deletionOpen int64 = iota
	deletionDone
)

// LeftByPair counts, by folder pair, the copies that may be deleted on the target: we stored them (a copy that was only
// matched was not ours to begin with), their messages left the source, and nothing is known to have become of them since.
func (f *File) LeftByPair(ctx context.Context) (map[int64]int64, error) {
	type left struct{ pair, count int64 }
	list, err := queryAll(ctx, f.reader, `SELECT l.pair, count(*) FROM ledger l INDEXED BY ledger_left JOIN pairs p ON p.id = l.pair AND p.reverse = ?
		WHERE l.status = 3 AND l.target_uid > 0 AND l.window > 0 AND l.source_uid > 0 GROUP BY l.pair`,
		func(rows *sql.Rows) (c left, err error) { return c, rows.Scan(&c.pair, &c.count) }, f.reverse)
	out := make(map[int64]int64, len(list))
	for _, c := range list {
		out[c.pair] = c.count
	}
	return out, f.fail("count copies that were left", err)
}

// LeftRows calls fn for the rows that LeftByPair counts, as Rows does.
func (f *File) LeftRows(ctx context.Context, pair int64, fn func(Row) error) error {
	return f.stream(ctx, 0, fn, rowColumns+`FROM ledger l INDEXED BY ledger_left JOIN flagsets f ON f.id = l.flags
		WHERE l.pair = ? AND l.status = 3 AND l.target_uid > 0 AND l.window > 0 AND l.source_uid >= ? ORDER BY l.source_uid LIMIT ?`, pair)
}

// StoredByUs tells which rows of these source UIDs have a copy that we stored.
func (f *File) StoredByUs(ctx context.Context, pair int64, uids []uint32) (map[uint32]bool, error) {
	out := make(map[uint32]bool)
	err := f.eachBySource(ctx, pair, uids, func(r ledgerRow) {
		if r.window > 0 && r.TargetUID > 0 {
			out[r.SourceUID] = true
		}
	})
	return out, err
}

// NoteLeft notes that messages left the source. Their copies stay, and with them who stored them. One transaction.
func (f *File) NoteLeft(ctx context.Context, pair int64, uids []uint32) error {
	return f.setLeft(ctx, pair, uids, Stored, SourceGone)
}

// NoteBack takes NoteLeft back: the messages are on the source after all. One transaction.
func (f *File) NoteBack(ctx context.Context, pair int64, uids []uint32) error {
	return f.setLeft(ctx, pair, uids, SourceGone, Stored)
}

func (f *File) setLeft(ctx context.Context, pair int64, uids []uint32, from, to Status) error {
	return f.eachUID(ctx, "store status", uids, func(t *tx, uid uint32) error {
		_, err := t.exec(`UPDATE ledger SET status = ? WHERE pair = ? AND source_uid = ? AND status = ? AND target_uid > 0`,
			int64(to), pair, uid, int64(from))
		return err
	})
}

// Disown leaves the copies of these source UIDs to their user for good: LeftRows does not give them any more. One
// transaction.
func (f *File) Disown(ctx context.Context, pair int64, uids []uint32) error {
	return f.eachUID(ctx, "leave copies", uids, func(t *tx, uid uint32) error {
		_, err := t.exec(`UPDATE ledger SET window = NULL WHERE pair = ? AND source_uid = ?`, pair, uid)
		return err
	})
}

// Inherit gives rows that stand for the messages of other rows now (of pair from, by new source UID the old one) what is
// known of those: who stored their copies. The old rows must still be there. One transaction.
func (f *File) Inherit(ctx context.Context, pair, from int64, old map[uint32]uint32) error {
	if len(old) == 0 {
		return nil
	}
	return f.write(ctx, "follow copies", func(t *tx) error { return t.inherit(pair, from, old) })
}

func (t *tx) inherit(pair, from int64, old map[uint32]uint32) error {
	for _, uid := range sortedKeys(old) {
		if _, err := t.exec(`UPDATE ledger SET window = (SELECT o.window FROM ledger o WHERE o.pair = ? AND o.source_uid = ?)
			WHERE pair = ? AND source_uid = ?`, from, int64(old[uid]), pair, uid); err != nil {
			return err
		}
	}
	return nil
}

// IntendDeletions stores what is about to be deleted. When it returns nil, that is on disk and the IDs are set; where
// Time was zero it is set to now. One transaction.
func (f *File) IntendDeletions(ctx context.Context, list []Deletion) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]int64, len(list))
	now := time.Now()
	err := f.write(ctx, "store deletions", func(t *tx) (err error) {
		for i := range list {
			d := &list[i]
			if d.Time.IsZero() {
				d.Time = now
			}
			ids[i], err = t.insert(`INSERT INTO deletions (pair, pass, source_uid, target_uid, uidvalidity, how, trash, trash_uidvalidity, floor, state, time)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.Pair, d.Pass, d.SourceUID, d.TargetUID, d.UIDValidity, int64(d.How),
				d.Trash, d.TrashUIDValidity, d.Floor, deletionOpen, d.Time.UnixMilli())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for i := range list {
			list[i].ID = ids[i]
		}
	}
	return err
}

// SettleDeletions says how deletions ended: of those that are done the ledger forgets the copy and the record stays; those
// that were given up leave the copy and no record. One transaction.
func (f *File) SettleDeletions(ctx context.Context, done, givenUp []Deletion) error {
	if len(done)+len(givenUp) == 0 {
		return nil
	}
	return f.write(ctx, "settle deletions", func(t *tx) error {
		for _, d := range done {
			if _, err := t.exec(`UPDATE deletions SET state = ? WHERE id = ?`, deletionDone, d.ID); err != nil {
				return err
			}
			if _, err := t.exec(`UPDATE ledger SET target_uid = 0 WHERE pair = ? AND source_uid = ? AND target_uid = ? AND status = ?`,
				d.Pair, d.SourceUID, d.TargetUID, int64(SourceGone)); err != nil {
				return err
			}
		}
		for _, d := range givenUp {
			if _, err := t.exec(`DELETE FROM deletions WHERE id = ? AND state = ?`, d.ID, deletionOpen); err != nil {
				return err
			}
		}
		return nil
	})
}

const selectDeletions = `SELECT id, pair, pass, source_uid, target_uid, uidvalidity, how, trash, trash_uidvalidity, floor, time FROM deletions `

func scanDeletion(rows *sql.Rows) (d Deletion, err error) {
	var ms int64
	err = rows.Scan(&d.ID, &d.Pair, &d.Pass, &d.SourceUID, &d.TargetUID, &d.UIDValidity, &d.How, &d.Trash, &d.TrashUIDValidity, &d.Floor, &ms)
	d.Time = time.UnixMilli(ms)
	return d, err
}

// OpenDeletions gives the deletions whose end is not known, oldest first; none to the way back (Reversed).
func (f *File) OpenDeletions(ctx context.Context) ([]Deletion, error) {
	if f.reverse == backward {
		return nil, nil
	}
	list, err := queryAll(ctx, f.reader, selectDeletions+`WHERE state = 0 ORDER BY id`, scanDeletion)
	return list, f.fail("read deletions", err)
}

// Deletions gives the newest deletions that are done, newest first, at most limit of them; all with -1.
func (f *File) Deletions(ctx context.Context, limit int) ([]Deletion, error) {
	list, err := queryAll(ctx, f.reader, selectDeletions+`WHERE state = 1 ORDER BY id DESC LIMIT ?`, scanDeletion, limit)
	return list, f.fail("read deletions", err)
}

// KeepFolderExceptions removes the exceptions of one reason that belong to no pair, but for those of these folders.
func (f *File) KeepFolderExceptions(ctx context.Context, reason string, folders []string) error {
	keep := make(map[string]bool, len(folders))
	for _, name := range folders {
		keep[shorten(name, maxExceptionText)] = true
	}
	type held struct {
		id     int64
		folder string
	}
	list, err := queryAll(ctx, f.reader, `SELECT id, folder FROM exceptions WHERE pair = 0 AND uid = 0 AND reason = ?`,
		func(rows *sql.Rows) (h held, err error) { return h, rows.Scan(&h.id, &h.folder) }, reason)
	if err != nil {
		return f.fail("read exceptions", err)
	}
	var over []int64
	for _, h := range list {
		if !keep[h.folder] {
			over = append(over, h.id)
		}
	}
	if len(over) == 0 {
		return nil
	}
	return f.write(ctx, "clear exceptions", func(t *tx) error {
		for _, id := range over {
			if _, err := t.exec(`DELETE FROM exceptions WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}
