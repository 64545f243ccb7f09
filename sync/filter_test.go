package sync

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/state"
)

// newer is a filter of a pass that carries what arrived n hours after day, or later. bench.fill dates its messages so.
func newer(n int) func(*Options) {
	return func(o *Options) { o.Filter.NewerThan = day.Add(time.Duration(n) * time.Hour) }
}

// ledger looks into the state between passes.
func (b *bench) ledger(look func(context.Context, *state.File)) {
	b.t.Helper()
	ctx := context.Background()
	st, err := state.Open(ctx, state.Options{Dir: b.dir, Account: "a"})
	if err != nil {
		b.t.Fatal(err)
	}
	defer st.Close()
	look(ctx, st)
}

// statuses counts ledger rows by status.
func (b *bench) statuses() map[state.Status]int {
	b.t.Helper()
	out := make(map[state.Status]int)
	b.ledger(func(ctx context.Context, st *state.File) {
		pairs, err := st.Pairs(ctx)
		for _, p := range pairs {
			if err == nil {
				err = st.Rows(ctx, p.ID, 0, func(r state.Row) error { out[r.Status]++; return nil })
			}
		}
		if err != nil {
			b.t.Fatal(err)
		}
	})
	return out
}

// adds checks that every message of the source is accounted for.
func (b *bench) adds(when string, deferred int) {
	b.t.Helper()
	n, all := b.statuses(), 0
	for _, f := range b.src.folders {
		all += len(f.messages)
	}
	sum := n[state.Stored] + n[state.Moved] + n[state.Gone] + n[state.Refused] + n[state.Deferred]
	if sum != all || n[state.Deferred] != deferred {
		b.t.Fatalf("%s: %d messages on the source, %d deferred expected, the state has %v", when, all, deferred, n)
	}
}

func TestFilterPasses(t *testing.T) {
	at := day.Unix()
	for _, c := range []struct {
		name       string
		f          Filter
		date, size int64
		want       bool
	}{
		{"no filter", Filter{}, at, 1 << 40, true},
		{"newer, at the moment", Filter{NewerThan: day}, at, 1, true},
		{"newer, before", Filter{NewerThan: day}, at - 1, 1, false},
		{"older, at the moment", Filter{OlderThan: day}, at, 1, false},
		{"older, before", Filter{OlderThan: day}, at - 1, 1, true},
		{"between", Filter{NewerThan: day.Add(-time.Hour), OlderThan: day}, at - 60, 1, true},
		{"no date", Filter{NewerThan: day, OlderThan: day}, 0, 1, true},
		{"a date of 1970", Filter{NewerThan: day}, 3600, 1, true},
		{"a date to come", Filter{OlderThan: day}, time.Now().AddDate(0, 0, 3).Unix(), 1, true},
		{"as large as allowed", Filter{MaxSize: 10}, at, 10, true},
		{"larger", Filter{MaxSize: 10}, at, 11, false},
		{"larger and without a date", Filter{MaxSize: 10}, 0, 11, false},
	} {
		if got := c.f.passes(c.date, c.size); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// The whole story of a pre-staging: the newest first, more later, then everything; each message once.
func TestFilterThenWithout(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 100)
	b.fill("A", 200, 260)
	b.src.add("A", time.Time{}, letterOf(900, "no date"), imap.FlagSeen)
	r := b.pass(newer(70))
	if r.Copied != 91 || r.Deferred != 70 || r.Exceptions != 1 {
		t.Errorf("%+v", r)
	}
	if n := b.bodies(); n != 91 {
		t.Errorf("%d bodies were fetched for 91 messages", n)
	}
	b.adds("first pass", 70)
	b.src.forget()
	if r = b.pass(newer(70)); r.Copied != 0 || r.Deferred != 70 || b.src.count("FETCH") != 0 {
		t.Errorf("nothing changed: %+v, %v", r, b.src.commands)
	}

	b.fill("INBOX", 60, 62) // new on the source, old by their dates
	b.fill("INBOX", 100, 103)
	if r = b.pass(newer(70)); r.Copied != 3 || r.Deferred != 72 || b.bodies() != 3 {
		t.Errorf("delta: %+v, %d bodies", r, b.bodies())
	}
	b.adds("delta", 72)

	b.src.setFlags("INBOX", 5, imap.FlagAnswered) // deferred: carried with the flags that it has then
	if r = b.pass(newer(40)); r.Copied != 32 || r.Deferred != 40 || r.Flags != 0 {
		t.Errorf("a wider filter: %+v", r)
	}
	b.adds("a wider filter", 40)
	r = b.pass(func(o *Options) { o.Filter.MaxSize = 40 }, func(o *Options) { o.DryRun = true })
	if r.Copied != 0 || r.Deferred != 40 {
		t.Errorf("dry run: %+v", r)
	}

	if r = b.pass(); r.Copied != 40 || r.Deferred != 0 {
		t.Errorf("without a filter: %+v", r)
	}
	b.adds("without a filter", 0)
	b.src.setFlags("A", 61) // the one without a date has another on the target, which the referee would see
	b.src.expunge("A", 61)
	b.dst.expunge("A", 61)
	b.pass()
	b.equal("without a filter")
	b.quiet("after that")
}

// bodies counts the bodies that a pass fetched.
func (b *bench) bodies() int {
	b.src.mu.Lock()
	defer b.src.mu.Unlock()
	return b.src.bodies
}

func TestFilterDryRunCounts(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 50)
	dry := func(o *Options) { o.DryRun = true }
	if r := b.pass(dry, newer(20)); r.Deferred != 20 || r.ToCopy != 30 {
		t.Errorf("%+v", r)
	}
	b.pass(newer(20))
	b.fill("INBOX", 5, 7)
	for _, c := range []struct {
		change         func(*Options)
		copy, deferred int64
	}{{newer(20), 0, 22}, {newer(10), 10, 12}, {newer(6), 15, 7}, {func(*Options) {}, 22, 0}} {
		if r := b.pass(dry, c.change); r.Deferred != c.deferred || r.ToCopy != c.copy {
			t.Errorf("%+v, want %d to copy, %d deferred", r, c.copy, c.deferred)
		}
	}
	if n := b.statuses(); n[state.Stored] != 30 || n[state.Deferred] != 20 {
		t.Errorf("a dry run wrote: %v", n)
	}
}

// Messages that are removed on the source while they are deferred are not missed, with or without new mail.
func TestDeferredVanish(t *testing.T) {
	for name, prepare := range map[string]func(*bench){
		"with UIDPLUS": func(*bench) {}, "without": func(b *bench) { b.dst.noUIDs = true },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			prepare(b)
			b.fill("INBOX", 0, 50)
			b.pass(newer(30))
			b.src.expunge("INBOX", 3)
			if r := b.pass(newer(30)); r.Deferred != 29 {
				t.Errorf("%+v", r)
			}
			b.adds("removed", 29)
			b.src.expunge("INBOX", 4)
			b.fill("INBOX", 60, 61)
			if r := b.pass(); r.Deferred != 0 || r.Copied != 29 {
				t.Errorf("%+v", r)
			}
			b.adds("removed, and carried", 0)
			b.equal("at the end")
			b.quiet("after that")
		})
	}
}

// A message that goes between the listing and the read of its body leaves no row behind.
func TestDeferredVanishesWhileItIsCarried(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.pass(newer(5))
	b.src.before = func(verb string) {
		if verb == "FETCH" {
			b.src.before = nil
			f := b.src.folders["INBOX"]
			f.messages = f.messages[1:]
			f.modseq++
		}
	}
	if r := b.pass(); r.Deferred != 0 || r.Copied != 4 {
		t.Errorf("%+v", r)
	}
	b.adds("vanished", 0)
	b.pass()
	b.equal("at the end")
}

// New UIDs: nothing of a deferred row holds any more.
func TestDeferredAndNewUIDs(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.pass(newer(20))
	b.src.renumber("INBOX")
	if r := b.pass(newer(15)); r.Copied != 5 || r.Deferred != 15 {
		t.Errorf("%+v", r)
	}
	b.adds("renumbered", 15)
	b.src.renumber("INBOX")
	if r := b.pass(); r.Copied != 15 || r.Deferred != 0 {
		t.Errorf("%+v", r)
	}
	b.adds("renumbered again", 0)
	b.equal("at the end")
	b.quiet("after that")
}

// UIDs that are used again, where all that the ledger knows of them is date and size.
func TestDeferredUIDsReused(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.pass(newer(100))
	f := b.src.folders["INBOX"]
	f.messages, f.next = nil, 1
	for i := range 12 {
		b.src.add("INBOX", day.AddDate(0, 1, i), letterOf(500+i, strings.Repeat("other", i+9)), imap.FlagSeen)
	}
	if r := b.pass(); r.Copied != 12 || r.Deferred != 0 {
		t.Errorf("%+v", r)
	}
	b.equal("reused")
}

// Without a ledger the target is looked at first: what is there already is matched, not deferred.
func TestFilterOnUsedTarget(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 20)
	b.pass()
	b.dir = t.TempDir()
	b.fill("INBOX", 20, 30)
	if r := b.pass(newer(25)); r.Matched != 20 || r.Deferred != 5 || r.Copied != 5 {
		t.Errorf("%+v", r)
	}
	b.adds("matched", 5)
	if r := b.pass(); r.Copied != 5 {
		t.Errorf("%+v", r)
	}
	b.equal("at the end")
}

// A folder that goes takes its deferred rows along; the same folder that comes back is read again.
func TestDeferredFolderGoesAndComesBack(t *testing.T) {
	b := newBench(t)
	b.fill("A", 0, 10)
	b.fill("INBOX", 20, 21)
	b.pass(newer(5))
	away := b.src.folders["A"]
	delete(b.src.folders, "A")
	if r := b.pass(newer(5)); r.Deferred != 0 {
		t.Errorf("%+v", r)
	}
	b.src.folders["A"] = away
	if r := b.pass(newer(2)); r.Deferred != 2 || r.Copied != 3 {
		t.Errorf("%+v", r)
	}
	b.pass()
	b.adds("back", 0)
	b.equal("back")
}

// A folder error in the middle makes the pair be tried again: what was carried by then is not carried once more.
func TestResumedAndTriedAgain(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 40)
	b.pass(newer(30))
	b.src.failOnce = 20
	if r := b.pass(); r.Copied != 30 {
		t.Errorf("%+v", r)
	}
	b.equal("tried again")
	if n := len(b.dst.content("INBOX")); n != 40 {
		t.Errorf("%d messages", n)
	}
}

// A pass that dies anywhere between the rows and the marks.
func TestFilterInterrupted(t *testing.T) {
	for n := 1; n <= 4; n++ {
		t.Run(fmt.Sprint("batch ", n), func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 1300)
			b.fill("A", 2000, 2100)
			b.dst.lose = func(k int) fate { return fate{dies: k == n, stored: 100, when: landing(n % 4)} }
			if _, err := b.run(newer(100), func(o *Options) { o.RetryFor = time.Nanosecond }); err == nil && n < 3 {
				t.Fatal("the pass did not die")
			}
			b.dst.lose = nil
			b.dst.releaseAll()
			b.pass(newer(600)) // narrower: what an intent names goes on all the same
			b.pass(newer(50))
			b.adds("after", 50)
			b.pass()
			b.adds("at the end", 0)
			b.equal("at the end")
			b.quiet("after that")
		})
	}
}

// Messages that move on the source: what was carried moves along whatever the filter says, what was deferred stays so.
func TestFilterAndMoves(t *testing.T) {
	b := newBench(t)
	b.fill("A", 0, 20)
	b.src.folder("B")
	b.pass(newer(10))
	b.src.move("A", 20, "B") // carried
	b.src.move("A", 3, "B")  // deferred
	if r := b.pass(newer(100)); r.Followed != 1 || r.Copied != 0 || r.Deferred != 10 {
		t.Errorf("%+v", r)
	}
	b.adds("moved", 10)
	b.src.move("B", 2, "A") // and back
	if r := b.pass(); r.Copied != 10 || r.Deferred != 0 || r.Followed != 0 {
		t.Errorf("%+v", r)
	}
	b.adds("at the end", 0)
	b.equal("at the end")
	b.quiet("after that")
}

// What servers leave out makes a pass dearer, not wrong.
func TestFilterOnPlainServers(t *testing.T) {
	for name, set := range map[string]func(*bench){
		"without mod-sequences": func(b *bench) { b.src.noModSeq = true },
		"without UIDPLUS":       func(b *bench) { b.dst.noUIDs = true },
		"without MULTIAPPEND":   func(b *bench) { b.dst.multi = false },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			set(b)
			b.fill("INBOX", 0, 40)
			b.pass(newer(25))
			b.fill("INBOX", 10, 12)
			b.fill("INBOX", 40, 43)
			b.src.setFlags("INBOX", 2, imap.FlagFlagged)
			if r := b.pass(newer(25)); r.Copied != 3 || r.Deferred != 27 || r.Flags != 0 {
				t.Errorf("%+v", r)
			}
			b.adds("delta", 27)
			if r := b.pass(newer(5)); r.Copied != 22 || r.Deferred != 5 {
				t.Errorf("%+v", r)
			}
			if r := b.pass(); r.Copied != 5 || r.Deferred != 0 {
				t.Errorf("%+v", r)
			}
			b.adds("at the end", 0)
			b.equal("at the end")
		})
	}
}
