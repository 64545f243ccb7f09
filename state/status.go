package state

import (
	"context"
	"fmt"
	"slices"
)

// Status is what the ledger knows of a message.
type Status uint8

const (
	Stored     Status = iota // on the target as TargetUID
	Gone                     // gone-on-target: neither there nor in another folder
	Refused                  // an exception: not carried
	SourceGone               // vanished from the source after it was stored
	Moved                    // its user moved it to another folder of the target; no TargetUID
	Deferred                 // left out by a filter: SourceUID, Size and Date are known, nothing else
)

// String gives the word that `mailmove status` and the view `messages` use.
func (s Status) String() string {
	switch s {
	case Stored:
		return "stored"
	case Gone:
		return "gone-on-target"
	case Refused:
		return "refused"
	case SourceGone:
		return "gone-on-source"
	case Moved:
		return "moved-on-target"
	case Deferred:
		return "deferred"
	}
	return "unknown"
}

// SetStatus gives the rows of these source UIDs another status than Stored. Each loses its target UID and keeps
// everything else, its source UID too; a row that is SourceGone and whose copy stays is stored with PutRows. UIDs
// that the ledger does not know are ignored. One transaction.
func (f *File) SetStatus(ctx context.Context, pair int64, uids []uint32, s Status) error {
	if s == Stored || s > Moved {
		return f.fail("store status", fmt.Errorf("%q is no status that a row becomes by losing its target UID", s))
	}
	return f.eachUID(ctx, "store status", uids, func(t *tx, uid uint32) error {
		_, err := t.exec(`UPDATE ledger SET status = ?, target_uid = 0 WHERE pair = ? AND source_uid = ?`, int64(s), pair, uid)
		return err
	})
}

// DropRows forgets what became of these source UIDs, so that they are copied again; UIDs that the ledger does not
// know are ignored. Exceptions stay until the message is carried, marks stay too. The pair's windows are to be
// closed first: one that is open and names a dropped message says "maybe stored" of it again. One transaction.
func (f *File) DropRows(ctx context.Context, pair int64, uids []uint32) error {
	return f.eachUID(ctx, "drop ledger rows", uids, func(t *tx, uid uint32) error {
		_, err := t.exec(`DELETE FROM ledger WHERE pair = ? AND source_uid = ?`, pair, uid)
		return err
	})
}

// eachUID runs a statement for each source UID, ascending (neighbours share a page), in one transaction. UID 0 is
// skipped: a row that has it is parked and not found by it.
func (f *File) eachUID(ctx context.Context, op string, uids []uint32, run func(*tx, uint32) error) error {
	uids = slices.Sorted(slices.Values(uids))
	if len(uids) == 0 {
		return nil
	}
	return f.write(ctx, op, func(t *tx) error {
		for _, uid := range uids {
			if uid == 0 {
				continue
			}
			if err := run(t, uid); err != nil {
				return err
			}
		}
		return nil
	})
}
