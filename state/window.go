package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WindowState is how far an intent has come.
type WindowState uint8

const (
	WindowOpen    WindowState = iota // appends may happen, have happened, or may still happen
	WindowWatched                    // recovered once; a dead connection's append may still land
)

// String gives the word that the view `intents` uses.
func (s WindowState) String() string {
	switch s {
	case WindowOpen:
		return "open"
	case WindowWatched:
		return "watched"
	}
	return "unknown"
}

// Window is the intent for one batch of APPENDs (docs/state.md).
type Window struct {
	ID          int64
	Pair        int64
	Pass        int64
	UIDValidity uint32 // of the target folder
	Floor       uint32 // target UIDNEXT before the first APPEND
	State       WindowState
	Created     time.Time
	Rows        []Row    // what was meant to be stored; TargetUID 0 until recorded
	Foreign     []uint32 // source UIDs of copies that only follow a move on the target, and that we did not store there
}

// maxWindow bounds the messages of one window, so that reading one never takes much memory.
const maxWindow = 100_000

// Intend stores what the window is about to append. When it returns nil, that is on disk and w.ID is set; where
// w.Created was zero it is set to now.
func (f *File) Intend(ctx context.Context, w *Window) error {
	return f.Advance(ctx, 0, nil, false, w)
}

// Record stores what became of messages of a window: rows are inserted or replaced by source UID; one without (see
// Rekey) is parked. With done, the window is removed in the same transaction: all its messages are settled.
func (f *File) Record(ctx context.Context, windowID int64, rows []Row, done bool) error {
	return f.Advance(ctx, windowID, rows, done, nil)
}

// Advance records one window and intends the next in one transaction, for one fsync. A windowID of 0 records
// nothing, a nil next intends nothing.
func (f *File) Advance(ctx context.Context, windowID int64, rows []Row, done bool, next *Window) error {
	var (
		messages []byte
		id       int64
	)
	if next != nil {
		if n := len(next.Rows); n == 0 || n > maxWindow {
			return f.fail("store intent", fmt.Errorf("a window holds 1 to %d messages, not %d", maxWindow, n))
		}
		messages = packRows(next.Rows)
		if next.Created.IsZero() {
			next.Created = time.Now()
		}
	}
	if windowID == 0 && next == nil {
		return f.fail("store intent", errors.New("no window"))
	}
	err := f.write(ctx, "store intent", func(t *tx) (err error) {
		if windowID != 0 {
			if err := t.record(windowID, rows, done); err != nil {
				return err
			}
		}
		if next != nil {
			id, err = t.insert(`INSERT INTO windows (pair, pass, uidvalidity, floor, state, created, messages, source_uids, packed, foreign_uids)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, next.Pair, next.Pass, next.UIDValidity, next.Floor, int64(next.State),
				next.Created.UnixMilli(), len(next.Rows), uidRanges(next.Rows), messages, foreignText(next.Foreign))
		}
		return err
	})
	if err == nil && next != nil {
		next.ID = id
	}
	return err
}

func (t *tx) record(id int64, rows []Row, done bool) error {
	var pair, floor int64
	var text string
	err := t.queryRow(`SELECT w.pair, w.foreign_uids, iif(coalesce(p.reverse, 0) = 0, w.floor, 0) FROM windows w LEFT JOIN pairs p ON p.id = w.pair
		WHERE w.id = ?`, []any{id}, &pair, &text, &floor)
	if errors.Is(err, sql.ErrNoRows) {
		return noWindow(id)
	}
	if err != nil {
		return err
	}
	keyed := rows
	if slices.ContainsFunc(rows, lostUID) {
		keyed = slices.DeleteFunc(slices.Clone(rows), lostUID)
		for _, r := range rows {
			if lostUID(r) {
				if err := t.park(pair, id, r); err != nil {
					return err
				}
			}
		}
	}
	foreign := foreignUIDs(text)
	for _, r := range keyed {
		if r.TargetUID > 0 && int64(r.TargetUID) < floor { // Gmail answers an APPEND of mail that it has with the UID of that
			foreign = append(foreign, r.SourceUID)
		}
	}
	slices.Sort(foreign)
	if err := t.putStored(pair, id, keyed, foreign); err != nil {
		return err
	}
	if !done {
		return nil
	}
	_, err = t.exec(`DELETE FROM windows WHERE id = ?`, id)
	return err
}

// putStored stores rows of a window. Those of copies that we did not store (foreign, ascending) have its number below 0: known,
// and not ours.
func (t *tx) putStored(pair, id int64, rows []Row, foreign []uint32) error {
	if len(foreign) == 0 {
		return t.putRows(pair, id, rows)
	}
	var ours, theirs []Row
	for _, r := range rows {
		if _, is := slices.BinarySearch(foreign, r.SourceUID); is {
			theirs = append(theirs, r)
		} else {
			ours = append(ours, r)
		}
	}
	if err := t.putRows(pair, id, ours); err != nil {
		return err
	}
	return t.putRows(pair, -id, theirs)
}

// foreignText writes UIDs separated by blanks, foreignUIDs reads them.
func foreignText(uids []uint32) string {
	words := make([]string, len(uids))
	for i, uid := range uids {
		words[i] = strconv.FormatUint(uint64(uid), 10)
	}
	return strings.Join(words, " ")
}

func foreignUIDs(text string) (uids []uint32) {
	for _, word := range strings.Fields(text) {
		if n, err := strconv.ParseUint(word, 10, 32); err == nil {
			uids = append(uids, uint32(n))
		}
	}
	return uids
}

// lostUID tells a message of a window whose source UID went with a Rekey.
func lostUID(r Row) bool { return r.SourceUID == 0 }

// park stores a row without a source UID below those that are parked already, once for each target UID.
func (t *tx) park(pair, window int64, r Row) error {
	if r.TargetUID == 0 {
		return nil // neither here nor there: nothing to know
	}
	flags, err := t.flagSet(r.Flags)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO ledger (pair, source_uid, target_uid, fingerprint, digest, size, date, flags, status, window)
		SELECT ?1, (SELECT coalesce(min(min(source_uid), 0), 0) - 1 FROM ledger WHERE pair = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
		WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE pair = ?1 AND target_uid = ?2 AND target_uid > 0)`,
		pair, r.TargetUID, r.Fingerprint[:], digestValue(&r), r.Size, r.Date, flags, int64(SourceGone), window)
	return err
}

func noWindow(id int64) error { return fmt.Errorf("no open window %d", id) }

// SetWindow notes how far an intent has come.
func (f *File) SetWindow(ctx context.Context, id int64, s WindowState) error {
	return f.write(ctx, "store window state", func(t *tx) error {
		n, err := t.exec(`UPDATE windows SET state = ? WHERE id = ?`, int64(s), id)
		if err == nil && n == 0 {
			err = noWindow(id)
		}
		return err
	})
}

// CloseWindow removes an intent: every UID from its floor on is accounted for. Closing it twice is no error.
func (f *File) CloseWindow(ctx context.Context, id int64) error {
	return f.write(ctx, "close window", func(t *tx) error {
		_, err := t.exec(`DELETE FROM windows WHERE id = ?`, id)
		return err
	})
}

// Windows gives every window that is not closed, oldest first. Of messages that this window recorded already,
// TargetUID and Status are the ledger's; of the others TargetUID is 0: maybe stored.
func (f *File) Windows(ctx context.Context) ([]Window, error) {
	windows, err := queryAll(ctx, f.reader, `SELECT id, pair, pass, uidvalidity, floor, state, created, packed FROM windows
		WHERE coalesce((SELECT reverse FROM pairs p WHERE p.id = windows.pair), 0) = ? ORDER BY id`,
		func(rows *sql.Rows) (Window, error) {
			var (
				w       Window
				created int64
				packed  sql.RawBytes
			)
			if err := rows.Scan(&w.ID, &w.Pair, &w.Pass, &w.UIDValidity, &w.Floor, &w.State, &created, &packed); err != nil {
				return w, err
			}
			w.Created = time.UnixMilli(created)
			var err error
			w.Rows, err = unpackRows(packed)
			return w, err
		}, f.reverse)
	if err != nil {
		return nil, f.fail("read windows", err)
	}
	for i := range windows {
		if err := f.fillRecorded(ctx, &windows[i]); err != nil {
			return nil, err
		}
	}
	return windows, nil
}

// fillRecorded adds what the ledger knows. A row that an earlier window recorded (a message copied again) says
// nothing of this one.
func (f *File) fillRecorded(ctx context.Context, w *Window) error {
	uids := make([]uint32, 0, len(w.Rows))
	for _, r := range w.Rows {
		uids = append(uids, r.SourceUID)
	}
	recorded := make(map[uint32]Row)
	err := f.eachBySource(ctx, w.Pair, uids, func(r ledgerRow) {
		if r.window == w.ID || r.window == -w.ID {
			recorded[r.SourceUID] = r.Row
		}
	})
	for i := range w.Rows {
		if r, ok := recorded[w.Rows[i].SourceUID]; ok {
			w.Rows[i].TargetUID, w.Rows[i].Status = r.TargetUID, r.Status
		}
	}
	return err
}

// rekeyWindows gives the messages of a pair's open windows their new source UIDs, 0 where there is none.
func (t *tx) rekeyWindows(pair int64, moved map[uint32]uint32) error {
	for next := int64(0); ; {
		var (
			id     int64
			packed []byte
			text   string
		)
		err := t.queryRow(`SELECT id, packed, foreign_uids FROM windows WHERE pair = ? AND id > ? ORDER BY id LIMIT 1`, []any{pair, next}, &id, &packed, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := unpackRows(packed)
		if err != nil {
			return err
		}
		for i := range rows {
			rows[i].SourceUID = moved[rows[i].SourceUID]
		}
		foreign := foreignUIDs(text)
		for i := range foreign {
			foreign[i] = moved[foreign[i]]
		}
		if _, err := t.exec(`UPDATE windows SET source_uids = ?, packed = ?, foreign_uids = ? WHERE id = ?`, uidRanges(rows), packRows(rows),
			foreignText(foreign), id); err != nil {
			return err
		}
		next = id
	}
}
