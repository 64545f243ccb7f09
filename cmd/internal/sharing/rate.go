package sharing

import (
	"context"
	"sync"
	"time"
)

// Rate slows down all that is sent, to so many units a second on average. A second's worth may go at once. Nil does not
// slow down.
type Rate struct {
	each time.Duration // of one unit

	mu   sync.Mutex
	free time.Time // when all that was taken is paid for
}

// NewRate makes a rate of so many units a second; nil for 0.
func NewRate(perSecond int64) *Rate {
	if perSecond <= 0 {
		return nil
	}
	return &Rate{each: max(time.Second/time.Duration(perSecond), 1)}
}

// Take waits until n units may go. More than a second's worth is let through when its beginning may go: what follows
// waits for it.
func (r *Rate) Take(ctx context.Context, n int64) error {
	if r == nil || n <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	r.mu.Lock()
	if burst := now.Add(-time.Second); r.free.Before(burst) {
		r.free = burst
	}
	wait := r.free.Sub(now)
	r.free = r.free.Add(time.Duration(min(n, int64(24*time.Hour/r.each))) * r.each)
	r.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return sleep(ctx, wait)
}
