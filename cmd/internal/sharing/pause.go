package sharing

import (
	"context"
	"time"
)

// Pause leaves a server alone until then: nothing new is begun there, and what is under way waits before its next step. A
// longer pause that is set already stays.
func (s *Servers) Pause(name string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.at(name); until.After(v.paused) {
		v.paused = until
		s.tell()
	}
}

// Paused says until when a server is left alone; not after now: it is not.
func (s *Servers) Paused(name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at(name).paused
}

// NextResume is when the first server that is left alone now may be asked again; zero: none is.
func (s *Servers) NextResume(now time.Time) (first time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.servers {
		if v.paused.After(now) && (first.IsZero() || v.paused.Before(first)) {
			first = v.paused
		}
	}
	return first
}

// Wait waits until the server may be asked again.
func (s *Servers) Wait(ctx context.Context, name string) error {
	for {
		d := time.Until(s.Paused(name))
		if d <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// sleep waits for d, or for the end of the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
