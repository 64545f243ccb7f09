package state

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// broken is a body that cannot be read to its end.
type broken struct{}

func (broken) WriteTo(w io.Writer) (int64, error) {
	n, _ := w.Write([]byte("half"))
	return int64(n), io.ErrUnexpectedEOF
}

// What is kept is swept once no exception names it, bounded, gone with the account, and never half there.
func TestQuarantine(t *testing.T) {
	ctx, o := context.Background(), testOptions(t.TempDir())
	f, err := Open(ctx, o)
	must(t, err)
	pair := testPair(t, f, "INBOX")
	validity := uint32(0)
	pairs, err := f.Pairs(ctx)
	must(t, err)
	for _, p := range pairs {
		validity = p.SourceMark.UIDValidity
	}
	keep := func(uid uint32, size int64, body io.WriterTo) error {
		_, err := f.Keep(Kept{pair, validity, uid}, size, time.Unix(1e9, 0), body)
		return err
	}
	for uid := range uint32(3) {
		must(t, keep(uid+1, 4, bytes.NewBufferString("mail")))
	}
	if err := keep(9, 4, broken{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a message: %v", err)
	}
	if err := keep(9, quarantineMost-11, bytes.NewBufferString("x")); !errors.Is(err, ErrQuarantineFull) {
		t.Errorf("over the limit: %v", err)
	}
	dir := Quarantine(o.Dir, o.Account)
	for _, name := range []string{"1-1-1.eml.part", "an admin's note"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	if files, err := KeptFiles(o.Dir, o.Account); err != nil || len(files) != 3 {
		t.Errorf("%v, %v", files, err)
	}
	_, err = f.PutException(ctx, Exception{Pair: pair, UID: 2, Reason: "refused", LastPass: 1})
	must(t, err)
	must(t, f.SweepKept(ctx, []string{"refused"}))
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	if got := names(); len(got) != 2 || got[1] != "an admin's note" || got[0] != (Kept{pair, validity, 2}).name() {
		t.Errorf("after the sweep: %q", got)
	}
	must(t, f.Close())
	r, err := Remove(ctx, o.Dir, o.Account)
	must(t, err)
	if got := names(); len(got) != 1 || r.Bytes < 4 {
		t.Errorf("after forgetting: %q, %+v", got, r)
	}
}

// TestMoveKept: files follow their messages, also where two change places, and what a death leaves half-named goes.
func TestMoveKept(t *testing.T) {
	for _, to := range []uint32{7, 8} {
		ctx, o := context.Background(), testOptions(t.TempDir())
		f := openTest(t, o.Dir)
		pair := testPair(t, f, "INBOX")
		for uid, text := range map[uint32]string{1: "one", 2: "two", 3: "three"} {
			path, err := f.Keep(Kept{pair, 7, uid}, 4, time.Time{}, bytes.NewBufferString(text))
			must(t, err)
			_, err = f.PutException(ctx, Exception{Pair: pair, UID: uid, Reason: "refused", Detail: "no; kept: " + path, LastPass: 1})
			must(t, err)
		}
		moved := map[uint32]uint32{1: 2, 2: 1, 9: 10}
		must(t, f.MoveKept(ctx, pair, 7, to, moved))
		must(t, f.Rekey(ctx, pair, moved))
		must(t, f.CommitMarks(ctx, pair, Mark{UIDValidity: to, UIDNext: 1}, Mark{}))
		dir := Quarantine(o.Dir, o.Account)
		must(t, os.WriteFile(filepath.Join(dir, "1-1-1.eml.move"), nil, 0o600))
		must(t, f.SweepKept(ctx, []string{"refused"}))
		list, err := f.Exceptions(ctx)
		must(t, err)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 || len(list) != 2 {
			t.Errorf("%v, %v, %+v", entries, err, list)
		}
		for _, e := range list {
			_, path, _ := strings.Cut(e.Detail, "; kept: ")
			data, err := os.ReadFile(filepath.Join(o.Dir, path))
			if want := map[uint32]string{2: "one", 1: "two"}[e.UID]; err != nil || string(data) != want {
				t.Errorf("UID %d: %q, %v", e.UID, data, err)
			}
		}
	}
}
