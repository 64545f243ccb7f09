package sync

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/state"
)

// merging carries Gesendet into Sent.
func merging(o *Options) { o.Mapping.Maps = []MapRule{{Source: "Gesendet", Target: "Sent"}} }

// newMerge is two source folders that have the same message, and each some of its own.
func newMerge(t *testing.T) *bench {
	b := newBench(t)
	b.fill("Sent", 0, 40)
	b.fill("Gesendet", 30, 70)
	return b
}

// merged is the referee: the target folder holds what both hold, as often as they hold it.
func (b *bench) merged(when string) {
	b.t.Helper()
	want := append(b.src.content("Sent"), b.src.content("Gesendet")...)
	slices.Sort(want)
	if got := b.dst.content("Sent"); !slices.Equal(want, got) {
		b.t.Fatalf("%s: %d messages on the source, %d on the target, or other bytes, dates, flags", when, len(want), len(got))
	}
	if b.dst.folders["Gesendet"] != nil {
		b.t.Fatalf("%s: Gesendet was made", when)
	}
}

func TestMergeFolders(t *testing.T) {
	b := newMerge(t)
	if r := b.pass(merging); r.Copied != 80 || r.FoldersCreated != 1 {
		t.Errorf("%+v", r)
	}
	b.merged("first pass")
	for _, p := range b.pairs() {
		if p.SourceName != "INBOX" && p.Target != "Sent" {
			t.Errorf("%+v", p)
		}
	}
	if r := b.pass(merging); r.Copied+r.Matched+r.Flags+r.FoldersOpened != 0 {
		t.Errorf("second pass: %+v", r)
	}
	b.fill("Gesendet", 70, 72)
	b.fill("Sent", 70, 72) // the same again
	b.src.setFlags("Gesendet", 3, imap.FlagFlagged)
	if r := b.pass(); r.Copied != 4 || r.Flags != 1 { // the pairs are in the state: no rule is needed any more
		t.Errorf("delta: %+v", r)
	}
	b.merged("delta")
}

func (b *bench) pairs() []state.Pair {
	b.t.Helper()
	st, err := state.Open(context.Background(), state.Options{Dir: b.dir, Account: "a", ReadOnly: true})
	if err != nil {
		b.t.Fatal(err)
	}
	defer st.Close()
	list, err := st.Pairs(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// TestMergeWithoutUIDPlus: the target tells no UIDs, they are learned by listing what lies above the floor.
func TestMergeWithoutUIDPlus(t *testing.T) {
	b := newMerge(t)
	b.dst.noUIDs = true
	b.pass(merging)
	b.merged("first pass")
	b.fill("Gesendet", 70, 72)
	b.fill("Sent", 70, 72)
	b.src.setFlags("Gesendet", 3, imap.FlagFlagged)
	if r := b.pass(merging); r.Copied != 4 || r.Flags != 1 {
		t.Errorf("%+v", r)
	}
	b.merged("delta")
}

// TestMergeWithoutState: both source folders are matched with the one target folder as multisets.
func TestMergeWithoutState(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	for _, uid := range []uint32{35, 75} { // one of two that are the same, and one of Gesendet's own
		b.dst.expunge("Sent", uid)
	}
	b.dir = t.TempDir()
	if r := b.pass(merging); r.Matched != 78 || r.Copied != 2 {
		t.Errorf("%+v", r)
	}
	b.merged("without state")
}

// TestMergeAfterLostConnections: what a dead connection stored of one folder is not taken for the other's.
func TestMergeAfterLostConnections(t *testing.T) {
	for _, stored := range []int{0, 1, 39, 40} {
		for _, when := range []landing{atOnce, afterNextBatch, whenReleased, afterNextLook} {
			t.Run(fmt.Sprintf("%d stored, landing %d", stored, when), func(t *testing.T) {
				t.Parallel()
				b := newMerge(t)
				b.dst.lose = func(n int) fate { return fate{dies: n == 1 || n == 3, stored: stored, when: when} }
				b.pass(merging)
				b.dst.lose = nil
				b.dst.releaseAll()
				b.pass(merging)
				b.pass(merging)
				b.merged("after lost connections")
			})
		}
	}
}

// TestMergeMovedOnSource: a message that goes from one of the merged folders to the other stays where it is.
func TestMergeMovedOnSource(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	b.src.move("Sent", 5, "Gesendet")
	b.src.move("Gesendet", 1, "Sent")
	r := b.pass(merging)
	if b.dst.count("MOVE")+b.dst.count("APPEND") != 0 || r.Copied+r.Gone+r.Moved != 0 {
		t.Errorf("%v %+v", b.dst.commands, r)
	}
	b.merged("moved")
	b.src.setFlags("Gesendet", 41, imap.FlagFlagged)
	if r := b.pass(merging); r.Flags != 1 {
		t.Errorf("its flags are not carried any more: %+v", r)
	}
	b.merged("flagged")
}

// TestMergeTargetRenumbered: each pair finds its own messages again.
func TestMergeTargetRenumbered(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	b.dst.renumber("Sent")
	if r := b.pass(merging); r.Copied+r.Gone != 0 {
		t.Errorf("%+v", r)
	}
	b.merged("renumbered")
	b.src.setFlags("Gesendet", 3, imap.FlagFlagged)
	b.src.setFlags("Sent", 33, imap.FlagFlagged)
	if r := b.pass(merging); r.Flags != 2 {
		t.Errorf("%+v", r)
	}
	b.merged("flagged")
}

// TestMergeTargetFolderRenamed: both pairs follow the folder that their user renamed on the target.
func TestMergeTargetFolderRenamed(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	b.dst.mu.Lock()
	b.dst.rename("Sent", "Verschickt")
	b.dst.mu.Unlock()
	b.fill("Gesendet", 70, 72)
	b.fill("Sent", 80, 82)
	if r := b.pass(merging); r.Copied != 4 || r.Gone+r.FoldersCreated != 0 || len(b.dst.content("Verschickt")) != 84 {
		t.Errorf("%d there, %+v", len(b.dst.content("Verschickt")), r)
	}
}

// TestMergeSourceFolderRenamed: the target folder is not this source folder's alone and keeps its name.
func TestMergeSourceFolderRenamed(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	b.src.mu.Lock()
	b.src.rename("Sent", "Sent 2019")
	b.src.mu.Unlock()
	if r := b.pass(merging); r.Copied+r.FoldersCreated != 0 || len(b.dst.content("Sent")) != 80 {
		t.Errorf("%d there, %+v", len(b.dst.content("Sent")), r)
	}
}

// TestMergeUserDecisions: what is deleted or moved on the target is known by the pair whose message it is.
func TestMergeUserDecisions(t *testing.T) {
	b := newMerge(t)
	b.pass(merging)
	b.dst.expunge("Sent", 2)
	b.dst.move("Sent", 60, "Elsewhere")
	if r := b.pass(merging); r.Gone != 1 || r.Moved != 1 || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	if r := b.pass(merging); r.Gone+r.Moved+r.Copied != 0 {
		t.Errorf("the pass after: %+v", r)
	}
}

// TestLeftOutAndBack: what is excluded later stays in the state, and goes on when it is no longer excluded.
func TestLeftOutAndBack(t *testing.T) {
	b := newMerge(t)
	b.pass()
	b.fill("Gesendet", 70, 72)
	without := func(o *Options) { o.Mapping.Exclude = []string{"Gesend*"} }
	if r := b.pass(without); r.Copied != 0 || r.FoldersLeftOut != 1 || r.Folders != 2 {
		t.Errorf("left out: %+v", r)
	}
	if r := b.pass(); r.Copied != 2 || r.Matched != 0 || r.FoldersLeftOut != 0 {
		t.Errorf("back: %+v", r)
	}
	b.equal("back")
}
