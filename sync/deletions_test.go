package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

func deletions(how Deletions, most Ceiling) func(*Options) {
	return func(o *Options) { o.Deletions, o.MaxDeletions = how, most }
}

// expunging and trashing passes that may delete all.
func toTrash(o *Options)    { o.Deletions, o.MaxDeletions = TrashDeleted, Ceiling{Percent: 100} }
func forGood(o *Options)    { o.Deletions, o.MaxDeletions = ExpungeDeleted, Ceiling{Percent: 100} }
func byDefault(o *Options)  { o.Deletions = ExpungeDeleted }
func (b *bench) left() int  { return len(b.dst.content("INBOX")) }
func (b *bench) trash() int { return len(b.dst.content("Trash")) }

// carried is a bench whose INBOX of 10 messages was carried, with a Trash on the target.
func carried(t *testing.T) *bench {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.dst.folder("Trash").use = imap.MailboxAttrTrash
	b.pass()
	return b
}

// exceptions of the reason, as the state has them.
func (b *bench) heldDeletions() (out []state.Exception) {
	b.with(func(ctx context.Context, o Options) {
		list, err := o.State.Exceptions(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range list {
			if e.Reason == reasonDeletions {
				out = append(out, e)
			}
		}
	})
	return out
}

// records are the deletions that the state has: open ones and done ones.
func (b *bench) records() (open, done int) {
	b.with(func(ctx context.Context, o Options) {
		x, err := o.State.OpenDeletions(ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		y, err := o.State.Deletions(ctx, -1)
		if err != nil {
			b.t.Fatal(err)
		}
		open, done = len(x), len(y)
	})
	return open, done
}

func TestDeletions(t *testing.T) {
	for _, c := range []struct {
		name        string
		ask         func(*Options)
		left, trash int
		deleted     int64
	}{
		{"kept", func(*Options) {}, 10, 0, 0},
		{"to the trash", toTrash, 8, 2, 2},
		{"for good", forGood, 8, 0, 2},
		{"without mod-sequences", func(o *Options) { forGood(o) }, 8, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := carried(t)
			if strings.HasPrefix(c.name, "without") {
				b.src.noModSeq, b.dst.noModSeq = true, true
			}
			b.src.expunge("INBOX", 3)
			b.src.expunge("INBOX", 4)
			r := b.pass(c.ask)
			if r.Deleted != c.deleted || b.left() != c.left || b.trash() != c.trash || r.Exceptions != 0 {
				t.Fatalf("%+v, %d left, %d in the trash", r, b.left(), b.trash())
			}
			told := int64(0)
			for _, e := range b.events {
				if d, ok := e.(MessagesDeleted); ok {
					told += d.Messages
					if d.Folder != "INBOX" || d.Target != "INBOX" || (d.Trash == "Trash") != (c.trash > 0) {
						t.Errorf("%+v", d)
					}
				}
			}
			open, done := b.records()
			if told != c.deleted || open != 0 || int64(done) != c.deleted {
				t.Errorf("%d told, %d open, %d recorded", told, open, done)
			}
			r = b.pass(c.ask)
			if n := b.dst.count("EXAMINE") + b.dst.count("STORE") + b.dst.count("EXPUNGE") + b.dst.count("MOVE"); n != 0 && c.deleted > 0 && !b.src.noModSeq || r.Deleted+r.Copied+r.Gone+r.Moved != 0 {
				t.Errorf("the next pass worked: %v %+v", b.dst.commands, r)
			}
		})
	}
}

// What mailmove did not copy, what its user changed, and what its user moved is not deleted.
func TestDeletionsOfOwnCopiesOnly(t *testing.T) {
	for _, ask := range []func(*Options){toTrash, forGood} {
		b := newBench(t)
		b.fill("INBOX", 0, 10)
		b.dst.folder("Trash").use = imap.MailboxAttrTrash
		b.dst.folder("Kept")
		m := b.src.folders["INBOX"].messages
		b.dst.add("INBOX", m[0].date, string(m[0].data), imap.FlagSeen) // a takeover: target UID 1
		b.pass()
		b.dst.setFlags("INBOX", 2, imap.FlagSeen, imap.FlagFlagged)
		b.dst.setFlags("INBOX", 3)
		b.dst.move("INBOX", 4, "Kept")
		for uid := uint32(1); uid <= 5; uid++ {
			b.src.expunge("INBOX", uid)
		}
		for range 2 {
			b.pass(ask)
		}
		there := make(map[uint32]bool)
		for _, m := range b.dst.folders["INBOX"].messages {
			there[m.uid] = true
		}
		if !there[1] || !there[2] || !there[3] || there[4] || there[5] || len(there) != 8 || len(b.dst.folders["Kept"].messages) != 1 {
			t.Errorf("on the target: %v", there)
		}
		if _, done := b.records(); done != 1 {
			t.Errorf("%d deletions recorded", done)
		}
	}
}

// A copy that was only matched stays one that is not ours where it follows a move, and one that we stored stays ours.
func TestDeletionsAfterMoves(t *testing.T) {
	for _, lost := range []bool{false, true} { // lost: the move is found by the recovery
		b := newBench(t)
		b.src.folder("A")
		b.fill("INBOX", 0, 6)
		m := b.src.folders["INBOX"].messages
		b.dst.add("INBOX", m[0].date, string(m[0].data), imap.FlagSeen)
		b.pass()
		b.src.move("INBOX", 1, "A")
		b.src.move("INBOX", 2, "A")
		b.dst.loseMove = lost
		if r := b.pass(forGood); r.Followed+r.Recovered != 2 || r.Deleted != 0 {
			t.Fatalf("%+v", r)
		}
		b.src.add("A", day, letterOf(99, "stays"))
		b.pass(forGood)
		b.src.expunge("A", 1)
		b.src.expunge("A", 2)
		if r := b.pass(forGood); r.Deleted != 1 || len(b.dst.content("A")) != 2 {
			t.Errorf("lost %v: %+v, %d in A", lost, r, len(b.dst.content("A")))
		}
	}
}

func TestCeiling(t *testing.T) {
	for _, c := range []struct {
		most   Ceiling
		copies int64
		want   int64
	}{
		{Ceiling{}, 100, 10}, {Ceiling{}, 1, 1}, {Ceiling{}, 0, 0}, {Ceiling{}, 11, 2}, {Ceiling{Percent: 50}, 9, 5},
		{Ceiling{Percent: 100}, 7, 7}, {Ceiling{Messages: 3}, 1000, 3}, {Ceiling{Percent: 1}, 1 << 40, (1<<40 + 99) / 100},
	} {
		if got := c.most.of(c.copies); got != c.want {
			t.Errorf("%v of %d: %d, not %d", c.most, c.copies, got, c.want)
		}
	}
	b := carried(t)
	b.src.expunge("INBOX", 1)
	b.src.expunge("INBOX", 2)
	for n := range 2 { // 10 % of 10 is one
		r := b.pass(byDefault)
		held := b.heldDeletions()
		if r.Deleted != 0 || b.left() != 10 || len(held) != 1 || held[0].Folder != "INBOX" || (r.NewExceptions == 1) != (n == 0) {
			t.Fatalf("%+v, %d left, %+v", r, b.left(), held)
		}
	}
	if r := b.pass(deletions(ExpungeDeleted, Ceiling{Messages: 2})); r.Deleted != 2 || r.Exceptions != 0 || b.left() != 8 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// A source that suddenly has no messages deletes nothing, and no later pass takes what was seen then for deleted.
func TestEmptySourceDeletesNothing(t *testing.T) {
	for _, ask := range []func(*Options){toTrash, forGood} {
		b := carried(t)
		kept := b.src.folders["INBOX"].messages
		b.src.folders["INBOX"].messages = nil
		b.src.folders["INBOX"].modseq++
		for n := range 2 {
			r := b.pass(ask)
			if held := b.heldDeletions(); r.Deleted != 0 || b.left() != 10 || len(held) != 1 || !strings.Contains(held[0].Detail, "no messages") || (r.NewExceptions == 1) != (n == 0) {
				t.Fatalf("%+v, %d left, %+v", r, b.left(), held)
			}
		}
		b.src.folders["INBOX"].messages = kept
		b.src.folders["INBOX"].modseq++
		if r := b.pass(ask); r.Deleted != 0 || b.left() != 10 || r.Exceptions != 0 {
			t.Fatalf("%+v, %d left", r, b.left())
		}
		b.equal("after the messages were back")
		b.src.expunge("INBOX", 7)
		if r := b.pass(ask); r.Deleted != 1 || b.left() != 9 {
			t.Errorf("%+v, %d left", r, b.left())
		}
	}
}

// A message that only moved, to a folder that is not carried or came after the listing, keeps its copy.
func TestMovedIsNotDeleted(t *testing.T) {
	b := carried(t)
	b.src.move("INBOX", 5, "Private")
	leaveOut := func(o *Options) { o.Mapping.Exclude = []string{"Private"} }
	if r := b.pass(forGood, leaveOut); r.Deleted != 0 || b.left() != 10 {
		t.Fatalf("to a folder that is left out: %+v, %d left", r, b.left())
	}
	b.src.expunge("Private", 1)
	if r := b.pass(forGood, leaveOut); r.Deleted != 1 || b.left() != 9 {
		t.Fatalf("deleted there: %+v, %d left", r, b.left())
	}

	b = carried(t)
	b.src.add("Other", day, letterOf(50, "other"))
	b.pass()
	b.src.expunge("INBOX", 5)
	looked := false
	b.src.before = func(verb string) { // the same message comes to another folder when that was looked at
		if verb == "SEARCH" && !looked {
			looked = true
			b.src.folders["Other"].add(day.Add(4*60*60*1e9), []byte(letterOf(4, strings.Repeat("x", 14))), nil)
		}
	}
	if r := b.pass(forGood); r.Deleted != 0 || !looked {
		t.Fatalf("%+v", r)
	}
	b.src.before = nil
	if r := b.pass(forGood); r.Followed != 1 || r.Deleted != 0 || len(b.dst.content("Other")) != 2 {
		t.Errorf("%+v", r)
	}
}

// Connections that die while copies are deleted: each is deleted once or not at all, and no mark stays.
func TestDeletionsAndLostConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func(*Options)
		set  func(*fakeServer)
	}{
		{"marked", forGood, func(s *fakeServer) { s.expunges = diesMarked }},
		{"expunged", forGood, func(s *fakeServer) { s.expunges = diesExpunged }},
		{"moved", toTrash, func(s *fakeServer) { s.loseMove = true }},
		{"copied", toTrash, func(s *fakeServer) { s.expunges, s.noMove = copiesAndDies, true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, again := range []bool{true, false} {
				b := carried(t)
				b.src.expunge("INBOX", 3)
				b.src.expunge("INBOX", 8)
				c.set(b.dst)
				done, trash := 2, 2
				if again { // the same pass goes on
					b.pass(c.ask)
				} else { // it ends there, and no later pass is asked to delete
					if _, err := b.run(c.ask, func(o *Options) { o.RetryFor = 1 }); err == nil {
						t.Fatal("the connection was not lost")
					}
					b.pass()
					if c.name == "marked" || c.name == "copied" {
						done, trash = 0, 0
					}
				}
				if c.name == "marked" || c.name == "expunged" {
					trash = 0
				}
				if open, n := b.records(); open != 0 || n != done || b.left() != 10-done || b.trash() != trash {
					t.Fatalf("%d open, %d recorded, %d left, %d in the trash", open, n, b.left(), b.trash())
				}
				for _, m := range slices.Concat(b.dst.folders["INBOX"].messages, b.dst.folders["Trash"].messages) {
					if hasFlag(m.flags, imap.FlagDeleted) {
						t.Errorf("UID %d is marked still", m.uid)
					}
				}
			}
		})
	}
}

// What is reported as deleted is gone, and what the server keeps is not reported.
func TestDeletionsThatTheServerKeeps(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	b.src.expunge("INBOX", 8)
	b.dst.keeps = func(m *fakeMessage) bool { return m.uid == 8 }
	if r := b.pass(forGood); r.Deleted != 1 || b.left() != 9 {
		t.Fatalf("%+v, %d left", r, b.left())
	}
	b.dst.keeps = nil
	if r := b.pass(forGood); r.Deleted != 1 || b.left() != 8 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// A message that its user changes between the look and the command stays.
func TestDeletionOfWhatChangesMeanwhile(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	b.dst.before = func(verb string) {
		if f := b.dst.folders["INBOX"]; verb == "EXPUNGE" {
			f.modseq++
			f.messages[2].modseq, f.messages[2].flags = f.modseq, []imap.Flag{imap.FlagFlagged}
		}
	}
	if r := b.pass(forGood); r.Deleted != 0 || b.left() != 10 {
		t.Fatalf("%+v, %d left", r, b.left())
	}
	b.dst.before = nil
	if r := b.pass(forGood); r.Deleted != 0 || b.left() != 10 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// Where deletions are refused, or make no sense.
func TestDeletionsRefused(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	if _, err := b.run(forGood, func(o *Options) { o.Filter.NewerThan = day }); !errors.Is(err, errFiltered) {
		t.Errorf("with a filter: %v", err)
	}
	b.src.renumber("INBOX")
	if r := b.pass(forGood); r.Deleted != 0 || b.left() != 10 {
		t.Errorf("renumbered: %+v", r)
	}
	delete(b.dst.folders, "Trash")
	b.src.expunge("INBOX", 27)
	if r := b.pass(toTrash); r.Deleted != 0 || b.left() != 10 || len(b.heldDeletions()) != 1 {
		t.Errorf("without a trash: %+v", r)
	}
	b.with(func(ctx context.Context, o Options) {
		if _, err := Final(ctx, o, FinalOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	for _, mode := range []Mode{Ordinary, Whole, Tail} {
		if r := b.pass(forGood, func(o *Options) { o.Mode = mode }); r.Deleted != 0 || b.left() != 10 {
			t.Errorf("mode %d after the final pass: %+v", mode, r)
		}
	}

	b = carried(t)
	b.src.add("INBOX", day, letterOf(77, "new"))
	b.src.expunge("INBOX", 3)
	b.dst.noUIDs = true
	if _, err := b.run(toTrash); !errors.Is(err, ErrNoDeletions) || b.left() != 10 {
		t.Errorf("without UIDPLUS: %v, %d left", err, b.left())
	}
}

// A folder that was deleted on the source keeps its copies, in every way.
func TestDeletedFolderIsKept(t *testing.T) {
	b := carried(t)
	b.src.add("A", day, letterOf(60, "a"))
	b.src.add("A", day, letterOf(61, "b"))
	b.pass()
	b.src.expunge("A", 1)
	b.pass()
	delete(b.src.folders, "A")
	for _, ask := range []func(*Options){toTrash, forGood} {
		if r := b.pass(ask); r.Deleted != 0 || len(b.dst.content("A")) != 2 {
			t.Errorf("%+v", r)
		}
	}
}

// \Deleted is carried where deletions are, and only to copies of our own.
func TestDeletedFlag(t *testing.T) {
	b := carried(t)
	b.src.setFlags("INBOX", 2, imap.FlagSeen, imap.FlagDeleted)
	b.pass()
	b.src.setFlags("INBOX", 3, imap.FlagSeen, imap.FlagDeleted)
	b.pass(forGood)
	m := b.dst.folders["INBOX"].messages
	if hasFlag(m[1].flags, imap.FlagDeleted) || !hasFlag(m[2].flags, imap.FlagDeleted) {
		t.Errorf("%v %v", m[1].flags, m[2].flags)
	}
	b.src.expunge("INBOX", 2)
	b.src.expunge("INBOX", 3)
	if r := b.pass(forGood); r.Deleted != 2 || b.left() != 8 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// A dry run counts what a pass would delete, and writes nothing.
func TestDeletionsForetold(t *testing.T) {
	for _, ask := range []func(*Options){toTrash, forGood} {
		b := carried(t)
		b.src.expunge("INBOX", 3)
		b.src.expunge("INBOX", 8)
		dry := func(o *Options) { o.DryRun = true }
		if r := b.pass(ask, dry); r.Deleted != 2 || b.left() != 10 || b.dst.count("EXPUNGE")+b.dst.count("MOVE") != 0 {
			t.Errorf("%+v, %d left", r, b.left())
		}
		if r := b.pass(byDefault, dry); r.Deleted != 0 || r.Exceptions != 0 {
			t.Errorf("over the ceiling: %+v", r)
		}
		if r := b.pass(ask); r.Deleted != 2 || b.left() != 8 {
			t.Errorf("%+v, %d left", r, b.left())
		}
	}
}

// A message of which the source shows the header in another folder, where it cannot be read, may be the one that left.
func TestUnreadableKeepsCopies(t *testing.T) {
	b := carried(t)
	b.src.folder("A")
	b.src.move("INBOX", 5, "A")
	m := b.src.folders["A"].messages[0]
	b.src.damaged = map[*fakeMessage]imapx.Want{m: imapx.WantBody}
	for range 3 {
		if r := b.pass(forGood); r.Deleted != 0 || b.left() != 10 {
			t.Fatalf("%+v, %d left", r, b.left())
		}
	}
	b.src.damaged[m] = imapx.WantBody | imapx.WantIdentity
	if r := b.pass(forGood); r.Deleted != 0 || b.left() != 10 {
		t.Fatalf("%+v, %d left", r, b.left())
	}
}
