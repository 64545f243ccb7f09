package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/state"
)

// final is one final pass of the bench.
func (b *bench) final(f FinalOptions, change ...func(*Options)) (r FinalReport, err error) {
	b.t.Helper()
	b.with(func(ctx context.Context, o Options) { r, err = Final(ctx, o, f) }, change...)
	return r, err
}

// reverse carries back.
func (b *bench) reverse(change ...func(*Options)) (r Report, err error) {
	b.t.Helper()
	b.with(func(ctx context.Context, o Options) {
		o.ConnectSource, o.ConnectTarget = b.dst.newSide, b.src.oldSide
		r, err = Reverse(ctx, o)
	}, change...)
	return r, err
}

// newSide and oldSide are the connections of a reverse pass: errors name the sides as people do.
func (s *fakeServer) newSide(context.Context) (Source, error) {
	return &fakeConn{fakeServer: s, side: "target"}, nil
}
func (s *fakeServer) oldSide(context.Context) (Target, error) {
	return &fakeConn{fakeServer: s, side: "source"}, nil
}

// reopen takes a final pass back.
func (b *bench) reopen() {
	b.t.Helper()
	b.ledger(func(ctx context.Context, st *state.File) {
		if err := st.Reopen(ctx); err != nil {
			b.t.Fatal(err)
		}
	})
}

// mustFinal is a final pass that ends clean.
func (b *bench) mustFinal() FinalReport {
	b.t.Helper()
	r, err := b.final(FinalOptions{})
	if err != nil {
		b.t.Fatalf("final: %v %+v", err, r)
	}
	return r
}

func (b *bench) notices() string {
	var out []string
	for _, e := range b.events {
		if n, is := e.(Notice); is {
			out = append(out, n.Text)
		}
	}
	return strings.Join(out, "\n")
}

func TestFinalEndsWhenNothingIsNew(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 20)
	if r := b.mustFinal(); r.Passes != 2 || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	b.equal("final")
	if r := b.mustFinal(); r.Passes != 1 {
		t.Errorf("again: %+v", r)
	}
}

// A source that has something new in each pass ends bounded, is not final, and everything seen is carried.
func TestFinalIsBounded(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 20)
	n := 100
	r, err := b.final(FinalOptions{Passes: 3}, func(o *Options) {
		inner := o.Events
		o.Events = func(e Event) {
			inner(e)
			if _, is := e.(PassEnded); is {
				n++
				b.fill("INBOX", n, n+1)
			}
		}
	})
	if !errors.Is(err, ErrChanging) || r.Passes != 3 || len(b.dst.content("INBOX")) != 22 {
		t.Fatalf("%v %+v", err, r)
	}
	b.pass()
	b.equal("not final: an ordinary pass")
	if strings.Contains(b.notices(), "final") {
		t.Error(b.notices())
	}
}

func TestFinalComparesBothSides(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 200)
	b.pass()
	// A fault on the target takes more than people do.
	for uid := uint32(1); uid <= 60; uid++ {
		b.dst.expunge("INBOX", uid)
	}
	r, err := b.final(FinalOptions{})
	if !errors.Is(err, ErrNotEqual) || !strings.Contains(r.Why, "60 of 200") {
		t.Fatalf("%v %+v", err, r)
	}
	if _, err := b.final(FinalOptions{}, func(o *Options) { o.RecopyGone = true }); err != nil {
		t.Fatal(err)
	}
	// Whatever the comparison says decides.
	said := func(n int64, e error) FinalOptions {
		return FinalOptions{Verify: func(context.Context) (Unexplained, error) { return Unexplained{Differences: n}, e }}
	}
	if r, err := b.final(said(7, nil)); !errors.Is(err, ErrNotEqual) || r.Differences != 7 {
		t.Errorf("%v %+v", err, r)
	}
	own := errors.New("own")
	if _, err := b.final(said(0, own)); !errors.Is(err, own) {
		t.Error(err)
	}
	// A message that comes between the last pass and the comparison is not explained by anything.
	b.src.before = func(verb string) {
		if verb == "LIST" && b.src.count0("LIST") == 2 { // the pass lists once
			b.src.folders["INBOX"].add(day, []byte(letterOf(999, "late")), nil)
		}
	}
	r, err = b.final(FinalOptions{})
	b.src.before = nil
	if !errors.Is(err, ErrNotEqual) || r.Differences != 1 || !strings.Contains(r.Why, "INBOX has 201 messages on the source") {
		t.Errorf("%v %+v", err, r)
	}
}

// count0 is count with the lock held.
func (s *fakeServer) count0(verb string) (n int) {
	for _, c := range s.commands {
		if c == verb {
			n++
		}
	}
	return n
}

// The cron line that nobody removed carries new mail and nothing else.
func TestAfterFinalNewMailOnly(t *testing.T) {
	for name, mode := range map[string]Mode{"ordinary": Ordinary, "tail": Tail} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 10)
			b.fill("A", 20, 30)
			b.fill("Lists", 40, 43)
			b.mustFinal()
			before := b.dst.content("A")
			// Lived in: read, moved, renamed, deleted.
			b.dst.setFlags("INBOX", 1)
			b.dst.move("INBOX", 2, "Mine")
			b.dst.expunge("INBOX", 3)
			// And on the old side the same goes on.
			b.src.setFlags("A", 2, imap.FlagFlagged, imap.FlagDeleted)
			b.src.expunge("A", 4)
			b.src.move("A", 5, "INBOX")
			b.src.move("INBOX", 6, "Only moved here")
			b.src.mu.Lock()
			b.src.rename("Lists", "Renamed")
			b.src.mu.Unlock()
			b.src.folder("Empty")
			b.fill("New", 100, 102)
			b.src.add("INBOX", day, letterOf(200, "new"))
			r := b.pass(func(o *Options) { o.Mode = mode })
			if r.Copied != 3 || r.Flags+r.Followed+r.Gone+r.Moved != 0 || r.FoldersCreated != 1 {
				t.Errorf("%+v", r)
			}
			for _, verb := range []string{"STORE", "MOVE", "RENAME", "EXPUNGE"} {
				if n := b.dst.count(verb); n > 0 {
					t.Errorf("%d times %s on the target", n, verb)
				}
			}
			if after := b.dst.content("A"); !slices.Equal(before, after) || b.dst.folders["Empty"] != nil || b.dst.folders["Only moved here"] != nil || b.dst.folders["Renamed"] != nil {
				t.Errorf("%v, then %v", before, after)
			}
			if told := strings.Contains(b.notices(), "only new mail is carried"); told != (mode == Ordinary) {
				t.Error(b.notices())
			}
			if r := b.pass(func(o *Options) { o.Mode = mode }); r.Copied != 0 {
				t.Errorf("again: %+v", r)
			}
		})
	}
}

func TestReopened(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.mustFinal()
	b.reopen()
	b.src.setFlags("INBOX", 1, imap.FlagFlagged)
	if r := b.pass(); r.Flags != 1 {
		t.Errorf("%+v", r)
	}
	b.equal("reopened")
}

func TestTailNeedsALedger(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	if _, err := b.run(func(o *Options) { o.Mode = Tail }); !errors.Is(err, ErrNoLedger) {
		t.Error(err)
	}
	if _, err := b.reverse(); !errors.Is(err, ErrNotFinal) {
		t.Error(err)
	}
}

// What came to the target goes back once, with its folder, date and flags; nothing of the source does, wherever people
// moved it; and no later pass carries any of it again.
func TestReverse(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.fill("A", 20, 30)
	b.dst.add("Junk", day, letterOf(500, "was there before"))
	b.dst.add("INBOX", day, letterOf(501, "this too"))
	b.mustFinal()
	b.fill("INBOX", 10, 12)
	b.pass() // a tail
	late := day.Add(999 * time.Hour)
	b.dst.add("INBOX", late, letterOf(600, "new"), imap.FlagSeen, "$label1")
	b.dst.add("Junk", late, letterOf(601, "spam"))
	b.dst.add("Made there", late, letterOf(602, "mine"))
	b.dst.folder("Empty there")
	b.dst.move("A", 2, "Made there")
	b.dst.move("INBOX", 12, "A") // what the tail brought
	b.dst.setFlags("INBOX", 3, imap.FlagFlagged)
	b.dst.expunge("INBOX", 4)
	inbox, a := b.src.content("INBOX"), b.src.content("A")
	r, err := b.reverse()
	if err != nil || r.Copied != 3 || r.Exceptions != 0 || r.FoldersCreated != 2 {
		t.Fatalf("%v %+v", err, r)
	}
	if got := b.src.content("INBOX"); len(got) != len(inbox)+1 || !slices.Equal(b.src.content("A"), a) || b.src.folders["Empty there"] != nil {
		t.Errorf("INBOX %v", got)
	}
	for folder, n := range map[string]int{"Junk": 1, "Made there": 1} {
		if got := b.src.content(folder); len(got) != n {
			t.Errorf("%s: %v", folder, got)
		}
	}
	for _, verb := range []string{"STORE", "MOVE", "RENAME", "EXPUNGE", "DELETE"} {
		if n := b.src.count(verb); n > 0 {
			t.Errorf("%d times %s on the source", n, verb)
		}
	}
	if r, err := b.reverse(); err != nil || r.Copied != 0 {
		t.Errorf("again: %v %+v", err, r)
	}
	b.dst.add("INBOX", late, letterOf(603, "one more"))
	if r, err := b.reverse(); err != nil || r.Copied != 1 {
		t.Errorf("one more: %v %+v", err, r)
	}
	want := make(map[string][]string)
	for name := range b.dst.folders {
		want[name] = b.dst.content(name)
	}
	for _, when := range []string{"final", "reopened"} {
		if when == "reopened" {
			b.reopen()
		}
		if r := b.pass(); r.Copied+r.Matched+r.Flags+r.Followed != 0 {
			t.Errorf("%s: %+v\n%s", when, r, b.notices())
		}
		for name, list := range want {
			if got := b.dst.content(name); !slices.Equal(got, list) {
				t.Errorf("%s: %s: %v, was %v", when, name, got, list)
			}
		}
	}
	// From here on it is mail of the source like any other.
	b.src.setFlags("INBOX", b.src.folders["INBOX"].next-1, imap.FlagFlagged)
	if r := b.pass(); r.Flags != 1 {
		t.Errorf("a flag of what was carried back: %+v", r)
	}
}
