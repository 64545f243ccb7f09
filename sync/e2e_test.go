//go:build e2e

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

// share is when a test has had its percentage of MAILMOVE_E2E_MINUTES, beginning now.
func share(percent int) time.Time {
	minutes, _ := strconv.Atoi(os.Getenv("MAILMOVE_E2E_MINUTES"))
	return time.Now().Add(time.Duration(max(minutes, 1)*percent) * time.Minute / 100)
}

// TestE2E moves preset S again and again for 40 % of MAILMOVE_E2E_MINUTES: killed at random moments, cut off with what it
// had sent arriving late, both at once. After one more pass the referee finds both sides equal, each time. Four
// accounts at a time, for most of an interrupted pass is waiting.
func TestE2E(t *testing.T) {
	end := share(40)
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	rng := seed(t)
	rounds := make(chan *rand.Rand)
	t.Run("accounts", func(t *testing.T) {
		for worker := range 4 {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for r := range rounds {
					s.round(t, r)
				}
			})
		}
		go func() {
			defer close(rounds)
			for n := 0; time.Now().Before(end); n++ {
				rounds <- rand.New(rand.NewPCG(rng.Uint64(), 0))
			}
		}()
	})
}

// round is one account with one accident.
func (s *servers) round(t *testing.T, rng *rand.Rand) {
	t.Helper()
	at := 200<<10 + rng.Int64N(16<<20)
	late := time.Duration(1+rng.IntN(5000)) * time.Millisecond
	switch rng.IntN(3) {
	case 0:
		s.killed(t, time.Duration(100+rng.IntN(1900))*time.Millisecond)
	case 1:
		s.late(t, at, late)
	case 2:
		s.lateKilled(t, at, late)
	}
}
