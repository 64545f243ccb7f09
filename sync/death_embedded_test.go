package sync_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
)

// TestDieOnEmbeddedServer kills first passes between two embedded servers, which know neither MULTIAPPEND nor
// CONDSTORE.
func TestDieOnEmbeddedServer(t *testing.T) {
	t.Parallel()
	corpus, err := imaptest.NewCorpus(imaptest.Small, 1)
	must(t, err)
	both := func(t *testing.T) transfer {
		src, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{Users: []imaptest.EmbeddedUser{{Name: "u", Password: "pass", Corpus: corpus}}})
		must(t, err)
		t.Cleanup(func() { src.Close() })
		dst, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{Users: []imaptest.EmbeddedUser{{Name: "u", Password: "pass"}}})
		must(t, err)
		t.Cleanup(func() { dst.Close() })
		// A folder of the target's own: these servers count UIDVALIDITY from 1 and would look like one mailbox.
		client(t, dst.Addr(), transfer{TargetUser: "u", Password: "pass"}).Create("Own", nil).Wait()
		return transfer{Source: src.Addr(), Target: dst.Addr(), SourceUser: "u", TargetUser: "u", Password: "pass",
			Dir: t.TempDir(), Settle: 60 * time.Millisecond, LateWindow: 120 * time.Millisecond}
	}
	undisturbed := both(t)
	equal := func(t *testing.T, x transfer, when string) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		d, err := imaptest.Compare(ctx, imaptest.Login{Addr: undisturbed.Target, User: "u", Password: "pass"},
			imaptest.Login{Addr: x.Target, User: "u", Password: "pass"}, imaptest.CompareOptions{})
		must(t, err)
		if !d.Equal() {
			t.Fatalf("%s: not what an undisturbed pass leaves:\n%s", when, d)
		}
	}
	var n atomic.Int64
	undisturbed.Step = func(string) { n.Add(1) }
	r := undisturbed.pass(t)
	if r.Copied < 70 {
		t.Fatalf("the undisturbed pass copied little: %+v", r)
	}
	t.Logf("N = %d steps", n.Load())
	every(t, n.Load(), 3*sparse(), func(t *testing.T, k int64) {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			x := both(t)
			child := x
			child.KillAt = k
			err := child.start(t).Wait()
			x.pass(t)
			equal(t, x, fmt.Sprintf("died at step %d (%v)", k, err))
			writesNothing(t, x, fmt.Sprintf("died at step %d", k))
		})
	})
}
