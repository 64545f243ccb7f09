package sync

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// TestRecoveredWithoutItsFlags: what a dead connection stored has not the flag that its folder does not keep. It is not given
// it, and the folder is no other one.
func TestRecoveredWithoutItsFlags(t *testing.T) {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.dst.folder("INBOX").permanent = []imap.Flag{imap.FlagAnswered}
	b.dst.lose = func(n int) fate { return fate{dies: n == 1, stored: 100} }
	r := b.pass()
	if r.Recovered != 10 || r.Exceptions != 1 || b.dst.count("STORE") > 0 {
		t.Errorf("%+v, %v", r, b.dst.commands)
	}
	b.quiet("second pass")
}

// TestForgottenFlagsRefused: a target without UIDPLUS loses the flags of what it stores, and refuses to change them. Its mail
// is carried once, and what it lacks is told.
func TestForgottenFlagsRefused(t *testing.T) {
	for _, dies := range []bool{false, true} {
		b := newBench(t)
		b.dst.noUIDs, b.dst.forgetful = true, true
		b.fill("INBOX", 0, 10)
		b.dst.lose = func(n int) fate { return fate{dies: dies && n == 1, stored: 100} }
		err := refusedStore()
		r := b.pass(failing(&err))
		if len(b.dst.content("INBOX")) != 10 || strings.Contains(b.notices(), "replaced") || r.Exceptions == 0 {
			t.Errorf("dies %v: %d messages, %+v\n%s", dies, len(b.dst.content("INBOX")), r, b.notices())
		}
		if r := b.pass(); r.Copied != 0 || r.Exceptions != 0 || len(b.dst.content("INBOX")) != 10 {
			t.Errorf("dies %v, once it takes them: %+v", dies, r)
		}
		b.equal("once it takes them")
	}
}
