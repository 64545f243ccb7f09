package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/state"
)

// reversed is an account after its final pass, with n new messages on the target.
func reversed(t *testing.T, n int) *bench {
	t.Helper()
	b := newBench(t)
	b.fill("INBOX", 0, 5)
	b.mustFinal()
	for i := range n {
		b.dst.add("INBOX", day.Add(time.Duration(900+i)*time.Hour), letterOf(600+i, "came there"))
	}
	return b
}

// staysSo makes passes that have nothing to carry.
func (b *bench) staysSo(when string, want []string) {
	b.t.Helper()
	if r := b.pass(); r.Copied != 0 {
		b.t.Fatalf("%s: %+v\n%s", when, r, b.notices())
	}
	if got := b.dst.content("INBOX"); !slices.Equal(got, want) {
		b.t.Fatalf("%s: the target has\n%s\nand had\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// lateOnSource counts the late doubles that are told.
func (b *bench) lateOnSource() (n int) {
	b.ledger(func(ctx context.Context, st *state.File) {
		list, err := st.Exceptions(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range list {
			if e.Reason == reasonLateDouble {
				n++
			}
		}
	})
	return n
}

// TestLateBackTwice: two connections of the way back die with the same messages, and what both had sent lands when that
// pass is over. No tail carries either of them.
func TestLateBackTwice(t *testing.T) {
	b := reversed(t, 3)
	want := b.dst.content("INBOX")
	b.src.lose = func(n int) fate { return fate{dies: n <= 2, stored: 100, when: whenReleased} }
	if r, err := b.reverse(); err != nil || r.Copied != 3 {
		t.Fatalf("%v %+v", err, r)
	}
	b.src.releaseAll()
	if n := len(b.src.content("INBOX")); n != 5+3*3 {
		t.Fatalf("%d messages on the source", n)
	}
	b.staysSo("the first tail", want)
	if n := b.lateOnSource(); n != 6 {
		t.Errorf("%d late doubles are told", n)
	}
	b.staysSo("the second tail", want)
	if r, err := b.reverse(); err != nil || r.Copied != 0 {
		t.Errorf("%v %+v", err, r)
	}
}

// TestLateBackAfterAKill: the reverse pass is killed before it sent again what a dead connection stores late. A tail would
// take that for new mail: it is refused until a reverse pass has settled it.
func TestLateBackAfterAKill(t *testing.T) {
	b := reversed(t, 3)
	want := b.dst.content("INBOX")
	b.src.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: whenReleased} }
	killed := false
	b.with(func(ctx context.Context, o Options) {
		ctx, kill := context.WithCancel(ctx)
		defer kill()
		o.ConnectSource, o.ConnectTarget = b.dst.newSide, b.src.oldSide
		o.Events = func(e Event) {
			if n, is := e.(Notice); is && strings.Contains(n.Text, "sent again") {
				killed = true
				kill()
			}
		}
		if r, err := Reverse(ctx, o); err == nil || r.Copied > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if !killed {
		t.Fatal("nothing was recovered")
	}
	b.src.releaseAll()
	for range 2 {
		if r, err := b.run(); !errors.Is(err, state.ErrReverseOpen) {
			t.Fatalf("a tail: %v %+v", err, r)
		}
	}
	if _, err := b.reverse(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.src.content("INBOX")); n != 5+3 {
		t.Errorf("%d messages on the source", n)
	}
	b.staysSo("a tail", want)
	b.staysSo("another", want)
}

// TestLateBackUnwatched: the reverse pass is killed once it had sent again, before its own second look; what the dead
// connection stores lands after the first tail.
func TestLateBackUnwatched(t *testing.T) {
	b := reversed(t, 3)
	want := b.dst.content("INBOX")
	b.src.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: whenReleased} }
	b.with(func(ctx context.Context, o Options) {
		ctx, kill := context.WithCancel(ctx)
		defer kill()
		o.ConnectSource, o.ConnectTarget, o.LateWindow = b.dst.newSide, b.src.oldSide, time.Hour
		o.Events = func(e Event) {
			if _, is := e.(FolderDone); is {
				kill()
			}
		}
		if r, err := Reverse(ctx, o); err == nil || r.Copied != 3 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	b.staysSo("the first tail", want)
	b.src.releaseAll()
	b.staysSo("the second tail", want)
	if n := b.lateOnSource(); n != 3 {
		t.Errorf("%d late doubles are told", n)
	}
	b.staysSo("the third tail", want)
}

// TestLateBackAndReopened: what tells a late double from new mail is not forgotten before it was looked for.
func TestLateBackAndReopened(t *testing.T) {
	b := reversed(t, 3)
	want := b.dst.content("INBOX")
	b.src.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: whenReleased} }
	if r, err := b.reverse(); err != nil || r.Copied != 3 {
		t.Fatalf("%v %+v", err, r)
	}
	b.src.releaseAll()
	b.ledger(func(ctx context.Context, st *state.File) {
		if err := st.Reopen(ctx); !errors.Is(err, state.ErrReverseOpen) {
			t.Fatal(err)
		}
	})
	b.staysSo("a tail", want)
	b.reopen()
	b.staysSo("reopened", want)
	b.staysSo("again", want)
}

// TestMovedOutOfLateFolder: mail that people moved out of a folder that the target got only after the way back had begun is
// no new mail on the way back.
func TestMovedOutOfLateFolder(t *testing.T) {
	b := newBench(t)
	b.src.add("A", day, letterOf(1, "first"))
	b.mustFinal()
	b.src.move("A", 1, "A/B") // its copy stays, so the target gets no folder for it
	b.pass()
	if _, err := b.reverse(); err != nil {
		t.Fatal(err)
	}
	b.src.add("A/B", day, letterOf(2, "second"))
	if r := b.pass(); r.Copied != 1 {
		t.Fatalf("%+v", r)
	}
	b.dst.move("A/B", 1, "INBOX")
	if r, err := b.reverse(); err != nil || r.Copied != 0 || len(b.src.content("INBOX")) != 0 {
		t.Errorf("%v %+v, %d in the source's INBOX", err, r, len(b.src.content("INBOX")))
	}
}
