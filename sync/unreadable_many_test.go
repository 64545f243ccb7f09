package sync

import (
	"context"
	"testing"

	"mailmove/state"
)

// TestUnreadableByTurns: of many unreadable messages a pass asks for a few, for those that wait longest, and holds no more.
func TestUnreadableByTurns(t *testing.T) {
	b := newBench(t)
	b.ledger(func(ctx context.Context, st *state.File) {
		pair := state.Pair{Source: "INBOX", Target: "INBOX"}
		if err := st.PutPair(ctx, &pair); err != nil {
			t.Fatal(err)
		}
		const all = againPiece + againMost
		var rows []state.Row
		for uid := uint32(1); uid <= all; uid++ {
			r := state.Row{SourceUID: uid, Status: state.Refused}
			e := state.Exception{Pair: pair.ID, UID: uid, Reason: reasonUnreadable, LastPass: 1}
			switch {
			case uid%7 == 0: // the longest ago, and carried since
				r.Status = state.Stored
			case uid <= againMost:
				e.LastPass = 2
			}
			rows = append(rows, r)
			if _, err := st.PutException(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		if err := st.PutRows(ctx, pair.ID, rows); err != nil {
			t.Fatal(err)
		}
		a := newAttempt(&pass{Options: Options{State: st}, report: Report{Pass: 3}})
		list, err := a.known(ctx, []*job{{pair: pair, task: copyDelta}})
		if err != nil || len(list) != againMost {
			t.Fatalf("%d messages, %v", len(list), err)
		}
		seen := make(map[uint32]bool)
		for _, u := range list {
			if u.LastPass != 1 || u.UID%7 == 0 || seen[u.UID] {
				t.Fatalf("%+v", u.Exception)
			}
			seen[u.UID] = true
		}
	})
}
