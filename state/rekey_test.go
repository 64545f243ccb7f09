package state

import (
	"context"
	"slices"
	"testing"
)

func TestRekey(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	must(t, f.PutRows(ctx, pair, testRows(1, 100)))
	must(t, f.PutRows(ctx, other, testRows(1, 100)))
	w := Window{Pair: pair, Rows: maybe(testRows(1, 100))}
	must(t, f.Intend(ctx, &w))
	for _, uid := range []uint32{0, 3, 60} {
		_, err := f.PutException(ctx, Exception{Pair: pair, UID: uid, Reason: "refused", LastPass: 1})
		must(t, err)
	}
	// A shift that collides with itself on every step, a swap, and half of them gone.
	moved := map[uint32]uint32{1: 2, 2: 1, 777: 50_000}
	for uid := uint32(3); uid <= 50; uid++ {
		moved[uid] = uid + 1
	}
	must(t, f.Rekey(ctx, pair, moved))
	var got []uint32
	must(t, f.Rows(ctx, pair, 0, func(r Row) error {
		got = append(got, r.SourceUID)
		for from, to := range moved {
			if want := testRow(from); to == r.SourceUID {
				want.SourceUID = to
				if r != want {
					t.Errorf("%+v, want %+v", r, want)
				}
			}
		}
		return nil
	}))
	if len(got) != 50 || got[0] != 1 || got[1] != 2 || got[2] != 4 || got[49] != 51 {
		t.Errorf("source UIDs %v", got)
	}
	parked := func(want, total int) {
		t.Helper()
		rows, err := f.RowsByTarget(ctx, pair, 0)
		must(t, err)
		n := 0
		for _, r := range rows {
			if r.SourceUID == 0 && r.Status == SourceGone {
				n++
			}
		}
		if n != want || len(rows) != total {
			t.Errorf("%d parked of %d, want %d of %d", n, len(rows), want, total)
		}
	}
	parked(50, 100)
	checkRows(t, f, other, 100)
	windows, err := f.Windows(ctx)
	must(t, err)
	if rows := windows[0].Rows; rows[0].SourceUID != 2 || rows[2].SourceUID != 4 || rows[50].SourceUID != 0 || rows[50].Fingerprint != testRow(51).Fingerprint {
		t.Errorf("window %+v", rows[:3])
	}
	// A message of the window that has no source UID any more turns up on the target: noted once.
	late := windows[0].Rows[60]
	late.TargetUID = 9000
	for range 2 {
		must(t, f.Record(ctx, w.ID, []Row{late}, false))
	}
	if rows, err := f.RowsByTarget(ctx, pair, 9000); err != nil || len(rows) != 1 || rows[0].Status != SourceGone || rows[0].Fingerprint != late.Fingerprint {
		t.Errorf("%v, %v", rows, err)
	}
	late.TargetUID = 0
	must(t, f.Record(ctx, w.ID, []Row{late}, true))
	all, err := f.Exceptions(ctx)
	must(t, err)
	var uids []uint32
	for _, e := range all {
		uids = append(uids, e.UID)
	}
	if !slices.Equal(uids, []uint32{0, 4}) {
		t.Errorf("exceptions of %v", uids)
	}
	// Again, everything lost: the parked ones do not collide with those parked before.
	must(t, f.Rekey(ctx, pair, nil))
	parked(101, 101)
	checkRows(t, f, pair, 0)

	for _, bad := range []map[uint32]uint32{{1: 5, 2: 5}, {0: 1}, {1: 0}} {
		if err := f.Rekey(ctx, other, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	checkRows(t, f, other, 100)
}

func TestRetarget(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	rows := testRows(1, 100) // target UIDs 1001 to 1100
	rows[4].Status, rows[5].Status, rows[6].Status, rows[7].Status = Gone, SourceGone, Gone, SourceGone
	rows[8].Status, rows[8].TargetUID = Refused, 0
	must(t, f.PutRows(ctx, pair, rows))
	must(t, f.PutRows(ctx, other, testRows(1, 100)))
	moved := map[uint32]uint32{1005: 6, 1006: 5} // a Gone one that was found again, a SourceGone one
	for uid := uint32(1010); uid <= 1050; uid++ {
		moved[uid] = uid + 1 // over each other
	}
	must(t, f.Retarget(ctx, pair, moved))
	byUID, err := f.RowsBySource(ctx, pair, []uint32{1, 5, 6, 7, 8, 9, 10, 50, 51})
	must(t, err)
	for uid, want := range map[uint32]struct {
		target uint32
		status Status
	}{
		1: {0, Gone}, 5: {6, Stored}, 6: {5, SourceGone}, 7: {0, Gone}, 8: {0, SourceGone}, 9: {0, Refused},
		10: {1011, Stored}, 50: {1051, Stored}, 51: {0, Gone},
	} {
		if r := byUID[uid]; r.TargetUID != want.target || r.Status != want.status {
			t.Errorf("source UID %d: target %d %v, want %+v", uid, r.TargetUID, r.Status, want)
		}
	}
	if rows, err := f.RowsByTarget(ctx, other, 0); err != nil || len(rows) != 100 || rows[0].TargetUID != 1001 {
		t.Errorf("the other pair: %v, %v", rows, err)
	}
}
