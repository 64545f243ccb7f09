package state

import (
	"context"
	"slices"
	"testing"
	"time"
)

// leftRows are the source UIDs of copies that may be deleted.
func leftRows(t *testing.T, f *File, pair int64) (uids []uint32) {
	t.Helper()
	must(t, f.LeftRows(context.Background(), pair, func(r Row) error { uids = append(uids, r.SourceUID); return nil }))
	counts, err := f.LeftByPair(context.Background())
	must(t, err)
	if counts[pair] != int64(len(uids)) {
		t.Errorf("%d counted, %d given", counts[pair], len(uids))
	}
	return uids
}

// Only copies that a window stored are candidates, in whatever way their row got on since.
func TestLeftRows(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "A")
	must(t, f.PutRows(ctx, pair, testRows(1, 5))) // matched
	w := Window{Pair: pair, Rows: maybe(testRows(6, 10))}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(6, 10), true))
	ours, err := f.StoredByUs(ctx, pair, []uint32{1, 5, 6, 10, 11})
	must(t, err)
	if len(ours) != 2 || !ours[6] || !ours[10] {
		t.Errorf("stored by us: %v", ours)
	}
	if got := leftRows(t, f, pair); got != nil {
		t.Errorf("all are on the source: %v", got)
	}
	must(t, f.NoteLeft(ctx, pair, []uint32{1, 6, 7, 8, 9}))
	if got := leftRows(t, f, pair); !slices.Equal(got, []uint32{6, 7, 8, 9}) {
		t.Errorf("left: %v", got)
	}
	must(t, f.NoteBack(ctx, pair, []uint32{7, 10}))
	must(t, f.Disown(ctx, pair, []uint32{8}))
	must(t, f.SetStatus(ctx, pair, []uint32{9}, SourceGone))
	if got := leftRows(t, f, pair); !slices.Equal(got, []uint32{6}) {
		t.Errorf("one is back, one disowned, one has no copy any more: %v", got)
	}

	// A message that is somewhere else now: who stored its copy goes with it.
	must(t, f.PutRows(ctx, other, testRows(1, 2)))
	must(t, f.Inherit(ctx, other, pair, map[uint32]uint32{1: 6, 2: 1}))
	must(t, f.NoteLeft(ctx, other, []uint32{1, 2}))
	if got := leftRows(t, f, other); !slices.Equal(got, []uint32{1}) {
		t.Errorf("inherited: %v", got)
	}
	w = Window{Pair: other, Rows: maybe(testRows(3, 4)), Foreign: []uint32{4}}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(3, 4), false))
	open, err := f.Windows(ctx)
	must(t, err)
	if len(open) != 1 || open[0].Rows[0].TargetUID == 0 || open[0].Rows[1].TargetUID == 0 {
		t.Errorf("not known as recorded: %+v", open)
	}
	must(t, f.CloseWindow(ctx, w.ID))
	must(t, f.NoteLeft(ctx, other, []uint32{3, 4}))
	if got := leftRows(t, f, other); !slices.Equal(got, []uint32{1, 3}) {
		t.Errorf("moved: %v", got)
	}

	// A copy below the floor was there before the window: Gmail answers an APPEND of mail that it has with the UID of that.
	w = Window{Pair: other, Floor: testRow(6).TargetUID, Rows: maybe(testRows(5, 6))}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(5, 6), true))
	must(t, f.NoteLeft(ctx, other, []uint32{5, 6}))
	if got := leftRows(t, f, other); !slices.Equal(got, []uint32{1, 3, 6}) {
		t.Errorf("merged: %v", got)
	}
}

// A deletion is open until it is settled, and forgets the copy only where it is done.
func TestDeletionJournal(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	w := Window{Pair: pair, Rows: maybe(testRows(1, 4))}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(1, 4), true))
	must(t, f.NoteLeft(ctx, pair, []uint32{1, 2, 3}))
	when := time.UnixMilli(1_700_000_000_123)
	list := []Deletion{
		{Pair: pair, Pass: 3, SourceUID: 1, TargetUID: testRow(1).TargetUID, UIDValidity: 9, How: DeleteToTrash, Trash: "Trash", TrashUIDValidity: 8, Floor: 7, Time: when},
		{Pair: pair, Pass: 3, SourceUID: 2, TargetUID: testRow(2).TargetUID, UIDValidity: 9, How: DeleteForGood, Time: when},
		{Pair: pair, Pass: 3, SourceUID: 4, TargetUID: testRow(4).TargetUID, UIDValidity: 9, How: DeleteForGood, Time: when},
	}
	must(t, f.IntendDeletions(ctx, list))
	must(t, f.Close())
	f = openTest(t, dir) // as after a kill
	open, err := f.OpenDeletions(ctx)
	must(t, err)
	if !slices.Equal(open, list) || open[0].ID == 0 {
		t.Fatalf("%+v, not %+v", open, list)
	}
	if back, err := f.Reversed().OpenDeletions(ctx); err != nil || len(back) != 0 {
		t.Errorf("the way back has %v, %v", back, err)
	}
	// The message with UID 4 is on the source: done or not, its row stays as it is.
	must(t, f.SettleDeletions(ctx, []Deletion{open[0], open[2]}, open[1:2]))
	if open, err = f.OpenDeletions(ctx); err != nil || len(open) != 0 {
		t.Errorf("%v, %v", open, err)
	}
	done, err := f.Deletions(ctx, -1)
	must(t, err)
	if len(done) != 2 || done[1] != list[0] {
		t.Errorf("%+v", done)
	}
	if got := leftRows(t, f, pair); !slices.Equal(got, []uint32{2, 3}) {
		t.Errorf("left: %v", got)
	}
	rows, err := f.RowsBySource(ctx, pair, []uint32{1, 4})
	must(t, err)
	if r := rows[1]; r.TargetUID != 0 || r.Status != SourceGone || rows[4].TargetUID == 0 {
		t.Errorf("%+v", rows)
	}
	var how, folder string
	must(t, f.reader.QueryRow(`SELECT how, folder FROM deleted WHERE source_uid = 1 AND state = 'done'`).Scan(&how, &folder))
	if how != "trash" || folder != "INBOX" {
		t.Errorf("%q in %q", how, folder)
	}
}

func TestKeepFolderExceptions(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	for _, e := range []Exception{{Folder: "A", Reason: "x"}, {Folder: "B", Reason: "x"}, {Folder: "A", Reason: "y"}, {Pair: 1, Folder: "C", Reason: "x"}} {
		e.LastPass = 1
		_, err := f.PutException(ctx, e)
		must(t, err)
	}
	must(t, f.KeepFolderExceptions(ctx, "x", []string{"B"}))
	list, err := f.Exceptions(ctx)
	must(t, err)
	var got []string
	for _, e := range list {
		got = append(got, e.Folder+e.Reason)
	}
	if !slices.Equal(got, []string{"Ay", "Bx", "Cx"}) {
		t.Errorf("%q", got)
	}
}
