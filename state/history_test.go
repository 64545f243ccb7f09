package state

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestPasses(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	started := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	first, err := f.BeginPass(ctx, started)
	must(t, err)
	if err := f.EndPass(ctx, first, PassRecord{Result: ResultRunning}); err == nil {
		t.Error("a pass ended as running")
	}
	if err := f.EndPass(ctx, 77, PassRecord{Result: ResultDone}); err == nil {
		t.Error("a pass ended that never began")
	}
	must(t, f.EndPass(ctx, first, PassRecord{Result: ResultFailed, Error: "no route"}))
	if !f.Fresh() {
		t.Error("a failed pass is none that came to its end")
	}
	second, err := f.BeginPass(ctx, started)
	must(t, err)
	must(t, f.Close()) // as if killed
	f = openTest(t, dir)
	third, err := f.BeginPass(ctx, started)
	must(t, err)
	full := PassRecord{ID: third, Started: started.Local(), Ended: started.Add(time.Minute).Local(), Result: ResultExceptions,
		Error: "x", Folders: 1, SourceMessages: 2, Copied: 3, CopiedBytes: 4, Matched: 5, Flags: 6, Recovered: 7, Doubles: 8,
		Exceptions: 9, NewExceptions: 10}
	must(t, f.EndPass(ctx, third, full))
	passes, err := f.Passes(ctx, 10)
	must(t, err)
	if len(passes) != 3 || first != 1 || passes[0] != full {
		t.Fatalf("%+v", passes)
	}
	if p := passes[1]; p.ID != second || p.Result != ResultInterrupted || !p.Ended.IsZero() || p.Error == "" {
		t.Errorf("%+v", p)
	}
	if passes, err = f.Passes(ctx, 1); err != nil || len(passes) != 1 || f.Fresh() {
		t.Errorf("%v %v %v", passes, err, f.Fresh())
	}
}

func TestHistoryIsBounded(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	must(t, f.writer.do(ctx, "test", func(t *tx) error {
		_, err := t.exec(`INSERT INTO passes (started, result) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000) SELECT i, 'done' FROM n`)
		return err
	}))
	id, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	passes, err := f.Passes(ctx, -1)
	must(t, err)
	if id != 3001 || len(passes) != keepPasses {
		t.Errorf("pass %d, %d kept", id, len(passes))
	}
}

func TestExceptions(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	pass := func(result string) int64 {
		t.Helper()
		id, err := f.BeginPass(ctx, time.Now())
		must(t, err)
		if result != "" {
			must(t, f.EndPass(ctx, id, PassRecord{Result: result}))
		}
		return id
	}
	put := func(want bool, e Exception) {
		t.Helper()
		isNew, err := f.PutException(ctx, e)
		must(t, err)
		if isNew != want {
			t.Errorf("%+v: new %v", e, isNew)
		}
	}
	one := pass(ResultExceptions)
	e := Exception{Pair: pair, Folder: "INBOX", UID: 7, Reason: "too-big", Code: "TOOBIG", Detail: "x", Subject: strings.Repeat("ü", 400), LastPass: one}
	put(true, e)
	put(false, e)
	other := e
	other.Reason = "flag"
	put(true, other)
	two := pass("") // killed
	e.LastPass, e.Detail, e.Accepted = two, "y", true
	put(false, e)
	e.Accepted = false
	put(false, e)
	folder := Exception{Folder: "A", Reason: "folder", LastPass: two}
	put(true, folder)
	folder.Folder = "B" // without a pair the name tells them apart
	put(true, folder)
	three := pass("")
	folder.LastPass = three
	put(true, folder) // the killed pass reported it to nobody
	put(false, folder)
	all, err := f.Exceptions(ctx)
	must(t, err)
	if len(all) != 4 {
		t.Fatalf("%+v", all)
	}
	if b := all[1]; b.Folder != "B" || b.FirstPass != three || b.LastPass != three {
		t.Errorf("%+v", b)
	}
	got := all[3]
	if got.FirstPass != one || got.LastPass != two || got.Detail != "y" || !got.Accepted || got.Code != "TOOBIG" ||
		len(got.Subject) > maxExceptionText || !utf8.ValidString(got.Subject) {
		t.Errorf("%+v", got)
	}
	s, err := Inspect(ctx, f.Path())
	must(t, err)
	if s.Exceptions != 4 || s.Accepted != 1 || len(s.Listed) != 4 || s.Pairs[0].Exceptions != 2 {
		t.Errorf("%+v", s)
	}
	must(t, f.ClearExceptions(ctx, pair, []uint32{7, 8}))
	must(t, f.ClearExceptions(ctx, 0, []uint32{0}))
	if all, err = f.Exceptions(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := f.PutException(ctx, Exception{Pair: pair}); err == nil {
		t.Error("an exception without a reason")
	}
}
