package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// askedAgain is the FirstPass of an exception whose message is to be tried again: if it fails once more, that is new.
const askedAgain = -1

// AskedAgain reports that the next pass tries the message again (Retry).
func (e Exception) AskedAgain() bool { return e.FirstPass == askedAgain }

// ErrUnsettled is what Retry returns where a window that is not closed names one of the messages: it may be stored.
var ErrUnsettled = errors.New("an interrupted pass may have stored it")

// Retry makes the next pass try these messages again: their ledger rows go, and the source's mark falls to the lowest of
// them, so that the pass looks there. Their exceptions stay until they are carried, and are not accepted any more. One
// transaction; nothing is changed where it returns an error.
func (f *File) Retry(ctx context.Context, pair int64, uids []uint32) error {
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return uid == 0 })
	if len(uids) == 0 {
		return nil
	}
	windows, err := f.Windows(ctx)
	if err != nil {
		return err
	}
	asked := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		asked[uid] = true
	}
	for _, w := range windows {
		if w.Pair != pair {
			continue
		}
		for _, r := range w.Rows {
			if r.TargetUID == 0 && asked[r.SourceUID] {
				return f.fail("try again", fmt.Errorf("UID %d: %w", r.SourceUID, ErrUnsettled))
			}
		}
	}
	return f.write(ctx, "try again", func(t *tx) error {
		for _, uid := range uids {
			if _, err := t.exec(`DELETE FROM ledger WHERE pair = ? AND source_uid = ?`, pair, uid); err != nil {
				return err
			}
			if _, err := t.exec(`UPDATE exceptions SET first_pass = ?, accepted = 0 WHERE pair = ? AND uid = ?`,
				askedAgain, pair, uid); err != nil {
				return err
			}
		}
		// UIDVALIDITY stays: a folder whose UIDs changed meanwhile is still seen as one.
		_, err := t.exec(`UPDATE pairs SET source_uidnext = min(source_uidnext, ?) WHERE id = ?`, slices.Min(uids), pair)
		return err
	})
}

// Accept notes that the admin agreed to these exceptions, by ID, and says how many of them were not accepted before.
func (f *File) Accept(ctx context.Context, ids []int64) (accepted int64, err error) {
	err = f.write(ctx, "accept exceptions", func(t *tx) error {
		accepted = 0
		for _, id := range ids {
			n, err := t.exec(`UPDATE exceptions SET accepted = 1 WHERE id = ? AND accepted = 0`, id)
			if err != nil {
				return err
			}
			accepted += n
		}
		return nil
	})
	return accepted, err
}

// SettleExceptions is for a folder pair that came to its end: what hindered the folder itself is over, messages that
// are neither in the ledger nor on the source any more have nothing to tell, and those of the reasons in notCarried
// whose message is stored by now were carried after all. One transaction.
func (f *File) SettleExceptions(ctx context.Context, pair int64, notCarried []string) error {
	return f.write(ctx, "settle exceptions", func(t *tx) error {
		if _, err := t.exec(`DELETE FROM exceptions WHERE pair = ?1 AND (uid = 0 OR NOT EXISTS
			(SELECT 1 FROM ledger l WHERE l.pair = ?1 AND l.source_uid = exceptions.uid))`, pair); err != nil {
			return err
		}
		for _, reason := range notCarried {
			if _, err := t.exec(`DELETE FROM exceptions WHERE pair = ?1 AND reason = ?2 AND EXISTS
				(SELECT 1 FROM ledger l WHERE l.pair = ?1 AND l.source_uid = exceptions.uid AND l.status = ?3)`,
				pair, reason, int64(Stored)); err != nil {
				return err
			}
		}
		return nil
	})
}
