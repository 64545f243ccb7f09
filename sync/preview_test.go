package sync

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// A dry run says what the pass after it does, in the same numbers, and writes nothing.
func TestDryRunForetells(t *testing.T) {
	big := strings.Repeat("y", 3000)
	for _, c := range []struct {
		name   string
		before func(*bench) // with a pass after it
		then   func(*bench)
		recopy bool
	}{
		{name: "first", then: func(b *bench) { b.fill("INBOX", 0, 40); b.fill("A", 100, 103); b.src.folder("Empty") }},
		{name: "nothing new", before: func(b *bench) { b.fill("INBOX", 0, 10) }, then: func(*bench) {}},
		{
			name:   "delta with holes and flags",
			before: func(b *bench) { b.fill("INBOX", 0, 10) },
			then: func(b *bench) {
				b.fill("INBOX", 10, 30)
				for uid := uint32(12); uid < 20; uid++ {
					b.src.expunge("INBOX", uid)
				}
				b.src.setFlags("INBOX", 3, imap.FlagFlagged)
				b.src.setFlags("INBOX", 4)
				b.fill("New", 50, 52)
			},
		},
		{
			name: "mail on both sides",
			then: func(b *bench) {
				b.fill("INBOX", 0, 20)
				for i := 5; i < 12; i++ {
					b.dst.add("INBOX", day, letterOf(i, strings.Repeat("x", 10+i%50))) // without \Seen
				}
				b.dst.add("INBOX", day, letterOf(900, "of the target's user"))
				b.src.add("INBOX", day, letterOf(7, "another version of it"))
			},
		},
		{
			name:   "another UIDVALIDITY",
			before: func(b *bench) { b.fill("INBOX", 0, 10) },
			then: func(b *bench) {
				b.src.folders["INBOX"].validity += 50
				b.fill("INBOX", 10, 13)
			},
		},
		{
			name:   "gone on the target",
			before: func(b *bench) { b.fill("INBOX", 0, 10) },
			then: func(b *bench) {
				b.dst.expunge("INBOX", 2)
				b.dst.expunge("INBOX", 5)
				b.pass()
			},
			recopy: true,
		},
		{
			name:   "moved on the source",
			before: func(b *bench) { b.fill("INBOX", 0, 10); b.src.folder("A") },
			then: func(b *bench) {
				b.src.move("INBOX", 3, "A")
				b.src.move("INBOX", 4, "New")
				b.src.move("INBOX", 5, "A")
				b.src.move("INBOX", 6, "A")
				b.dst.setFlags("INBOX", 5, imap.FlagFlagged) // touched
				b.dst.expunge("INBOX", 6)                    // gone
				b.fill("INBOX", 10, 13)
			},
		},
		{
			name:   "moved and deleted on the target",
			before: func(b *bench) { b.fill("INBOX", 0, 30); b.dst.folder("Of the user") },
			then: func(b *bench) {
				b.dst.move("INBOX", 2, "Of the user")
				for uid := uint32(5); uid < 9; uid++ {
					b.dst.expunge("INBOX", uid)
					b.src.setFlags("INBOX", uid, imap.FlagFlagged)
				}
				b.src.setFlags("INBOX", 20, imap.FlagFlagged)
			},
		},
		{name: "too large and empty", then: func(b *bench) {
			b.dst.limit = 500
			b.fill("INBOX", 0, 5)
			b.src.add("INBOX", day, letterOf(77, big))
			b.src.add("INBOX", day, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, modseq := range []bool{true, false} {
				b := newBench(t)
				b.src.noModSeq = !modseq
				if c.before != nil {
					c.before(b)
					b.pass()
				}
				c.then(b)
				dry := b.pass(func(o *Options) { o.DryRun, o.RecopyGone = true, c.recopy })
				if n := b.dst.count("APPEND") + b.dst.count("STORE") + b.dst.count("CREATE") + b.dst.count("EXPUNGE") + b.dst.count("MOVE"); n > 0 || dry.Copied != 0 {
					t.Fatalf("it wrote: %v", b.dst.commands)
				}
				real := b.pass(func(o *Options) { o.RecopyGone = c.recopy })
				said := fmt.Sprint(dry.ToCopy, dry.ToCopyBytes, dry.Matched, dry.Flags, dry.Followed, dry.Moved, dry.Gone, dry.FoldersCreated, dry.Folders, dry.SourceMessages)
				did := fmt.Sprint(real.Copied, real.CopiedBytes, real.Matched, real.Flags, real.Followed, real.Moved, real.Gone, real.FoldersCreated, real.Folders, real.SourceMessages)
				if said != did {
					t.Errorf("MODSEQ %v: said %s, did %s", modseq, said, did)
				}
			}
		})
	}
}
