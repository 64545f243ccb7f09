package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// usedFolder is a bench after its first pass, where Archive comes to the source and is on the target already, with mail of
// its user and one message that both have. What was in INBOX is moved to it: UID 2, which nobody touched; UID 3, whose copy
// has a flag of its own; UID 4, which its user moved on the target as well.
func usedFolder(t *testing.T) *bench {
	b := newBench(t)
	b.fill("INBOX", 0, 10)
	b.pass()
	both := day.Add(500 * time.Hour)
	b.dst.add("Archive", both, letterOf(500, "on both sides"), imap.FlagSeen)
	b.dst.add("Archive", both, letterOf(501, "of the target"), imap.FlagSeen)
	b.src.add("Archive", both, letterOf(500, "on both sides"), imap.FlagSeen, imap.FlagFlagged)
	b.src.add("Archive", both, letterOf(502, "of the source"), imap.FlagSeen)
	b.dst.setFlags("INBOX", 3, imap.FlagSeen, "$label1")
	for uid := range uint32(3) {
		b.src.move("INBOX", uid+2, "Archive")
	}
	b.dst.move("INBOX", 4, "Archive")
	return b
}

// TestMovedIntoAUsedFolder: a message is moved on the source into a folder that no pass has carried and the target has with
// mail. It is moved there, too, and not sent; whatever becomes of the connection meanwhile.
func TestMovedIntoAUsedFolder(t *testing.T) {
	for _, lose := range []bool{false, true} {
		t.Run(fmt.Sprintf("answer lost %v", lose), func(t *testing.T) {
			b := usedFolder(t)
			dry := b.pass(func(o *Options) { o.DryRun = true })
			b.dst.loseMove = lose
			r := b.pass()
			if r.Copied != 1 || dry.ToCopy != 1 || r.Exceptions != 0 || dry.Followed != 1 || dry.Matched != 2 {
				t.Errorf("%+v, foretold %+v", r, dry)
			}
			if got := len(b.dst.content("INBOX")); got != 8 { // UID 3 stays, for it was touched
				t.Errorf("%d messages in INBOX\n%s", got, b.notices())
			}
			got := b.dst.content("Archive") // of five on the source, the touched one stays in INBOX; one is the target's own
			lacking := slices.DeleteFunc(b.src.content("Archive"), func(s string) bool { return slices.Contains(got, s) })
			if len(got) != 5 || len(lacking) != 1 {
				t.Errorf("Archive has\n%s\nand lacks\n%s\n%s", strings.Join(got, "\n"), strings.Join(lacking, "\n"), b.notices())
			}
			b.settled()
		})
	}
}

// TestMovedIntoAMergedFolder: the folder that it is moved to is new, and goes where the one that it left goes.
func TestMovedIntoAMergedFolder(t *testing.T) {
	b := newBench(t)
	b.fill("Sent", 0, 10)
	b.pass(merging)
	b.src.move("Sent", 2, "Gesendet")
	b.fill("Gesendet", 20, 22)
	if r := b.pass(merging); r.Copied != 2 {
		t.Errorf("%+v", r)
	}
	b.merged("moved")
	b.settled()
}
