package sync

import (
	"errors"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// A server without UIDPLUS that takes flags with APPEND and forgets them: they are stored again, and nobody's own
// decision is touched.
func TestFlagsLostByAppend(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs, b.dst.forgetful, b.dst.multi = true, true, false
	b.fill("INBOX", 0, 5)
	b.src.add("INBOX", day, letterOf(10, "x"), imap.FlagFlagged, imap.FlagAnswered)
	b.src.add("INBOX", day, letterOf(11, "x"))
	b.pass()
	b.equal("first pass")
	b.quiet("second pass")

	b.dst.setFlags("INBOX", 1)
	b.src.add("INBOX", day, letterOf(12, "x"), imap.FlagSeen)
	b.pass()
	for _, m := range b.dst.folders["INBOX"].messages {
		switch want := map[uint32]bool{1: false, 2: true, 8: true}; {
		case m.uid == 1 && len(m.flags) != 0:
			t.Errorf("what its user had unmarked is %v again", m.flags)
		case want[m.uid] && !hasFlag(m.flags, imap.FlagSeen):
			t.Errorf("message %d has lost its flag: %v", m.uid, m.flags)
		}
	}
}

// A server that keeps some flags is not corrected: what is missing its user has taken away.
func TestFlagsTakenAwayWhileStored(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs, b.dst.multi = true, false
	b.fill("INBOX", 0, 5)
	b.dst.stored = func() { b.dst.folders["INBOX"].messages[0].flags = nil }
	b.pass()
	if f := b.dst.folders["INBOX"].messages[0].flags; len(f) != 0 {
		t.Errorf("%v", f)
	}
}

// A target that renumbers its folders at each delivery gets nothing twice, in the first pass and in later ones.
func TestTargetRenumbersWhenMailComes(t *testing.T) {
	for _, noUIDs := range []bool{true, false} {
		b := newBench(t)
		b.dst.noUIDs, b.dst.multi, b.dst.renumbers = noUIDs, false, 2
		b.fill("INBOX", 0, 30)
		b.fill("A", 100, 110)
		b.pass()
		b.equal("first pass")
		for range 3 {
			if n := len(b.src.folders["INBOX"].messages); n > 0 {
				b.dst.renumbers = 1
				b.fill("INBOX", 1000+n, 1003+n)
				b.pass()
				b.equal("mail came")
			}
		}
		b.pass()
		b.quiet("after that")
	}
}

// One that renumbers without end is given up for this pass, and has nothing twice either.
func TestTargetRenumbersForEver(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs, b.dst.multi, b.dst.renumbers = true, false, 1000
	b.fill("INBOX", 0, 30)
	b.run()
	b.run()
	if n := len(b.dst.folders["INBOX"].messages); n != 30 {
		t.Errorf("%d messages of 30", n)
	}
	b.dst.renumbers = 0
	b.pass()
	b.equal("once it stopped")
	b.quiet("after that")
}

// What cannot be looked at after it was stored is not sent again by the same attempt: its intents have no record.
func TestNoSecondCopyWhereTheLookFails(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs, b.dst.multi = true, false
	b.fill("INBOX", 0, 10)
	looks := 0
	b.dst.fails = func(verb string) error {
		if verb != "EXAMINE" || len(b.dst.folders["INBOX"].messages) == 0 {
			return nil
		}
		if looks++; looks > 2 {
			return nil
		}
		e := folderError("EXAMINE", "INBOX", "not now")
		e.Side, e.Code = "target", ""
		return e
	}
	r, err := b.run()
	var ie *imapx.Error
	if err != nil && !errors.As(err, &ie) {
		t.Fatal(err)
	}
	b.pass()
	b.equal("in the end")
	if r.Copied > 10 {
		t.Errorf("%+v", r)
	}
	b.quiet("after that")
}

// TestLostFlagsOfThoseSentAlone: a target that loses flags and refuses some dates gives each message its flags, whichever look
// found it.
func TestLostFlagsOfThoseSentAlone(t *testing.T) {
	b := newBench(t)
	b.dst.noUIDs, b.dst.forgetful, b.dst.multi = true, true, true
	b.dst.noDate = func(d time.Time) bool { _, offset := d.Zone(); return offset%3600 != 0 }
	odd := time.FixedZone("", 12*3600+45*60)
	for i := range 21 { // the last one is not alone: what is sent in halves after a refusal is looked for, too
		at := day.Add(time.Duration(i) * time.Hour)
		if i%3 == 1 {
			at = at.In(odd)
		}
		b.src.add("INBOX", at, letterOf(i, "hello"), imap.FlagSeen)
	}
	b.pass()
	b.equal("after the first pass")
	b.quiet("second pass")
}
