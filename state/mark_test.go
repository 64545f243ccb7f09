package state

import (
	"context"
	"errors"
	"testing"
)

func TestRenamePair(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair, other := testPair(t, f, "Old"), testPair(t, f, "Other")
	must(t, f.PutRows(ctx, pair, testRows(1, 30)))
	source, target := Mark{1, 31, 30, 7}, Mark{2, 1031, 30, 8}
	must(t, f.CommitMarks(ctx, pair, source, target))
	must(t, f.Intend(ctx, &Window{Pair: pair, Rows: maybe(testRows(31, 33))}))
	_, err := f.PutException(ctx, Exception{Pair: pair, Folder: "Old", UID: 3, Reason: "flag", LastPass: 1})
	must(t, err)
	_, err = f.PutException(ctx, Exception{Pair: other, Folder: "Other", UID: 3, Reason: "flag", LastPass: 1})
	must(t, err)

	next := Pair{ID: 999, Source: "N&APY-w'; --", Target: "INBOX.New", SourceName: "Nöw", TargetName: "New", SourceMailboxID: "s", TargetMailboxID: "t"}
	taken := next
	taken.Source = "Other"
	if err := f.RenamePair(ctx, pair, taken); !errors.Is(err, ErrPairExists) {
		t.Errorf("%v", err)
	}
	for _, bad := range []Pair{{Source: "x"}, {Target: "x"}} {
		if err := f.RenamePair(ctx, pair, bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := f.RenamePair(ctx, 999, next); err == nil || errors.Is(err, ErrPairExists) {
		t.Errorf("%v", err)
	}
	pairs, err := f.Pairs(ctx)
	must(t, err)
	if pairs[0].Source != "Old" || pairs[0].Target != "Old" {
		t.Errorf("a rename that failed left %+v", pairs[0])
	}
	must(t, f.RenamePair(ctx, pair, next))
	must(t, f.RenamePair(ctx, pair, next)) // its own name is not another pair's
	must(t, f.Close())

	f = openTest(t, dir)
	pairs, err = f.Pairs(ctx)
	must(t, err)
	next.ID, next.SourceMark, next.TargetMark = pair, source, target
	if len(pairs) != 2 || pairs[0] != next || pairs[1].Source != "Other" {
		t.Errorf("%+v, want %+v", pairs, next)
	}
	checkRows(t, f, pair, 30)
	windows, err := f.Windows(ctx)
	must(t, err)
	exceptions, err := f.Exceptions(ctx)
	must(t, err)
	if len(windows) != 1 || windows[0].Pair != pair || exceptions[0].Folder != "Nöw" || exceptions[0].UID != 3 || exceptions[1].Folder != "Other" {
		t.Errorf("%+v, %+v", windows, exceptions)
	}
}

func TestCommitTargetMark(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	source, target := Mark{1, 2, 3, 4}, Mark{5, 1<<32 - 1, 7, 1<<63 - 1}
	must(t, f.CommitMarks(ctx, pair, source, Mark{9, 9, 9, 9}))
	must(t, f.CommitMarks(ctx, other, source, source))
	must(t, f.CommitTargetMark(ctx, pair, target))
	pairs, err := f.Pairs(ctx)
	must(t, err)
	if pairs[0].SourceMark != source || pairs[0].TargetMark != target || pairs[1].TargetMark != source {
		t.Errorf("%+v", pairs)
	}
	if err := f.CommitTargetMark(ctx, 999, target); err == nil {
		t.Error("a pair that is not there was marked")
	}
}
