package sync

import (
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// What a deletion has to prove of the copy on the target, beside its UID and its flags.

// A target that was restored hands UIDs out again: what has the UID of a copy now is somebody's mail.
func TestDeletionOfReusedTargetUIDs(t *testing.T) {
	for _, ask := range []func(*Options){toTrash, forGood} {
		b := carried(t)
		m := b.dst.folders["INBOX"].messages[2]
		m.data = []byte(letterOf(300, "came after the target was restored"))
		b.src.expunge("INBOX", 3)
		b.src.expunge("INBOX", 4)
		if r := b.pass(ask, func(o *Options) { o.DryRun = true }); r.Deleted != 1 {
			t.Errorf("foretold: %+v", r)
		}
		for n, want := range []int64{1, 0} {
			if r := b.pass(ask); r.Deleted != want || b.left() != 9 {
				t.Fatalf("pass %d: %+v, %d left", n, r, b.left())
			}
		}
		if got := b.dst.folders["INBOX"].messages[2]; got != m {
			t.Errorf("UID %d is there in its place", got.uid)
		}
	}
}

// Where the header does not tell, the bytes do: a copy without any name is deleted, and another message is not.
func TestDeletionOfNamelessCopies(t *testing.T) {
	b := carried(t)
	for _, text := range []string{"one", "two", "three"} {
		b.src.add("INBOX", day, "\r\n"+text+"\r\n", imap.FlagSeen)
	}
	b.pass()
	b.dst.folders["INBOX"].messages[11].data = []byte("\r\nanother\r\n")
	b.src.expunge("INBOX", 11)
	b.src.expunge("INBOX", 12)
	if r := b.pass(forGood); r.Deleted != 1 || b.left() != 12 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// To look into all folders of the source takes time, in which people work on the target.
func TestDeletionOfWhatChangesDuringTheSearch(t *testing.T) {
	for _, ask := range []func(*Options){toTrash, forGood} {
		b := carried(t)
		b.dst.noModSeq = true
		b.src.expunge("INBOX", 3)
		lists := 0
		b.src.before = func(verb string) {
			if verb != "LIST" {
				return
			}
			if lists++; lists == 2 {
				b.dst.setFlags("INBOX", 3, imap.FlagSeen, imap.FlagFlagged)
			}
		}
		for range 2 {
			if r := b.pass(ask); r.Deleted != 0 || b.left() != 10 {
				t.Fatalf("%+v, %d left", r, b.left())
			}
		}
		if lists < 2 {
			t.Errorf("%d lists", lists)
		}
	}
}

// A pass ended before its copy came to the trash. What its user put there of the same mail meanwhile, which a server in between
// gave another header line, stays.
func TestTrashKeepsWhatItsUserPutThere(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	b.dst.expunges, b.dst.noMove = diesUncopied, true
	if _, err := b.run(toTrash, func(o *Options) { o.RetryFor = 1 }); err == nil {
		t.Fatal("the connection was not lost")
	}
	copied := b.dst.folders["INBOX"].messages[2]
	b.dst.add("Trash", copied.date, "Received: from list.example.org\r\n"+string(copied.data), imap.FlagSeen)
	b.pass()
	if open, done := b.records(); open != 0 || done != 0 || b.left() != 10 || b.trash() != 1 {
		t.Errorf("%d open, %d done, %d left, %d in the trash", open, done, b.left(), b.trash())
	}
}

// A folder that is in use when an interrupted deletion is to be settled is settled later: else the mark \Deleted would stay.
func TestInterruptedDeletionOfABusyFolder(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	b.dst.expunges = diesMarked
	if _, err := b.run(forGood, func(o *Options) { o.RetryFor = 1 }); err == nil {
		t.Fatal("the connection was not lost")
	}
	b.dst.fails = func(string) error {
		e := folderError("EXAMINE", "INBOX", "in use")
		e.Side, e.Code, e.Kind, e.Retry = "target", "INUSE", imapx.KindUnavailable, imapx.RetryLater
		return e
	}
	b.pass(forGood)
	if open, _ := b.records(); open != 1 {
		t.Errorf("while it is busy: %d open", open)
	}
	b.dst.fails = nil
	b.pass()
	open, _ := b.records()
	if m := b.dst.folders["INBOX"].messages[2]; open != 0 || hasFlag(m.flags, imap.FlagDeleted) {
		t.Errorf("%d open, flags %v", open, m.flags)
	}
}

// Gmail answers an APPEND of mail that it has with the UID of what it has: that is its owner's.
func TestMergedCopyIsNotOurs(t *testing.T) {
	b := carried(t)
	b.dst.merges, b.dst.multi = true, false
	same := letterOf(70, "delivered to both")
	b.dst.add("INBOX", day, same, imap.FlagSeen)
	b.src.add("INBOX", day, same, imap.FlagSeen)
	b.src.add("INBOX", day, letterOf(71, "ours"), imap.FlagSeen)
	b.pass()
	if b.left() != 12 {
		t.Fatalf("%d on the target", b.left())
	}
	b.src.expunge("INBOX", 11)
	b.src.expunge("INBOX", 12)
	if r := b.pass(forGood); r.Deleted != 1 || b.left() != 11 {
		t.Errorf("%+v, %d left", r, b.left())
	}
}

// Who may not write in the folder any more cannot take the mark back: that ends no pass of the account.
func TestInterruptedDeletionWithoutTheRight(t *testing.T) {
	b := carried(t)
	b.src.expunge("INBOX", 3)
	b.dst.expunges = diesMarked
	if _, err := b.run(forGood, func(o *Options) { o.RetryFor = 1 }); err == nil {
		t.Fatal("the connection was not lost")
	}
	b.dst.fails = func(verb string) error {
		if verb != "STORE" {
			return nil
		}
		e := folderError("UID STORE", "INBOX", "no right to")
		e.Side, e.Code, e.Kind = "target", "NOPERM", imapx.KindStore
		return e
	}
	b.src.add("Other", day, letterOf(80, "new"), imap.FlagSeen)
	if r := b.pass(); r.Copied != 1 {
		t.Errorf("%+v", r)
	}
	if open, done := b.records(); open != 0 || done != 0 || b.left() != 10 {
		t.Errorf("%d open, %d done, %d left", open, done, b.left())
	}
}
