package state

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

const testAccount = "alice@old.example"

// openTest opens a file for writing and closes it with the test.
func openTest(t *testing.T, dir string) *File {
	t.Helper()
	f, err := Open(context.Background(), testOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func testOptions(dir string) Options {
	return Options{Dir: dir, Account: testAccount, Source: "alice@old.example:993", Target: "alice@new.example:993"}
}

func testPair(t *testing.T, f *File, name string) int64 {
	t.Helper()
	p := Pair{Source: name, Target: name, SourceName: name, TargetName: name}
	must(t, f.PutPair(context.Background(), &p))
	return p.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testRow makes a row that differs from every other in each column.
func testRow(uid uint32) Row {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(nil, uid))
	return Row{
		SourceUID: uid, TargetUID: uid + 1000, Fingerprint: [16]byte(sum[:16]), Digest: [16]byte(sum[16:]),
		Size: int64(uid) * 17, Date: 800_000_000 + int64(uid), Flags: []string{"", `\Seen`, `\Answered \Seen`}[uid%3],
	}
}

func testRows(from, to uint32) []Row {
	var rows []Row
	for uid := from; uid <= to; uid++ {
		rows = append(rows, testRow(uid))
	}
	return rows
}

// maybe gives rows as an intent has them: not stored yet.
func maybe(rows []Row) []Row {
	open := make([]Row, len(rows))
	for i, r := range rows {
		r.TargetUID = 0
		open[i] = r
	}
	return open
}

func TestEverythingComesBack(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "with ? # % and blank")
	f, err := Open(ctx, testOptions(dir))
	must(t, err)
	if !f.Fresh() {
		t.Error("a new file is not fresh")
	}
	pass, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	hostile := "a\x00b\xff'); DROP TABLE ledger; --\n\x1b[2J"
	p := Pair{Source: hostile, Target: "INBOX", SourceName: hostile, TargetName: "INBOX", SourceMailboxID: "m1"}
	must(t, f.PutPair(ctx, &p))
	source, target := Mark{1, 2, 3, 1<<63 + 5}, Mark{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 7}
	must(t, f.CommitMarks(ctx, p.ID, source, target))
	w := Window{Pair: p.ID, Pass: pass, UIDValidity: 9, Floor: 1001, Rows: maybe(testRows(1, 77))}
	w.Rows[0].Flags = hostile
	must(t, f.Intend(ctx, &w))
	rows := testRows(1, 77)
	rows[0].Flags = hostile
	rows[1].Digest = [16]byte{}
	must(t, f.Record(ctx, w.ID, rows, true))
	must(t, f.EndPass(ctx, pass, PassRecord{Result: ResultDone, Copied: 77}))
	if f.Fresh() {
		t.Error("fresh after a pass that is done")
	}
	must(t, f.Close())
	must(t, f.Close())
	if err := f.PutPair(ctx, &p); !errors.Is(err, ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}

	f = openTest(t, dir)
	if f.Fresh() {
		t.Error("fresh after a pass that is done, opened again")
	}
	pairs, err := f.Pairs(ctx)
	must(t, err)
	want := p
	want.SourceMark, want.TargetMark = source, target
	if len(pairs) != 1 || pairs[0] != want {
		t.Errorf("pairs %+v, want %+v", pairs, want)
	}
	var got []Row
	must(t, f.Rows(ctx, p.ID, 0, func(r Row) error { got = append(got, r); return nil }))
	if len(got) != len(rows) {
		t.Fatalf("%d rows, want %d", len(got), len(rows))
	}
	for i := range got {
		if got[i] != rows[i] {
			t.Errorf("row %+v, want %+v", got[i], rows[i])
		}
	}
	must(t, f.Close())
}

func dirOf(f *File) string { return filepath.Dir(f.Path()) }
