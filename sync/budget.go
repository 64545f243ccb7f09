package sync

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// budget bounds the bytes of message bodies in memory, over all pipelines that share it. Whoever has to wait
// for room first asks everybody to send what they have collected, so that no two wait for each other.
type budget struct {
	memory *semaphore.Weighted
	disk   *semaphore.Weighted
	size   int64

	mu      sync.Mutex
	waiting int
	pressed chan struct{} // closed when somebody starts to wait
}

// spoolLimit bounds the bytes of large bodies on disk; a single larger one is let through alone.
const spoolLimit = 1 << 30

func newBudget(size int64) *budget {
	return &budget{
		memory:  semaphore.NewWeighted(size),
		disk:    semaphore.NewWeighted(spoolLimit),
		size:    size,
		pressed: make(chan struct{}),
	}
}

// take waits for n bytes of s. n is at most the whole of s.
func (b *budget) take(ctx context.Context, s *semaphore.Weighted, n int64) error {
	if s.TryAcquire(n) {
		return nil
	}
	b.mu.Lock()
	b.waiting++
	close(b.pressed)
	b.pressed = make(chan struct{})
	b.mu.Unlock()
	err := s.Acquire(ctx, n)
	b.mu.Lock()
	b.waiting--
	b.mu.Unlock()
	return err
}

// pressure gives a channel that is closed when somebody starts to wait, and whether somebody waits already.
func (b *budget) pressure() (<-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pressed, b.waiting > 0
}
