package state

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestReversed: the way back sees the ledger with the sides exchanged, what it carried comes into the ledger once, and
// reopening leaves that and nothing else of it.
func TestReversed(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	inbox := testPair(t, f, "INBOX")
	p := Pair{Source: "Old", Target: "INBOX", SourceName: "Old", TargetName: "INBOX"} // merged into INBOX
	must(t, f.PutPair(ctx, &p))
	must(t, f.PutRows(ctx, inbox, []Row{{SourceUID: 1, TargetUID: 11}, {SourceUID: 2, TargetUID: 12}, {SourceUID: 3, Status: Moved}}))
	must(t, f.PutRows(ctx, p.ID, []Row{{SourceUID: 1, TargetUID: 13}}))
	for _, id := range []int64{inbox, p.ID} {
		must(t, f.CommitMarks(ctx, id, Mark{UIDValidity: 5, UIDNext: 4}, Mark{UIDValidity: 6, UIDNext: 14}))
	}
	at := time.Now().Truncate(time.Second)
	must(t, f.SetFinal(ctx, at, []Floor{{"INBOX", Mark{UIDValidity: 6, UIDNext: 14, Messages: 3}}}))
	must(t, f.SetFinal(ctx, at, []Floor{{"INBOX", Mark{UIDValidity: 6, UIDNext: 99, Messages: 3}}}))
	floors, err := f.Floors(ctx)
	must(t, err)
	if got, err := f.Final(ctx); err != nil || !got.Equal(at) || floors["INBOX"].UIDNext != 14 {
		t.Errorf("%v %v %v", got, err, floors)
	}

	must(t, f.BeginReverse(ctx))
	must(t, f.BeginReverse(ctx)) // changes nothing
	back := f.Reversed()
	pairs, err := back.Pairs(ctx)
	must(t, err)
	if len(pairs) != 1 || pairs[0].Source != "INBOX" || pairs[0].Target != "INBOX" || pairs[0].TargetMark.UIDValidity != 5 {
		t.Fatalf("%+v", pairs)
	}
	rows, err := back.RowsBySource(ctx, pairs[0].ID, []uint32{11, 12, 13})
	must(t, err)
	if len(rows) != 3 || rows[11].TargetUID != 1 || rows[12].TargetUID != 2 || rows[13].TargetUID != 0 || rows[13].Status != Moved {
		t.Errorf("%+v", rows)
	}
	if gone, err := f.Rehomed(ctx); err != nil || len(gone) != 1 || gone[0].SourceUID != 3 {
		t.Errorf("%v %v", gone, err)
	}

	// An intent of the way back is nobody else's, and keeps all others from believing the source.
	w := Window{Pair: pairs[0].ID, UIDValidity: 5, Floor: 4, Rows: []Row{{SourceUID: 20, Flags: `\Seen kw`}}}
	must(t, back.Intend(ctx, &w))
	if list, err := f.Windows(ctx); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := f.TakeReversed(ctx); !errors.Is(err, ErrReverseOpen) {
		t.Error(err)
	}
	if err := f.Reopen(ctx); !errors.Is(err, ErrReverseOpen) {
		t.Error(err)
	}
	must(t, back.PutUnkept(ctx, pairs[0].ID, "KW"))
	must(t, back.Record(ctx, w.ID, []Row{{SourceUID: 20, TargetUID: 4, Flags: `\Seen kw`}}, true))
	for range 2 {
		if watched, err := f.TakeReversed(ctx); watched || err != nil {
			t.Error(watched, err)
		}
	}
	rows, err = f.RowsBySource(ctx, inbox, []uint32{4})
	must(t, err)
	if rows[4].TargetUID != 20 || rows[4].Flags != `\Seen` || rows[4].Status != Stored {
		t.Errorf("%+v", rows)
	}
	if s, err := Inspect(ctx, f.Path()); err != nil || s.Reversed != 1 || len(s.Pairs) != 2 || s.Messages.Stored != 4 || !s.Final.Equal(at) {
		t.Errorf("%v %+v", err, s)
	}
	must(t, f.Reopen(ctx))
	if n, err := f.CountRows(ctx, inbox); err != nil || n != 4 {
		t.Errorf("%d rows, %v", n, err)
	}
	if pairs, err := back.Pairs(ctx); err != nil || len(pairs) != 0 {
		t.Errorf("%v %v", pairs, err)
	}
	if got, err := f.Final(ctx); err != nil || !got.IsZero() {
		t.Errorf("%v %v", got, err)
	}
}
