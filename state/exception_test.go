package state

import (
	"context"
	"slices"
	"testing"
)

// TestExceptionsInPieces reads more of them than a piece holds, while they are written.
func TestExceptionsInPieces(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	const all = 2*readChunk + 3
	must(t, f.write(ctx, "store exceptions", func(t *tx) error {
		for uid := uint32(all); uid > 0; uid-- {
			if _, err := t.putException(Exception{Pair: pair, UID: uid, Reason: "unreadable", LastPass: 1, Accepted: uid%2 == 0}); err != nil {
				return err
			}
		}
		for _, e := range []Exception{{Reason: "over-quota"}, {Folder: "A", Reason: "folder"}, {Pair: pair, Reason: "over-quota"}, {Pair: pair, UID: 7, Reason: "flag"}} {
			e.LastPass = 1
			if _, err := t.putException(e); err != nil {
				return err
			}
		}
		return nil
	}))
	var uids []uint32
	var others int
	must(t, f.EachException(ctx, func(e Exception) error {
		if e.Reason != "unreadable" {
			others++
			return nil
		}
		uids = append(uids, e.UID)
		e.LastPass = 2
		_, err := f.PutException(ctx, e)
		if e.UID == 1 {
			must(t, f.ClearException(ctx, pair, 7, "flag"))
		}
		return err
	}))
	slices.Reverse(uids)
	if len(uids) != all || uids[0] != 1 || !slices.IsSorted(uids) || len(slices.Compact(uids)) != all || others != 4 {
		t.Errorf("%d of %d, and %d others", len(uids), all, others)
	}
	if n, accepted, err := f.CountExceptions(ctx); err != nil || n != all+3 || accepted != all/2 {
		t.Errorf("%d, %d accepted, %v", n, accepted, err)
	}
	if list, err := f.AccountExceptions(ctx, "over-quota"); err != nil || len(list) != 1 || list[0].Pair != 0 {
		t.Errorf("%+v %v", list, err)
	}
	if got, err := f.ExceptionUIDs(ctx, pair); err != nil || !slices.Equal(got, uids) {
		t.Errorf("%d UIDs, %v", len(got), err)
	}
}
