package sync

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// TestLostConnections lets the connection die at a batch in every way there is, with and without UIDPLUS.
func TestLostConnections(t *testing.T) {
	fates := map[string]fate{
		"nothing stored":               {dies: true},
		"all stored, no answer":        {dies: true, stored: 1000},
		"a part stored":                {dies: true, stored: 7},
		"stored during settling":       {dies: true, stored: 1000, when: afterNextLook},
		"stored after it was repeated": {dies: true, stored: 1000, when: afterNextBatch},
		"a part stored late":           {dies: true, stored: 3, when: afterNextBatch},
	}
	for name, f := range fates {
		for _, at := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s, batch %d", name, at), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.fill("INBOX", 0, 1100)
				b.src.add("INBOX", day, letterOf(1, "twin"))
				b.src.add("INBOX", day, letterOf(1, "twin"))
				b.fill("A", 0, 20)
				b.dst.lose = func(n int) fate {
					if n == at {
						return f
					}
					return fate{}
				}
				b.pass()
				b.equal("after the pass")
				b.pass()
				b.equal("after the second look")
				b.quiet("third pass")
			})
		}
	}
}

// TestLateAfterThePass lets an append land when the pass is over: the next one removes the double.
func TestLateAfterThePass(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: whenReleased} }
	b.pass()
	b.equal("before it lands")
	b.dst.releaseAll()
	r := b.pass()
	b.equal("after the next pass")
	if r.Doubles != 30 {
		t.Errorf("%+v", r)
	}
	b.quiet("third pass")
}

// TestLateTwice: what a dead connection sent lands late, when it was sent again on a second one that dies too. It is found,
// but by which of the two it was stored nobody knows: the second one's lands later still.
func TestLateTwice(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.dst.lose = func(n int) fate {
		return fate{dies: n <= 2, stored: 100, when: []landing{afterNextDeath, whenReleased}[min(n, 2)-1]}
	}
	b.pass()
	b.equal("before the second one's lands")
	b.ledger(func(ctx context.Context, st *state.File) {
		if w, err := st.Windows(ctx); err != nil || len(w) != 2 {
			t.Errorf("%d windows are watched, %v", len(w), err)
		}
	})
	b.dst.releaseAll()
	r := b.pass()
	b.equal("after the next pass")
	if r.Doubles != 30 {
		t.Errorf("%+v", r)
	}
	b.quiet("third pass")
}

// TestLateAfterAKill: the pass that was to send again is killed before it did; what the dead connection sent lands when the
// next pass is over.
func TestLateAfterAKill(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: whenReleased} }
	killed := false
	b.with(func(ctx context.Context, o Options) {
		ctx, kill := context.WithCancel(ctx)
		defer kill()
		o.Events = func(e Event) {
			if n, is := e.(Notice); is && strings.Contains(n.Text, "sent again") {
				killed = true
				kill()
			}
		}
		if r, err := Run(ctx, o); err == nil || r.Copied > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if !killed {
		t.Fatal("nothing was recovered")
	}
	b.pass()
	b.equal("before it lands")
	b.dst.releaseAll()
	r := b.pass()
	b.equal("after the next pass")
	if r.Doubles != 30 {
		t.Errorf("%+v", r)
	}
	b.quiet("third pass")
}

// TestLateAfterMatching: what one dead connection stored is matched without a look at its bytes, then another one stores
// the same.
func TestLateAfterMatching(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.dst.lose = func(n int) fate {
		if n > 3 {
			return fate{}
		}
		return []fate{{true, 100, whenReleased}, {true, 100, afterNextLook}, {dies: true}}[n-1]
	}
	r := b.pass(func(o *Options) { o.Settle = 1 })
	if r.Matched != 30 {
		t.Fatalf("nothing was matched: %+v", r)
	}
	b.dst.releaseAll()
	r = b.pass()
	b.equal("after the next pass")
	if r.Doubles != 30 {
		t.Errorf("%+v", r)
	}
	b.quiet("third pass")
}

// TestLateDoubleWithoutUIDPlus cannot be removed and is listed.
func TestLateDoubleWithoutUIDPlus(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs = true
	b.fill("INBOX", 0, 3)
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 100, when: afterNextBatch} }
	r := b.pass()
	if r.NewExceptions != 3 {
		t.Errorf("%+v", r)
	}
}

// TestForeignMailIsNotADouble: what others deliver to the target above the floor stays.
func TestForeignMailIsNotADouble(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 0} }
	b.dst.add("INBOX", day, letterOf(5, "another body with the Message-ID of one of ours"))
	b.dst.add("INBOX", day, letterOf(5000, "foreign"))
	b.pass()
	b.pass()
	if n := len(b.dst.content("INBOX")); n != 32 {
		t.Errorf("%d messages", n)
	}
}

// TestMovedAwayWhileLost: stored by a dead connection and moved by a rule at once. It is not sent again.
func TestMovedAwayWhileLost(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 3)
	b.dst.lose = func(n int) fate {
		if n != 1 {
			return fate{}
		}
		f := b.dst.folders["INBOX"]
		f.next += 2 // two UIDs were given out and are not there any more
		return fate{dies: true, stored: 1}
	}
	r := b.pass()
	if n := len(b.dst.content("INBOX")); n != 1 || r.NewExceptions != 2 {
		t.Errorf("%d messages, %+v", n, r)
	}
}

// TestRenumberedWhileEmpty: a target that gives other UIDs while the ledger has no message of the source any more. The
// message that comes next is kept, whichever of its sendings was stored.
func TestRenumberedWhileEmpty(t *testing.T) {
	for _, made := range []string{"renumbered", "made anew"} {
		t.Run(made, func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 1)
			b.fill("A", 0, 1)
			b.pass()
			b.src.expunge("A", 1)
			b.src.renumber("A")
			b.pass()
			if made == "renumbered" {
				b.dst.renumber("A")
			} else {
				b.dst.mu.Lock()
				delete(b.dst.folders, "A")
				b.dst.mu.Unlock()
			}
			b.fill("A", 1, 2)
			b.dst.batches = 0
			b.dst.lose = func(n int) fate { return fate{dies: n < 3, stored: n - 1, when: afterNextLook} }
			b.pass()
			b.dst.releaseAll()
			b.settled()
			want := 2 // with the one that is gone on the source
			if made == "made anew" {
				want = 1
			}
			if got := b.dst.content("A"); len(got) != want {
				t.Errorf("%d messages on the target, want %d", len(got), want)
			}
		})
	}
}

// TestLostStateMatches: without a ledger nothing is copied twice, and twins stay two.
func TestLostStateMatches(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 300)
	for i := range 3 {
		b.src.add("INBOX", day, letterOf(1, fmt.Sprint("same header, body ", i)))
		b.src.add("INBOX", day, letterOf(2, "exact duplicate"))
		b.src.add("INBOX", day, fmt.Sprint("\nno header ", i))
	}
	b.pass()
	b.equal("first pass")
	b.dir = t.TempDir()
	r := b.pass()
	if r.Copied != 0 || r.Matched != 309 || b.dst.count("APPEND") != 0 {
		t.Errorf("%+v", r)
	}
	b.quiet("the pass after")
}

// TestTakeover of a half-moved mailbox copies what is missing and adds flags only.
func TestTakeover(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 20)
	for i := range 10 {
		b.dst.add("INBOX", day.Add(time.Duration(i)*time.Hour), letterOf(i, fmt.Sprintf("%0*d", 10+i%50, 0)), "$label1")
	}
	b.dst.add("INBOX", day, letterOf(999, "foreign"))
	r := b.pass()
	if r.Matched != 10 || r.Copied != 10 || len(b.dst.content("INBOX")) != 21 {
		t.Errorf("%+v, %d on the target", r, len(b.dst.content("INBOX")))
	}
}

// TestSourceUIDValidityChanged: rows are inherited, nothing that was deleted on the target comes back.
func TestSourceUIDValidityChanged(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 50)
	b.pass()
	b.dst.expunge("INBOX", 7)
	f := b.src.folders["INBOX"]
	f.validity += 1000
	for i, m := range f.messages {
		m.uid = uint32(100 + i)
	}
	f.next = 200
	b.src.add("INBOX", day, letterOf(777, "new"))
	r := b.pass()
	if r.Copied != 1 || len(b.dst.content("INBOX")) != 50 {
		t.Errorf("%+v, %d on the target", r, len(b.dst.content("INBOX")))
	}
	b.quiet("the pass after")
}

// TestTargetUIDValidityChanged: the ledger finds its messages again and flags still reach them.
func TestTargetUIDValidityChanged(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 50)
	b.pass()
	f := b.dst.folders["INBOX"]
	f.validity += 1000
	for i, m := range f.messages {
		m.uid = uint32(500 - i)
	}
	f.next = 501
	b.src.setFlags("INBOX", 9, "$label1")
	r := b.pass()
	b.equal("flags after a rebuilt target")
	if r.Copied != 0 || r.Flags != 1 {
		t.Errorf("%+v", r)
	}
	b.quiet("the pass after")
}

// TestUserRemovedTheTargetFolder: it is made again for new mail only.
func TestUserRemovedTheTargetFolder(t *testing.T) {
	b := newBench(t)
	b.fill("A", 0, 5)
	b.pass()
	delete(b.dst.folders, "A")
	b.quiet("nothing new")
	b.fill("A", 5, 6)
	b.pass()
	if n := len(b.dst.content("A")); n != 1 {
		t.Errorf("%d messages in the folder that was made again", n)
	}
}

// TestRandomLosses kills connections at random batches in random ways, many times over.
func TestRandomLosses(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			b := newBench(t)
			b.dst.multi = rng.IntN(2) == 0
			for i, f := range []string{"INBOX", "A", "B", "C/D"} {
				b.fill(f, i*10, i*10+rng.IntN(1500))
			}
			b.dst.lose = func(int) fate {
				if rng.IntN(4) > 0 {
					return fate{}
				}
				return fate{dies: true, stored: rng.IntN(600), when: landing(rng.IntN(5))}
			}
			b.pass(func(o *Options) { o.RetryFor = time.Minute }) // of a busy machine
			b.dst.lose = nil
			b.dst.releaseAll()
			b.pass()
			b.equal("after the second look")
			b.quiet("third pass")
		})
	}
}

var _ imapx.Body = (*digestOnly)(nil)
