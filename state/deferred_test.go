package state

import (
	"context"
	"strings"
	"testing"
)

func deferredRows(from, to uint32) []Row {
	var rows []Row
	for uid := from; uid < to; uid++ {
		rows = append(rows, Row{SourceUID: uid, Size: int64(uid), Date: 1e9 + int64(uid), Status: Deferred})
	}
	return rows
}

func TestDeferredRows(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	must(t, f.PutRows(ctx, pair, testRows(1, 50)))
	must(t, f.PutRows(ctx, pair, deferredRows(100, 800)))
	must(t, f.PutRows(ctx, other, deferredRows(5, 6)))
	must(t, f.CommitMarks(ctx, pair, Mark{UIDValidity: 7, UIDNext: 900, Messages: 750}, Mark{UIDValidity: 8}))

	next := uint32(100)
	must(t, f.DeferredRows(ctx, pair, func(r Row) error {
		if r.SourceUID != next || r.Size != int64(next) || r.Date != 1e9+int64(next) || r.Status != Deferred || r.Fingerprint != [16]byte{} {
			t.Fatalf("UID %d expected: %+v", next, r)
		}
		next++
		return nil
	}))
	counts, err := f.CountDeferred(ctx)
	must(t, err)
	if next != 800 || len(counts) != 2 || counts[pair] != 700 || counts[other] != 1 {
		t.Errorf("up to %d, %v", next, counts)
	}
	for _, query := range []string{`SELECT pair, count(*) FROM ledger WHERE status = 5 GROUP BY pair`,
		strings.ReplaceAll(selectDeferred, "?", "1")} {
		var id, parent, unused int
		var plan string
		must(t, f.reader.QueryRow("EXPLAIN QUERY PLAN "+query).Scan(&id, &parent, &unused, &plan))
		if !strings.Contains(plan, "ledger_deferred") {
			t.Errorf("%s: %s", query, plan)
		}
	}

	must(t, f.ForgetDeferred(ctx, pair))
	must(t, f.ForgetDeferred(ctx, pair)) // nothing left to take the mark back for
	pairs, err := f.Pairs(ctx)
	must(t, err)
	if m := pairs[0].SourceMark; m.UIDNext != 100 || m.UIDValidity != 7 {
		t.Errorf("mark %+v", m)
	}
	if counts, err = f.CountDeferred(ctx); err != nil || len(counts) != 1 || counts[other] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
	if n, err := f.CountRows(ctx, pair); err != nil || n != 50 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// Nothing of a deferred row can be found again once its UID means something else.
func TestRekeyDropsDeferredRows(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	must(t, f.PutRows(ctx, pair, testRows(1, 3)))
	must(t, f.PutRows(ctx, pair, deferredRows(10, 20)))
	must(t, f.Rekey(ctx, pair, map[uint32]uint32{1: 10, 2: 11}))
	counts, err := f.CountDeferred(ctx)
	must(t, err)
	rows, err := f.RowsByTarget(ctx, pair, 0)
	must(t, err)
	if len(counts) != 0 || len(rows) != 3 || rows[0].SourceUID != 10 || rows[2].SourceUID != 0 {
		t.Errorf("%v, %+v", counts, rows)
	}
}

func TestUnkeptFlags(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair, other := testPair(t, f, "INBOX"), testPair(t, f, "Other")
	rows := testRows(1, 6)
	for i, flags := range []string{`$Label1 \Seen`, `$label1`, `$Label10 \Seen`, ``, `$Label1`} {
		rows[i].Flags = flags
	}
	rows[4].Status, rows[4].TargetUID = SourceGone, 0
	must(t, f.PutRows(ctx, pair, rows))
	must(t, f.PutRows(ctx, other, rows[:1]))
	for _, p := range []int64{pair, other} {
		must(t, f.PutUnkept(ctx, p, "$Label1"))
		must(t, f.PutUnkept(ctx, p, "$label1"))
		must(t, f.PutUnkept(ctx, p, "$Nobody"))
	}
	list, err := f.CountUnkept(ctx)
	must(t, err)
	if len(list) != 1 || list[0] != (UnkeptFlag{"$Label1", 3, 2}) {
		t.Errorf("%+v", list)
	}
	must(t, f.DropUnkept(ctx, other, "$LABEL1"))
	list, err = f.CountUnkept(ctx)
	must(t, err)
	flags, err2 := f.Unkept(ctx)
	must(t, err2)
	if len(list) != 1 || list[0] != (UnkeptFlag{"$Label1", 2, 1}) || len(flags[pair]) != 2 || len(flags[other]) != 1 {
		t.Errorf("%+v, %v", list, flags)
	}
}

// Each flag is an exception of its own, and one that is told stays told.
func TestExceptionsOfFlags(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	put := func(flag, reason string, pass int64) bool {
		isNew, err := f.PutException(ctx, Exception{Flag: flag, Reason: reason, Detail: "d", LastPass: pass})
		must(t, err)
		return isNew
	}
	long := strings.Repeat("x", 2*maxExceptionText)
	if !put("$a", "flag", 1) || !put("$b", "flag", 1) || !put(long, "flag", 1) || put("$a", "flag", 1) || !put("", "gone-on-target", 1) {
		t.Error("each flag is new once")
	}
	must(t, f.ClearAccountExceptions(ctx, "flag", []string{"$b", long}))
	all, err := f.Exceptions(ctx)
	must(t, err)
	if len(all) != 3 || all[0].Flag != "$b" || all[1].Flag != long[:maxExceptionText] || all[2].Reason != "gone-on-target" {
		t.Errorf("%+v", all)
	}
	must(t, f.ClearAccountExceptions(ctx, "flag", nil))
	must(t, f.ClearAccountExceptions(ctx, "gone-on-target", nil))
	if all, err = f.Exceptions(ctx); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
