package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// TestGoneOnTarget: a user's deletions are silent, a large loss is not, and both come back on request only.
func TestGoneOnTarget(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 100)
	b.pass()
	b.dst.expunge("INBOX", 3)
	if r := b.pass(); r.Gone != 1 || r.NewExceptions != 0 || r.Copied != 0 {
		t.Errorf("one deletion: %+v", r)
	}
	b.quiet("after one deletion")
	for uid := uint32(10); uid < 70; uid++ {
		b.dst.expunge("INBOX", uid)
	}
	r := b.pass()
	if r.Gone != 60 || r.NewExceptions != 1 || r.Copied != 0 {
		t.Errorf("60 of 100 gone: %+v", r)
	}
	if r := b.pass(); r.NewExceptions != 0 || r.Exceptions != 1 {
		t.Errorf("it cries again: %+v", r)
	}
	r = b.pass(func(o *Options) { o.RecopyGone = true })
	b.equal("after --recopy-gone")
	if r.Copied != 61 || r.Exceptions != 0 {
		t.Errorf("recopy: %+v", r)
	}
	b.quiet("and then")
}

// TestMovedByUser: a message that its user moved to another folder is not gone.
func TestMovedByUser(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 100)
	b.fill("A", 200, 210)
	b.pass()
	for uid := uint32(1); uid <= 50; uid++ {
		b.dst.move("INBOX", uid, []string{"A", "Own folder"}[uid%2])
	}
	r := b.pass()
	if r.Moved != 50 || r.Gone != 0 || r.NewExceptions != 0 || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	b.quiet("after the user's moves")
	if r := b.pass(func(o *Options) { o.RecopyGone = true }); r.Copied != 0 {
		t.Errorf("moved messages are copied again: %+v", r)
	}
}

// TestTargetFolderRenamed is followed: new mail goes where the user keeps the folder now.
func TestTargetFolderRenamed(t *testing.T) {
	b := newBench(t)
	b.fill("Work", 0, 10)
	b.fill("Work/Sub", 20, 25)
	b.pass()
	b.dst.rename("Work", "Job")
	b.fill("Work", 10, 12)
	r := b.pass()
	if b.dst.folders["Work"] != nil || len(b.dst.content("Job")) != 12 || len(b.dst.content("Job/Sub")) != 5 || r.Copied != 2 {
		t.Errorf("%d in Job, report %+v", len(b.dst.content("Job")), r)
	}
	b.quiet("after the rename")
}

// TestParentOnly: a folder of which the target has but the name, for the sake of its children, is made again.
func TestParentOnly(t *testing.T) {
	t.Run("the pass that made the child was killed", func(t *testing.T) {
		b := newBench(t)
		b.fill("Work", 0, 10)
		b.fill("Work/Sub", 20, 25)
		ctx, kill := context.WithCancel(context.Background())
		b.dst.before = func(verb string) {
			if verb == "SELECT" {
				kill()
			}
		}
		b.with(func(_ context.Context, o Options) {
			if _, err := Run(ctx, o); err == nil {
				t.Fatal("the first pass got through")
			}
			if pairs, err := o.State.Pairs(context.Background()); err != nil || len(pairs) != 3 { // with INBOX
				t.Fatal(len(pairs), err)
			}
		})
		b.dst.before = nil
		clear(b.dst.folders)
		b.dst.folder("Work/Sub")
		if r := b.pass(); r.NewExceptions != 0 || r.Copied != 15 {
			t.Errorf("%+v", r)
		}
		b.equal("after the kill")
		b.quiet("after the kill")
	})
	t.Run("its user removed it", func(t *testing.T) {
		b := newBench(t)
		b.fill("Work", 0, 10)
		b.fill("Work/Sub", 20, 25)
		b.pass()
		delete(b.dst.folders, "Work")
		b.fill("Work/Sub", 25, 26)
		if r := b.pass(); r.Copied != 1 || b.dst.folders["Work"] != nil {
			t.Errorf("a folder that its user removed is back: %+v", r)
		}
		b.fill("Work", 10, 12)
		if r := b.pass(); r.Copied != 2 || len(b.dst.content("Work")) != 2 {
			t.Errorf("%+v", r)
		}
		b.quiet("after new mail")
	})
}

// TestSourceFolderRenamed is repeated on the target, children too; nothing is copied.
func TestSourceFolderRenamed(t *testing.T) {
	b := newBench(t)
	b.fill("Work", 0, 10)
	b.fill("Work/Sub", 20, 25)
	b.pass()
	b.src.rename("Work", "Job")
	r := b.pass()
	b.equal("after the rename")
	if b.dst.folders["Work"] != nil || b.dst.folders["Work/Sub"] != nil || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	b.quiet("after the rename")
}

// TestRenamedWhenIDsCome: a server that gave no MAILBOXID to the pass before gives one now. Cyrus 3.6 does at times, and any
// server after an upgrade.
func TestRenamedWhenIDsCome(t *testing.T) {
	for _, source := range []bool{true, false} {
		b := newBench(t)
		b.fill("Work", 0, 10)
		b.pass()
		b.src.ids, b.dst.ids = true, true
		if source {
			b.src.rename("Work", "Job")
		} else {
			b.dst.rename("Work", "Job")
		}
		b.fill(map[bool]string{true: "Job", false: "Work"}[source], 10, 11)
		if r := b.pass(); r.Copied != 1 || b.dst.folders["Work"] != nil || len(b.dst.content("Job")) != 11 {
			t.Errorf("renamed on the source %v: %+v", source, r)
		}
		b.settled()
	}
}

// TestFolderReplacedIsNotARename: the same UIDVALIDITY with other messages is another folder.
func TestFolderReplacedIsNotARename(t *testing.T) {
	b := newBench(t)
	b.fill("Work", 0, 10)
	b.pass()
	b.src.rename("Work", "Job")
	f := b.src.folders["Job"]
	f.messages = nil
	f.add(day, []byte(letterOf(999, "another")), nil)
	b.pass()
	if len(b.dst.content("Work")) != 10 || len(b.dst.content("Job")) != 1 {
		t.Error("a folder with other messages was taken for a renamed one")
	}
}

// TestMovedOnSource: the copy is moved along, also when the answer is lost; a touched copy stays, and nothing is
// there twice.
func TestMovedOnSource(t *testing.T) {
	for _, lose := range []bool{false, true} {
		t.Run(fmt.Sprintf("answer lost %v", lose), func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 30)
			b.fill("A", 100, 105)
			b.pass()
			b.src.move("INBOX", 4, "A")
			b.src.move("INBOX", 5, "A")
			b.src.move("INBOX", 6, "New")
			b.src.move("INBOX", 7, "A")
			b.fill("A", 105, 107)
			b.dst.setFlags("INBOX", 7, imap.FlagSeen, "$label1")
			b.dst.loseMove = lose
			r := b.pass()
			b.nothingElse(t, "moved", "A")
			if r.Copied != 2 || len(b.dst.content("INBOX")) != 27 || len(b.dst.content("New")) != 1 || len(b.dst.content("A")) != 9 {
				t.Errorf("%+v: INBOX %d, A %d, New %d", r, len(b.dst.content("INBOX")), len(b.dst.content("A")), len(b.dst.content("New")))
			}
			if !strings.Contains(strings.Join(b.dst.content("INBOX"), "\n"), "$label1") {
				t.Error("the touched copy did not stay")
			}
			b.settled()
			b.src.setFlags("A", 6, imap.FlagFlagged)
			b.pass()
			if !slices.ContainsFunc(b.dst.content("A"), func(s string) bool { return strings.HasSuffix(s, `\Flagged`) }) {
				t.Error("flags do not reach a message that was moved along")
			}
		})
	}
}

// TestMovedOnSourceGoneOnTarget: a message that is moved when its copy is gone stays away and is listed, until it leaves
// the source; the same mail delivered again is another message.
func TestMovedOnSourceGoneOnTarget(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.fill("A", 100, 105)
	b.pass()
	b.dst.expunge("INBOX", 4)
	b.dst.expunge("INBOX", 5)
	b.src.move("INBOX", 4, "A")
	again := string(b.src.folders["INBOX"].messages[3].data) // UID 5
	b.src.expunge("INBOX", 5)
	b.src.add("A", day.AddDate(1, 0, 0), again)
	r := b.pass()
	if r.Copied != 1 || r.NewExceptions != 1 || len(b.dst.content("A")) != 6 {
		t.Errorf("%+v, A has %d", r, len(b.dst.content("A")))
	}
	b.settled()
	b.src.expunge("A", 6)
	if r := b.pass(); r.Exceptions != 0 {
		t.Errorf("the exception outlives its message: %+v", r)
	}
	b.settled()
}

// TestMovedAfterItVanished: a message that one pass saw vanish and a later one found elsewhere is there again. It is not
// taken for vanished when the same mail comes a second time.
func TestMovedAfterItVanished(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.fill("A", 100, 105)
	b.pass()
	m := *b.src.folders["INBOX"].messages[3]
	b.src.expunge("INBOX", m.uid)
	b.pass()
	for _, folder := range []string{"A", "New"} {
		b.src.add(folder, m.date, string(m.data))
		b.pass()
		b.src.expunge("A", 1) // so that A is looked through for what vanished
	}
	for folder, kept := range map[string]int{"A": 1, "New": 0} {
		if want, got := b.src.content(folder), b.dst.content(folder); len(got) != len(want)+kept {
			t.Errorf("%s: %d messages on the source, %d on the target", folder, len(want), len(got))
		}
	}
	b.settled()
}

// TestMovedBackAndRenumbered: the row that a message left behind when it was moved, with its copy, is not its row when it
// comes back under new UIDs; the row of one that was deleted, and whose copy stayed, is.
func TestMovedBackAndRenumbered(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 30)
	b.fill("A", 100, 105)
	b.pass()
	deleted := *b.src.folders["INBOX"].messages[9]
	b.src.move("INBOX", 4, "A")
	b.src.expunge("INBOX", deleted.uid)
	b.fill("INBOX", 30, 31)
	if r := b.pass(); r.Followed != 1 {
		t.Fatalf("%+v", r)
	}
	b.src.move("A", 6, "INBOX")
	b.src.add("INBOX", deleted.date, string(deleted.data))
	b.src.renumber("INBOX")
	b.pass()
	if want, got := b.src.content("INBOX"), b.dst.content("INBOX"); len(got) != len(want) {
		t.Errorf("%d messages on the source, %d on the target", len(want), len(got))
	}
	b.settled()
}

// settled runs passes until the last looks are over, then wants a quiet one.
func (b *bench) settled() {
	b.t.Helper()
	b.pass()
	b.pass()
	b.quiet("when all is settled")
}

// nothingElse wants nothing in the target folder that the source's does not have.
func (b *bench) nothingElse(t *testing.T, when, folder string) {
	t.Helper()
	want, got := b.src.content(folder), b.dst.content(folder)
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: %s has a message on the target that the source does not have there", when, folder)
		}
	}
}

// TestReusedUIDs: a restored source gives old UIDs to other messages, with UIDNEXT beyond the mark.
func TestReusedUIDs(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 50)
	b.pass()
	f := b.src.folders["INBOX"]
	f.messages, f.next = f.messages[:40], 41
	b.fill("INBOX", 1000, 1020)
	r := b.pass()
	if r.Copied != 20 || len(b.dst.content("INBOX")) != 70 {
		t.Errorf("%+v, %d on the target", r, len(b.dst.content("INBOX")))
	}
	b.settled()
}

// TestUIDValidityZero: such a source is matched anew at each pass, and nothing is copied twice.
func TestUIDValidityZero(t *testing.T) {
	b := newBench(t)
	b.src.folders["INBOX"].validity = 0
	b.fill("INBOX", 0, 50)
	b.pass()
	b.equal("first pass")
	b.fill("INBOX", 50, 53)
	b.src.setFlags("INBOX", 3, "$label1")
	r := b.pass()
	b.equal("second pass")
	if r.Copied != 3 {
		t.Errorf("%+v", r)
	}
}

// TestBothSidesRenumbered: the ledger's message was matched without its bytes, has a twin that came later, and neither
// side's UIDs lead to it any more.
func TestBothSidesRenumbered(t *testing.T) {
	b := newBench(t)
	b.src.add("A", day, letterOf(1, "plain"))
	b.pass()
	b.dir = t.TempDir()
	b.pass()
	b.src.add("A", day.Add(2*time.Hour), letterOf(1, "plain"))
	b.pass()
	b.src.renumber("A")
	b.dst.renumber("A")
	if r := b.pass(); r.Copied != 0 || r.Gone != 0 || len(b.dst.content("A")) != 2 {
		t.Errorf("%+v, %d on the target", r, len(b.dst.content("A")))
	}
	b.settled()
}

// TestTwinOnRenumberedSides: where both sides have other UIDs, a message that came in between is carried, though it is
// byte for byte one that was carried before.
func TestTwinOnRenumberedSides(t *testing.T) {
	b := newBench(t)
	b.src.add("A", day, letterOf(1, "plain"))
	b.pass()
	b.src.add("A", day.Add(2*time.Hour), letterOf(1, "plain"))
	b.src.renumber("A")
	b.dst.renumber("A")
	if r := b.pass(); r.Copied != 1 || r.Gone != 0 || len(b.dst.content("A")) != 2 {
		t.Errorf("%+v, %d on the target", r, len(b.dst.content("A")))
	}
	b.settled()
}

// TestDeliveredAgain: mail whose bytes were carried before, and whose copy the user deleted, is carried where it was delivered
// anew; where it is the same message, back in its folder, it is not.
func TestDeliveredAgain(t *testing.T) {
	for _, final := range []bool{false, true} {
		for hours, copied := range []int64{0, 1} {
			t.Run(fmt.Sprintf("final %v, %d hours later", final, hours), func(t *testing.T) {
				b := newBench(t)
				b.src.add("A", day, letterOf(1, "plain"))
				b.src.add("A", day, letterOf(2, "another"))
				b.pass()
				if final {
					b.mustFinal()
				}
				b.src.expunge("A", 1)
				b.dst.expunge("A", 1)
				b.src.add("A", day.Add(time.Duration(hours)*time.Hour), letterOf(1, "plain"))
				if r := b.pass(); r.Copied != copied || int64(len(b.dst.content("A"))) != 1+copied {
					t.Errorf("%+v, %d on the target", r, len(b.dst.content("A")))
				}
				b.settled()
			})
		}
	}
}

// TestUnreadableIsNotDeferred: a message that cannot be compared with what the target has of it is told, whatever the
// filter says of it, and not sent again once it can be read.
func TestUnreadableIsNotDeferred(t *testing.T) {
	for _, lost := range []string{"the source's UIDs", "the state"} {
		t.Run(lost, func(t *testing.T) {
			b := newBench(t)
			b.src.damaged = make(map[*fakeMessage]imapx.Want)
			for range 2 {
				b.src.add("A", day, "\r\nno header\r\n")
			}
			b.pass()
			if b.src.renumber("A"); lost == "the state" {
				b.dir = t.TempDir()
			}
			b.src.damaged[b.src.folders["A"].messages[1]] = imapx.WantBody
			r := b.pass(func(o *Options) { o.Filter = Filter{NewerThan: day.AddDate(1, 0, 0)} })
			if r.NewExceptions != 1 || r.Deferred != 0 || r.Matched != 1 {
				t.Errorf("with a filter: %+v", r)
			}
			clear(b.src.damaged)
			if r := b.pass(); r.Copied != 0 || r.Matched != 1 || r.Exceptions != 0 || len(b.dst.content("A")) != 2 {
				t.Errorf("repaired: %+v, %d on the target", r, len(b.dst.content("A")))
			}
			b.settled()
		})
	}
}

// TestRewritingTarget adds a header field and changes line ends: a lost state still finds every message.
func TestRewritingTarget(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 50)
	b.pass()
	for _, m := range b.dst.folders["INBOX"].messages {
		m.data = append([]byte("X-Scanned: yes\r\n"), m.data...)
	}
	b.dir = t.TempDir()
	if r := b.pass(); r.Copied != 0 || r.Matched != 50 {
		t.Errorf("%+v", r)
	}
}

// TestDraftVersions have one Message-ID and stay apart; a list copy and a direct copy of one mail too.
func TestDraftVersions(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.src.add("INBOX", day, letterOf(1, fmt.Sprint("version ", i)), imap.FlagDraft)
	}
	b.src.add("INBOX", day, letterOf(2, "hello"))
	b.src.add("INBOX", day, "List-Id: <l@example.org>\r\n"+letterOf(2, "hello\r\n-- \r\nlist footer"))
	b.pass()
	b.equal("first pass")
	b.dir = t.TempDir()
	if r := b.pass(); r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	b.src.expunge("INBOX", 1)
	b.src.add("INBOX", day, letterOf(1, "version 3"), imap.FlagDraft)
	if r := b.pass(); r.Copied != 1 {
		t.Errorf("a new version: %+v", r)
	}
}

// TestFoldersVanishDuringThePass: a source folder that is deleted in the middle is no error, a target folder is
// made again for what is still to come.
func TestFoldersVanishDuringThePass(t *testing.T) {
	for _, side := range []string{"source", "target"} {
		t.Run(side, func(t *testing.T) {
			b := newBench(t)
			b.fill("A", 0, 4300)
			b.fill("Z", 5000, 5010)
			server := map[string]*fakeServer{"source": b.src, "target": b.dst}[side]
			folder := map[string]string{"source": "Z", "target": "A"}[side]
			done := false
			r := b.pass(func(o *Options) {
				o.Connections = 1
				inner := o.Events
				o.Events = func(e Event) {
					inner(e)
					_, planned := e.(FolderPlanned)
					_, copied := e.(MessageCopied)
					if !done && (side == "source" && planned || side == "target" && copied) {
						server.mu.Lock()
						delete(server.folders, folder)
						server.mu.Unlock()
						done = true
					}
				}
			})
			if r.Exceptions != 0 {
				t.Errorf("%+v", r)
			}
			if side == "target" && len(b.dst.content("A")) == 0 {
				t.Error("the folder was not made again")
			}
		})
	}
}

// TestTargetWiped: the target's folders are gone, or made anew by a restored server. It is told, and comes back on
// request.
func TestTargetWiped(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 60)
	b.fill("A", 100, 160)
	b.fill("B", 200, 260)
	b.pass()
	b.dst.mu.Lock()
	b.dst.folders = make(map[string]*fakeFolder)
	b.dst.validity += 1000
	b.dst.folder("INBOX")
	b.dst.mu.Unlock()
	r := b.pass()
	if r.Gone != 180 || r.NewExceptions != 1 || r.Copied != 0 {
		t.Errorf("wiped: %+v", r)
	}
	b.quiet("and then")
	r = b.pass(func(o *Options) { o.RecopyGone = true })
	b.equal("after --recopy-gone")
	if r.Copied != 180 || r.Exceptions != 0 {
		t.Errorf("recopy: %+v", r)
	}
	b.quiet("at the end")
}
