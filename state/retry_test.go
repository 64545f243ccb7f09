package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// refusedOne puts a message that was not carried into the ledger, with its exception.
func refusedOne(t *testing.T, f *File, pair int64, uid uint32, reason string, pass int64) {
	t.Helper()
	row := testRows(uid, uid)
	row[0].Status, row[0].TargetUID = Refused, 0
	must(t, f.PutRows(context.Background(), pair, row))
	_, err := f.PutException(context.Background(), Exception{Pair: pair, Folder: "INBOX", UID: uid, Reason: reason, LastPass: pass})
	must(t, err)
}

func endPass(t *testing.T, f *File, id int64) {
	t.Helper()
	must(t, f.EndPass(context.Background(), id, PassRecord{Result: ResultDone}))
}

// What is asked for again is out of the ledger and below the mark; when it fails again, that is new once more.
func TestRetry(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	pass, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	must(t, f.PutRows(ctx, pair, testRows(1, 9)))
	refusedOne(t, f, pair, 5, "refused", pass)
	refusedOne(t, f, pair, 7, "too-big", pass)
	must(t, f.CommitMarks(ctx, pair, Mark{UIDValidity: 3, UIDNext: 10, Messages: 9, HighestModSeq: 4}, Mark{UIDValidity: 8}))
	endPass(t, f, pass)
	all, err := f.Exceptions(ctx)
	must(t, err)
	if n, err := f.Accept(ctx, []int64{all[0].ID, all[1].ID, 99}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := f.Accept(ctx, []int64{all[0].ID}); n != 0 || err != nil {
		t.Errorf("accepted twice: %d, %v", n, err)
	}
	must(t, f.Retry(ctx, pair, []uint32{7, 0}))
	uids, err := f.SourceUIDs(ctx, pair, 0)
	must(t, err)
	pairs, err := f.Pairs(ctx)
	must(t, err)
	if want := (Mark{UIDValidity: 3, UIDNext: 7, Messages: 9, HighestModSeq: 4}); slices.Contains(uids, 7) || len(uids) != 8 || pairs[0].SourceMark != want {
		t.Errorf("%v, %+v", uids, pairs[0].SourceMark)
	}
	must(t, f.Retry(ctx, pair, []uint32{7})) // once more is no error, and the mark stays
	if all, err = f.Exceptions(ctx); err != nil || !all[1].AskedAgain() || all[1].Accepted || all[0].AskedAgain() || !all[0].Accepted {
		t.Errorf("%+v, %v", all, err)
	}
	next, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	for uid, want := range map[uint32]bool{5: false, 7: true} {
		if isNew, err := f.PutException(ctx, Exception{Pair: pair, Folder: "INBOX", UID: uid, Reason: all[uid/7].Reason, LastPass: next}); isNew != want || err != nil {
			t.Errorf("uid %d: new %v, %v", uid, isNew, err)
		}
	}
	if isNew, err := f.PutException(ctx, Exception{Pair: pair, Folder: "INBOX", UID: 7, Reason: "too-big", LastPass: next}); isNew || err != nil {
		t.Errorf("told twice in a pass: %v, %v", isNew, err)
	}
}

// What may be stored is not sent again before a pass has looked.
func TestRetryWaitsForOpenWindows(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Sent")
	must(t, f.Intend(ctx, &Window{Pair: pair, Floor: 1, Rows: maybe(testRows(4, 6))}))
	refusedOne(t, f, pair, 5, "refused", 1)
	refusedOne(t, f, other, 5, "refused", 1)
	if err := f.Retry(ctx, pair, []uint32{5}); !errors.Is(err, ErrUnsettled) {
		t.Errorf("got %v", err)
	}
	if rows, err := f.RowsBySource(ctx, pair, []uint32{5}); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	must(t, f.Retry(ctx, other, []uint32{5}))
}

func TestSettleExceptions(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Sent")
	must(t, f.PutRows(ctx, pair, testRows(1, 2)))
	must(t, f.PutRows(ctx, other, testRows(1, 2)))
	for _, e := range []Exception{
		{Pair: pair, UID: 0, Reason: "folder"},      // over
		{Pair: pair, UID: 1, Reason: "flag"},        // carried without it: stays
		{Pair: pair, UID: 2, Reason: "refused"},     // carried after all
		{Pair: pair, UID: 9, Reason: "refused"},     // gone from the source
		{Pair: other, UID: 2, Reason: "refused"},    // another pair's
		{Pair: 0, UID: 0, Reason: "gone-on-target"}, // the account's
	} {
		e.LastPass = 1
		_, err := f.PutException(ctx, e)
		must(t, err)
	}
	refusedOne(t, f, pair, 3, "refused", 1) // still not carried
	must(t, f.SettleExceptions(ctx, pair, []string{"refused"}))
	all, err := f.Exceptions(ctx)
	must(t, err)
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprint(e.Pair == pair, e.UID, e.Reason))
	}
	if want := []string{"false 0gone-on-target", "true 1flag", "true 3refused", "false 2refused"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestReadExceptions(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	first, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	const n = listedPage + 3
	for uid := uint32(1); uid <= n; uid++ {
		_, err := f.PutException(ctx, Exception{Pair: pair, Folder: "INBOX", UID: uid, Reason: "refused", LastPass: first})
		must(t, err)
	}
	endPass(t, f, first)
	second, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	_, err = f.PutException(ctx, Exception{Folder: "Archive", Reason: "folder", LastPass: second})
	must(t, err)
	endPass(t, f, second)
	var folders []string
	seen, fresh := 0, 0
	read := func(account string, e ListedException) error {
		if account != testAccount {
			t.Errorf("account %q", account)
		}
		if !slices.Contains(folders, e.Folder) {
			folders = append(folders, e.Folder)
		}
		if e.New {
			fresh++
			if e.Folder != "Archive" {
				t.Errorf("new: %+v", e)
			}
		}
		seen++
		return nil
	}
	must(t, ReadExceptions(ctx, f.Path(), read)) // beside the one that has it open
	if seen != n+1 || fresh != 1 || !slices.Equal(folders, []string{"Archive", "INBOX"}) {
		t.Errorf("%d seen, %d new, %v", seen, fresh, folders)
	}
	enough := errors.New("enough")
	if err := ReadExceptions(ctx, f.Path(), func(string, ListedException) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
