package sync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"

	"mailmove/imapx"
	"mailmove/state"
)

// askAll asks for every message again that was not carried. One whose window is open waits for the next pass.
func (b *bench) askAll(t *rapid.T) {
	b.withState(func(f *state.File) {
		all, err := f.Exceptions(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.UID == 0 || !slices.Contains(notCarried(), e.Reason) || e.Reason == reasonMoved || e.Reason == reasonAmbiguous {
				continue
			}
			if err := f.Retry(context.Background(), e.Pair, []uint32{e.UID}); err != nil && !errors.Is(err, state.ErrUnsettled) {
				t.Fatal(err)
			}
		}
	})
}

// TestRetryLosesAndDoublesNothing lets random things happen around messages that are refused and asked for again. Every
// message of the source is on the target once, or is an exception; and when nothing is refused any more, asking for all
// leaves two equal mailboxes and no exception.
func TestRetryLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	heldBy := (&world{}).heldBy
	rapid.Check(t, func(t *rapid.T) {
		b := &bench{t: t, src: newFakeServer(100), dst: newFakeServer(5000), dir: tempDir(t)}
		b.src.folder("A")
		b.src.noModSeq = rapid.Bool().Draw(t, "no mod-sequences")
		b.dst.multi = rapid.Bool().Draw(t, "whole batches")
		words, n := "REFUSE", 0
		b.dst.refuse = func(data []byte) *imapx.Error {
			if strings.Contains(string(data), words) {
				return &imapx.Error{Op: "APPEND", Text: "no", Kind: imapx.KindAppend, Scope: imapx.ScopeMessage}
			}
			return nil
		}
		folder := rapid.SampledFrom([]string{"INBOX", "A"})
		look := func(when string) {
			src, dst := heldBy(b.src), heldBy(b.dst)
			for k, is := range src {
				refused := strings.Contains(k, "REFUSE") && words == "REFUSE"
				if got := dst[k]; got > is || got < is && !refused {
					t.Fatalf("%s: %q is %d times on the source, %d on the target", when, k, is, got)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"new": func(t *rapid.T) {
				n++
				b.src.add(folder.Draw(t, "folder"), day.AddDate(0, 0, n), letterOf(n, rapid.SampledFrom([]string{"fine", "REFUSE"}).Draw(t, "body")))
			},
			"flagged": func(t *rapid.T) {
				if f, uid, _, ok := one(t, b.src); ok {
					b.src.setFlags(f, uid, imap.FlagSeen)
				}
			},
			"deleted": func(t *rapid.T) {
				if f, uid, _, ok := one(t, b.src); ok {
					b.src.expunge(f, uid)
				}
			},
			"renumbered": func(t *rapid.T) { b.src.renumber(folder.Draw(t, "folder")) },
			"ask":        func(t *rapid.T) { b.askAll(t) },
			"pass":       func(*rapid.T) { b.pass() },
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "look") > 0 {
					return
				}
				b.pass()
				look("after a pass")
			},
		})
		b.pass()
		words = "nothing"
		b.askAll(t)
		b.pass()
		look("in the end")
		if all := b.exceptions(); len(all) > 0 {
			t.Fatalf("exceptions in the end: %+v", all)
		}
	})
}
