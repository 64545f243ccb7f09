package sync

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// flagExceptions are the new and the known exceptions that a pass told about flags, by detail.
func (b *bench) flagExceptions() (fresh, known []string) {
	for _, e := range b.events {
		if x, ok := e.(Exception); ok && x.Reason == reasonFlag {
			if x.New {
				fresh = append(fresh, x.Detail)
			} else {
				known = append(known, x.Detail)
			}
		}
	}
	b.events = nil
	return fresh, known
}

// withFlag counts a folder's messages on the target that have a flag.
func (b *bench) withFlag(folder string, f imap.Flag) (n int) {
	for _, m := range b.dst.folders[folder].messages {
		if slices.Contains(m.flags, f) {
			n++
		}
	}
	return n
}

func TestKeywordsAreToldOnceEach(t *testing.T) {
	b := newBench(t)
	b.dst.folders["INBOX"].permanent = append(slices.Clone(systemFlags), "$Forwarded")
	b.dst.folder("A").permanent = slices.Clone(systemFlags)
	for i := range 5 {
		b.src.add("INBOX", day, letterOf(i, "x"), imap.FlagSeen, "$label1", "$forwarded")
		b.src.add("A", day, letterOf(10+i, "x"), "$Label1", "NonJunk")
	}
	r := b.pass()
	fresh, known := b.flagExceptions()
	if len(known) != 0 || len(fresh) != 2 || !strings.HasPrefix(strings.ToLower(fresh[0]), "$label1: 10 messages are carried without it, 2 target folders do") ||
		!strings.HasPrefix(fresh[1], "NonJunk: 5 messages are") || r.NewExceptions != 2 || r.Exceptions != 2 {
		t.Errorf("%q, %q, %+v", fresh, known, r)
	}
	if n := b.withFlag("INBOX", "$forwarded"); n != 5 {
		t.Errorf("%d messages have what is kept", n)
	}

	// More of the same is known; a keyword that is new is told.
	b.src.add("INBOX", day, letterOf(20, "x"), "$LABEL1")
	b.src.setFlags("INBOX", 1, imap.FlagSeen, "$MDNSent")
	r = b.pass()
	if fresh, known = b.flagExceptions(); len(fresh) != 1 || !strings.HasPrefix(fresh[0], "$MDNSent: 1 message is carried without it, 1 target folder does not") ||
		len(known) != 2 || r.NewExceptions != 1 || r.Exceptions != 3 {
		t.Errorf("%q, %q, %+v", fresh, known, r)
	}

	// What nothing needs any more is no exception.
	for _, m := range slices.Clone(b.src.folders["A"].messages) {
		b.src.setFlags("A", m.uid)
	}
	if r = b.pass(); r.Exceptions != 2 || r.NewExceptions != 0 {
		t.Errorf("%+v", r)
	}

	// And what the target keeps by now is given to the messages that lack it, as they have it on the source.
	f := b.dst.folders["INBOX"]
	f.permanent = append(f.permanent, imap.FlagWildcard)
	b.src.add("INBOX", day, letterOf(30, "x"))
	if r = b.pass(); r.Exceptions != 0 || r.Flags != 6 {
		t.Errorf("%+v", r)
	}
	b.equal("flags")
	b.quiet("after that")
}

// Flags that could not be carried are no sign of a user: such a copy is moved along with its original.
func TestMovedWithoutItsKeyword(t *testing.T) {
	for now, want := range map[string]bool{`\Seen $label1`: false, `$label1`: true, `\Seen $LABEL1`: false, `\Seen $label1 x`: true, ``: true} {
		if got := touched(now, `$Label1 $None \Seen`, []string{"$none"}); got != want {
			t.Errorf("%q: %v", now, got)
		}
	}
	b := newBench(t)
	b.dst.folder("A").permanent = slices.Clone(systemFlags)
	uid := b.src.add("A", day, letterOf(1, "x"), imap.FlagSeen, "$label1")
	b.pass()
	b.src.move("A", uid, "INBOX")
	if r := b.pass(); r.Followed != 1 || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
}
