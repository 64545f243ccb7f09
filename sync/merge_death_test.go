package sync_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// TestDieWhileMerging kills a pass that carries two source folders into one at every step: the next one ends as an
// undisturbed pass, identical messages of both folders stay two, and the pass after that writes nothing.
func TestDieWhileMerging(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	s.tree = t.TempDir()
	x := s.account(t)
	x.Mapping = mailsync.Mapping{Maps: []mailsync.MapRule{{Source: "Gesendet", Target: "Sent"}}}
	o := client(t, s.src.Addr(), x.as(x.SourceUser))
	for _, folder := range []string{"Sent", "Gesendet"} {
		must(t, o.Create(folder, nil).Wait())
		for _, m := range []string{"both", "both", folder} {
			appendTo(t, o, folder, message(m))
		}
	}
	must(t, o.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the server writes its indexes when a client has left
	s.tree = s.src.MailDir(x.SourceUser)
	merged := func(name string) string {
		if name == "Gesendet" {
			return "Sent"
		}
		return name
	}
	mapping := x.Mapping
	fresh := func(t *testing.T) transfer {
		y := s.account(t)
		y.Mapping, y.Connections, y.Settle, y.LateWindow = mapping, 1, 60*time.Millisecond, 120*time.Millisecond
		return y
	}
	var steps atomic.Int64
	whole := fresh(t)
	whole.Step = func(string) { steps.Add(1) }
	if r := whole.pass(t); r.Copied != 6 {
		t.Fatalf("undisturbed: %+v", r)
	}
	t.Logf("N = %d steps", steps.Load())
	every(t, steps.Load(), sampled(), func(t *testing.T, k int64) {
		y := fresh(t)
		child := y
		child.KillAt = k
		err := child.start(t).Wait()
		y.pass(t)
		s.equalUnder(t, y, fmt.Sprintf("died at step %d (%v)", k, err), merged)
		writesNothing(t, y, fmt.Sprintf("died at step %d", k))
		s.src.Wipe(y.SourceUser)
		s.dst.Wipe(y.TargetUser)
	})
}
