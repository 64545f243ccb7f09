package state

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestSetStatus(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	must(t, f.PutRows(ctx, pair, testRows(1, 1200)))
	must(t, f.PutRows(ctx, other, testRows(1, 1200)))
	for _, s := range []Status{Stored, Deferred, 255} {
		if err := f.SetStatus(ctx, pair, []uint32{1}, s); err == nil {
			t.Errorf("%v was taken", s)
		}
	}
	must(t, f.SetStatus(ctx, pair, nil, Gone))
	var uids []uint32 // unsorted, one twice, 0 and one that the ledger does not know
	for uid := uint32(1199); uid > 100; uid -= 2 {
		uids = append(uids, uid)
	}
	must(t, f.SetStatus(ctx, pair, append(uids, 0, 101, 5000), SourceGone))
	rows, err := f.RowsBySource(ctx, pair, []uint32{100, 101, 5000})
	must(t, err)
	want := testRow(101)
	want.Status, want.TargetUID = SourceGone, 0
	if len(rows) != 2 || rows[101] != want || rows[100] != testRow(100) {
		t.Errorf("%+v", rows)
	}
	// The function may write meanwhile, and its error ends the stream.
	seen := 0
	must(t, f.RowsByStatus(ctx, pair, SourceGone, func(r Row) error {
		seen++
		return f.SetStatus(ctx, pair, []uint32{r.SourceUID}, Moved)
	}))
	s, err := Inspect(ctx, f.Path())
	must(t, err)
	if m := s.Pairs[0].Messages; seen != 550 || m.Moved != 550 || m.SourceGone != 0 || m.Stored != 650 || s.Pairs[1].Messages.Stored != 1200 {
		t.Errorf("%d seen, %+v", seen, m)
	}
	enough, seen := errors.New("enough"), 0
	err = f.RowsByStatus(ctx, pair, Moved, func(Row) error {
		if seen++; seen == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || seen != 3 {
		t.Errorf("%v after %d", err, seen)
	}
	// Parked rows have no source UID to give.
	must(t, f.Rekey(ctx, pair, map[uint32]uint32{2: 2}))
	must(t, f.RowsByStatus(ctx, pair, SourceGone, func(r Row) error { t.Errorf("%+v", r); return nil }))
}

func TestDropRows(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	w := Window{Pair: pair, Floor: 1, Rows: maybe(testRows(1, 5))}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(1, 5), false))
	must(t, f.DropRows(ctx, pair, []uint32{2, 4, 0, 99}))
	must(t, f.DropRows(ctx, pair, nil))
	uids, err := f.SourceUIDs(ctx, pair, 0)
	must(t, err)
	windows, err := f.Windows(ctx)
	must(t, err)
	if !slices.Equal(uids, []uint32{1, 3, 5}) || windows[0].Rows[0].TargetUID != 1001 || windows[0].Rows[1].TargetUID != 0 {
		t.Errorf("%v, %+v", uids, windows)
	}
	must(t, f.PutRows(ctx, pair, testRows(2, 2)))
	checkRows(t, f, pair, 4)
}
