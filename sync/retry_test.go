package sync

import (
	"context"
	"strings"
	"testing"

	"mailmove/imapx"
	"mailmove/state"
)

// withState opens the bench's state between two passes.
func (b *bench) withState(fn func(*state.File)) {
	b.t.Helper()
	f, err := state.Open(context.Background(), state.Options{Dir: b.dir, Account: "a"})
	if err != nil {
		b.t.Fatal(err)
	}
	fn(f)
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) exceptions() (all []state.Exception) {
	b.t.Helper()
	b.withState(func(f *state.File) {
		var err error
		if all, err = f.Exceptions(context.Background()); err != nil {
			b.t.Fatal(err)
		}
	})
	return all
}

func (b *bench) retry(uids ...uint32) {
	b.t.Helper()
	b.withState(func(f *state.File) {
		pairs, err := f.Pairs(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		if err := f.Retry(context.Background(), pairs[0].ID, uids); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A message that was refused is carried when it is asked for again and the target takes it; nothing else is sent. Refused
// once more it is told once more. Expunged meanwhile, it has nothing to tell.
func TestAskedAgain(t *testing.T) {
	for _, marks := range []bool{true, false} {
		b := newBench(t)
		b.src.noModSeq = !marks
		b.fill("INBOX", 0, 20)
		bad := b.src.add("INBOX", day, letterOf(900, "REFUSE"))
		worse := b.src.add("INBOX", day, letterOf(901, "REFUSE never"))
		lost := b.src.add("INBOX", day, letterOf(902, "REFUSE lost"))
		b.fill("INBOX", 20, 40)
		words := "REFUSE"
		b.dst.refuse = func(data []byte) *imapx.Error {
			if strings.Contains(string(data), words) {
				return &imapx.Error{Op: "APPEND", Text: "no", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
			}
			return nil
		}
		if r := b.pass(); r.NewExceptions != 3 || r.Copied != 40 {
			t.Fatalf("%+v", r)
		}
		words = "never"
		b.retry(bad, worse, lost)
		b.src.expunge("INBOX", lost)
		r := b.pass()
		if r.Copied != 1 || r.NewExceptions != 1 || r.Exceptions != 1 {
			t.Errorf("asked again: %+v", r)
		}
		if all := b.exceptions(); len(all) != 1 || all[0].UID != worse || all[0].AskedAgain() {
			t.Errorf("left: %+v", all)
		}
		if got := len(b.dst.content("INBOX")); got != 41 {
			t.Errorf("%d messages", got)
		}
		if r := b.pass(); r.Copied != 0 || r.NewExceptions != 0 || r.Exceptions != 1 || b.dst.count("APPEND") != 0 {
			t.Errorf("after it: %+v", r)
		}
		words = "nothing"
		b.retry(worse)
		b.pass()
		if all := b.exceptions(); len(all) != 0 || len(b.dst.content("INBOX")) != 42 {
			t.Errorf("left: %+v", all)
		}
		b.pass()
		if marks {
			b.quiet("in the end")
		}
	}
}

// The only message of a folder, and a folder whose UIDs changed meanwhile.
func TestAskedAgainAlone(t *testing.T) {
	for _, renumbered := range []bool{false, true} {
		b := newBench(t)
		bad := b.src.add("INBOX", day, letterOf(900, "REFUSE"))
		b.dst.add("INBOX", day, letterOf(1, "of the target's user"))
		refuse := true
		b.dst.refuse = func(data []byte) *imapx.Error {
			if refuse && strings.Contains(string(data), "REFUSE") {
				return &imapx.Error{Op: "APPEND", Text: "no", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
			}
			return nil
		}
		b.pass()
		refuse = false
		b.retry(bad)
		if renumbered {
			b.src.folders["INBOX"].validity++
			b.src.folders["INBOX"].messages[0].uid = 7
			b.src.folders["INBOX"].next = 8
		}
		if r := b.pass(); r.Copied != 1 || r.Exceptions != 0 || len(b.dst.content("INBOX")) != 2 {
			t.Errorf("renumbered %v: %+v", renumbered, r)
		}
	}
}

func TestAcceptedIsCounted(t *testing.T) {
	b := newBench(t)
	b.dst.limit = 500
	b.src.add("INBOX", day, letterOf(77, strings.Repeat("y", 600)))
	b.src.add("INBOX", day, letterOf(78, strings.Repeat("y", 600)))
	b.pass()
	b.withState(func(f *state.File) {
		all, err := f.Exceptions(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Accept(context.Background(), []int64{all[0].ID}); err != nil {
			t.Fatal(err)
		}
	})
	if r := b.pass(); r.Exceptions != 2 || r.Accepted != 1 || r.NewExceptions != 0 {
		t.Errorf("%+v", r)
	}
}
