package sync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// seedNumber of what is random: MAILMOVE_E2E_SEED, or 1.
func seedNumber() uint64 {
	n, _ := strconv.ParseUint(os.Getenv("MAILMOVE_E2E_SEED"), 10, 64)
	return max(n, 1)
}

// seed of the random moments. It is printed, so that a failure can be had again.
func seed(t *testing.T) *rand.Rand {
	n := seedNumber()
	t.Logf("seed %d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// killed runs a pass in a process that is killed after d, then one here.
func (s *servers) killed(t *testing.T, d time.Duration) {
	t.Helper()
	x := s.account(t)
	cmd := x.start(t)
	done := time.AfterFunc(d, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	done.Stop()
	r := x.pass(t)
	s.equal(t, x, fmt.Sprintf("killed after %v (%v)", d, err))
	t.Logf("killed after %v (%v): then %d copied, %d found again, %d doubles removed", d, err, r.Copied, r.Recovered, r.Doubles)
	s.dst.Wipe(x.TargetUser)
}

// TestKilled kills passes at random moments; one pass later everything is there once.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	rng := seed(t)
	for i := range 4 {
		d := time.Duration(100+rng.IntN(700)) * time.Millisecond
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s.killed(t, d)
		})
	}
}

// late cuts the client off the target after n bytes; what it had sent arrives after d.
func (s *servers) late(t *testing.T, n int64, d time.Duration) {
	t.Helper()
	x := s.account(t)
	p, err := imaptest.NewProxy(s.dst.Addr(), imaptest.Faults{CutUp: n, Break: imaptest.BreakLate, Late: d, Conns: 2})
	must(t, err)
	defer p.Close()
	x.Target = p.Addr()
	r := x.pass(t)
	if p.Stats().Breaks == 0 {
		t.Fatalf("no connection was cut at %d bytes", n)
	}
	x.Target = s.dst.Addr()
	s.equal(t, x, fmt.Sprintf("cut at %d bytes, the rest %v late", n, d))
	t.Logf("cut at %d bytes, the rest %v late: %d copied, %d found again, %d doubles removed", n, d, r.Copied, r.Recovered, r.Doubles)
	s.dst.Wipe(x.TargetUser)
}

// lateKilled does the same, and the process dies with the line: only the next pass can know.
func (s *servers) lateKilled(t *testing.T, n int64, d time.Duration) {
	t.Helper()
	x := s.account(t)
	p, err := imaptest.NewProxy(s.dst.Addr(), imaptest.Faults{CutUp: n, Break: imaptest.BreakLate, Late: d})
	must(t, err)
	defer p.Close()
	x.Target = p.Addr()
	cmd := x.start(t)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for p.Stats().Breaks == 0 {
		select {
		case err := <-ended:
			t.Fatalf("the pass ended before it was cut: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cmd.Process.Kill()
	<-ended
	x.Target = s.dst.Addr()
	r := x.pass(t)
	s.equal(t, x, fmt.Sprintf("killed at %d bytes, the rest %v late", n, d))
	t.Logf("killed at %d bytes, the rest %v late: %d copied, %d found again, %d doubles removed", n, d, r.Copied, r.Recovered, r.Doubles)
	s.dst.Wipe(x.TargetUser)
}

// TestLate lets mail land that a dead connection had sent, before and after it was sent again.
func TestLate(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	rng := seed(t)
	for _, d := range []time.Duration{time.Millisecond, 300 * time.Millisecond, 3 * time.Second} {
		n := 1<<20 + rng.Int64N(16<<20)
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			s.late(t, n, d)
			s.lateKilled(t, n, d)
		})
	}
}

// TestCuts breaks connections of both sides again and again, in every way.
func TestCuts(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	rng := seed(t)
	for _, how := range []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST, imaptest.BreakLate} {
		for _, side := range []string{"source", "target"} {
			t.Run(fmt.Sprintf("%d %s", how, side), func(t *testing.T) {
				x := s.account(t)
				x.Settle, x.LateWindow = 500*time.Millisecond, 1500*time.Millisecond
				addr := map[string]string{"source": x.Source, "target": x.Target}[side]
				p, err := imaptest.NewProxy(addr, imaptest.Faults{CutUp: 60 << 10, CutDown: 60 << 10, Break: how, Conns: 6,
					Late: 50 * time.Millisecond, Seed: rng.Uint64() | 1})
				must(t, err)
				defer p.Close()
				if side == "source" {
					x.Source = p.Addr()
				} else {
					x.Target = p.Addr()
				}
				x.pass(t)
				if p.Stats().Breaks == 0 {
					t.Error("nothing was cut")
				}
				s.equal(t, x, "after the cuts")
			})
		}
	}
}
