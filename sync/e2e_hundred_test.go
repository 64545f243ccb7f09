//go:build e2e

package sync_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// hundred is how many accidents one account has: a hundred where there is time.
func hundred() int {
	minutes, _ := strconv.Atoi(os.Getenv("MAILMOVE_E2E_MINUTES"))
	return min(100, max(10, 5*minutes))
}

// settledAfter is the end of all three: the referee, then a pass without work once the last looks are over.
func (s *servers) settledAfter(t *testing.T, x transfer, when string) {
	t.Helper()
	x.Settle, x.LateWindow = 2*time.Second, 6*time.Second
	r := x.pass(t)
	s.equal(t, x, when)
	t.Logf("%s: the last pass copied %d, found %d again, removed %d", when, r.Copied, r.Recovered, r.Doubles)
	x.pass(t)
	quiet(t, x, when+", then")
}

// TestE2EHundredKills kills one account's passes again and again; where one ends before that, new mail arrives.
func TestE2EHundredKills(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	rng := seed(t)
	x := s.account(t)
	x.Settle, x.LateWindow = 30*time.Millisecond, 60*time.Millisecond
	kills := 0
	for n := 0; kills < hundred(); n++ {
		cmd := x.start(t)
		timer := time.AfterFunc(time.Duration(30+rng.IntN(400))*time.Millisecond, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		if timer.Stop(); err != nil {
			kills++
			continue
		}
		c := client(t, s.src.Addr(), x)
		for i := range 30 {
			appendTo(t, c, []string{"INBOX", "Sent"}[i%2], message(fmt.Sprintf("new-%d-%d", n, i)))
		}
		must(t, c.Logout().Wait())
	}
	s.settledAfter(t, x, fmt.Sprintf("%d kills", kills))
}

// TestE2EHundredCuts breaks one account's connections to the target again and again, in another one with the rest of
// what was sent arriving late.
func TestE2EHundredCuts(t *testing.T) {
	for name, how := range map[string]imaptest.Break{"cuts": imaptest.BreakRST, "late deliveries": imaptest.BreakLate} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServers(t, imaptest.S, real.Options{}, real.Options{})
			rng := seed(t)
			x := s.account(t)
			x.Settle, x.LateWindow = 300*time.Millisecond, 6*time.Second
			n := hundred()
			cut := 11 << 20 / n
			p, err := imaptest.NewProxy(s.dst.Addr(), imaptest.Faults{CutUp: int64(cut), Break: how, Conns: 2 * n,
				Seed: rng.Uint64() | 1, Late: time.Duration(1+rng.IntN(5000)) * time.Millisecond})
			must(t, err)
			defer p.Close()
			x.Target = p.Addr()
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
			defer cancel()
			var sum mailsync.Report
			for round := 0; ; round++ {
				r, err := x.run(ctx)
				must(t, err)
				sum.Copied, sum.Recovered, sum.Doubles = sum.Copied+r.Copied, sum.Recovered+r.Recovered, sum.Doubles+r.Doubles
				if p.Stats().Breaks >= n || round == n {
					break
				}
				c := client(t, s.src.Addr(), x) // some connections end before they are cut: more mail for others
				for i := range 20 {
					appendTo(t, c, []string{"INBOX", "Sent"}[i%2], message(fmt.Sprintf("new-%d-%d", round, i))+strings.Repeat("more of it\r\n", cut/50)) // together four times a cut
				}
				must(t, c.Logout().Wait())
			}
			x.Target = s.dst.Addr()
			t.Logf("%d breaks: %d copied, %d found again, %d doubles removed", p.Stats().Breaks, sum.Copied, sum.Recovered, sum.Doubles)
			if p.Stats().Breaks < n {
				t.Errorf("only %d of %d connections broke", p.Stats().Breaks, n)
			}
			s.settledAfter(t, x, name)
		})
	}
}
