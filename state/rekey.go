package state

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Rekey follows a source folder whose UIDs changed (UIDVALIDITY changed, or UIDs were used again): moved maps the
// old source UID to the new one. Rows that it does not name are parked: they lose their source UID, become
// SourceGone and are only found by RowsByTarget any more; Deferred ones go, for nothing of them can be found again.
// Messages of open windows and exceptions of the pair follow; an exception that is not named goes, a window's message
// that is not named has SourceUID 0. One transaction; two old UIDs for one new are refused. Marks stay: the caller
// commits them next, and where it dies in between, the same matching by fingerprint gives the identity and Rekey can be
// done again.
func (f *File) Rekey(ctx context.Context, pair int64, moved map[uint32]uint32) error {
	if err := checkMoved(moved, true); err != nil {
		return f.fail("follow new source UIDs", err)
	}
	return f.write(ctx, "follow new source UIDs", func(t *tx) error {
		if err := t.stageMoved(moved); err != nil {
			return err
		}
		// Below every UID and every row parked earlier: there nothing collides, whatever moved says.
		var base int64
		if err := t.queryRow(`SELECT coalesce(min(min(source_uid), 0), 0) FROM ledger WHERE pair = ?`, []any{pair}, &base); err != nil {
			return err
		}
		for _, step := range []struct {
			query string
			args  []any
		}{
			{`DELETE FROM ledger WHERE pair = ? AND status = 5`, []any{pair}},
			{`UPDATE ledger SET source_uid = ? - source_uid WHERE pair = ? AND source_uid > 0`, []any{base, pair}},
			{`UPDATE ledger SET source_uid = (SELECT m.new FROM moved m WHERE m.old = ?1 - ledger.source_uid)
				WHERE pair = ?2 AND source_uid < ?1 AND EXISTS (SELECT 1 FROM moved m WHERE m.old = ?1 - ledger.source_uid)`, []any{base, pair}},
			{`UPDATE ledger SET status = ? WHERE pair = ? AND source_uid < ?`, []any{int64(SourceGone), pair, base}},
			{`DELETE FROM exceptions WHERE pair = ? AND uid > 0 AND uid NOT IN (SELECT old FROM moved)`, []any{pair}},
			{`UPDATE exceptions SET uid = (SELECT m.new FROM moved m WHERE m.old = exceptions.uid) WHERE pair = ? AND uid > 0`, []any{pair}},
		} {
			if _, err := t.exec(step.query, step.args...); err != nil {
				return err
			}
		}
		return t.rekeyWindows(pair, moved)
	})
}

// Retarget follows a target folder whose UIDs changed: moved maps the old target UID to the new one. Rows that
// it names are on the target (a Gone one was found again and is Stored); of the others, those that were Stored
// become Gone, and each loses its target UID, which means nothing any more. One transaction.
func (f *File) Retarget(ctx context.Context, pair int64, moved map[uint32]uint32) error {
	if err := checkMoved(moved, false); err != nil {
		return f.fail("follow new target UIDs", err)
	}
	return f.write(ctx, "follow new target UIDs", func(t *tx) error {
		if err := t.stageMoved(moved); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE ledger SET
			target_uid = coalesce((SELECT m.new FROM moved m WHERE m.old = ledger.target_uid), 0),
			status = CASE
				WHEN status = ?1 AND EXISTS (SELECT 1 FROM moved m WHERE m.old = ledger.target_uid) THEN ?2
				WHEN status = ?2 AND NOT EXISTS (SELECT 1 FROM moved m WHERE m.old = ledger.target_uid) THEN ?1
				ELSE status END
			WHERE pair = ?3 AND target_uid > 0`, int64(Gone), int64(Stored), pair)
		return err
	})
}

// checkMoved refuses UID 0, and where the new UIDs are a key, one that two old ones want.
func checkMoved(moved map[uint32]uint32, unique bool) error {
	taken := make(map[uint32]uint32, len(moved))
	for from, to := range moved {
		if from == 0 || to == 0 {
			return fmt.Errorf("UID %d cannot become UID %d", from, to)
		}
		if other, ok := taken[to]; ok && unique {
			return fmt.Errorf("UIDs %d and %d cannot both become UID %d", min(from, other), max(from, other), to)
		}
		taken[to] = from
	}
	return nil
}

// stageMoved puts the map where statements can join it.
func (t *tx) stageMoved(moved map[uint32]uint32) error {
	for _, query := range []string{
		`CREATE TEMP TABLE IF NOT EXISTS moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)`,
		`DELETE FROM moved`,
	} {
		if _, err := t.exec(query); err != nil {
			return err
		}
	}
	for _, from := range sortedKeys(moved) {
		if _, err := t.exec(`INSERT INTO moved (old, new) VALUES (?, ?)`, from, moved[from]); err != nil {
			return err
		}
	}
	return nil
}
