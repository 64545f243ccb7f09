package state

import (
	"context"
	"slices"
	"testing"
)

func TestCarriedTo(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := func(source, target string, validity uint32, uids ...uint32) {
		p := Pair{Source: source, SourceName: source, Target: target, TargetName: target}
		must(t, f.PutPair(ctx, &p))
		must(t, f.CommitMarks(ctx, p.ID, Mark{}, Mark{UIDValidity: validity}))
		var rows []Row
		for i, uid := range uids {
			rows = append(rows, Row{SourceUID: uint32(i + 1), TargetUID: uid})
		}
		must(t, f.PutRows(ctx, p.ID, rows))
	}
	pair("Sent", "Sent", 7, 9, 1, 4, 0)
	pair("Gesendet", "Sent", 0, 2, 8) // no mark yet
	pair("Alt", "Sent", 6, 3, 5)      // its UIDs are those of another UIDVALIDITY
	pair("INBOX", "INBOX", 7, 6)
	for from, want := range map[uint32][]uint32{0: {1, 2, 4, 8, 9}, 4: {4, 8, 9}, 10: nil} {
		got, err := f.CarriedTo(ctx, "Sent", 7, from)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("from %d: %v, want %v", from, got, want)
		}
	}
}
