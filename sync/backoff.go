package sync

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Minute
)

// backoff is the pause before try n (from 0): what the server asked for, else growing by two up to a minute,
// with a quarter of jitter so that many accounts do not come back at once.
func backoff(n int, asked time.Duration) time.Duration {
	d := asked
	if d == 0 {
		d = min(firstDelay<<min(n, 12), lastDelay)
	}
	return d + rand.N(d/4+1)
}

// pause sleeps, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
