package state

import (
	"context"
	"database/sql"
)

// CarriedTo gives the UIDs of a target folder (raw name), from from on (0 counts as 1), ascending, that the ledger of
// any pair knows: several source folders may be carried into one. Pairs count whose target UIDs are those of
// uidValidity as far as is known: their target mark has that UIDVALIDITY, or none yet.
func (f *File) CarriedTo(ctx context.Context, target string, uidValidity, from uint32) ([]uint32, error) {
	uids, err := queryAll(ctx, f.reader, `SELECT l.target_uid FROM pairs p JOIN ledger l ON l.pair = p.id
		WHERE p.reverse = ? AND p.target = ? AND p.target_uidvalidity IN (0, ?) AND l.target_uid > 0 AND l.target_uid >= ? ORDER BY l.target_uid`,
		func(rows *sql.Rows) (uid uint32, err error) { return uid, rows.Scan(&uid) }, f.reverse, target, uidValidity, from)
	return uids, f.fail("read ledger", err)
}
