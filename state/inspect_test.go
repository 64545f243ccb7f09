package state

import (
	"context"
	"testing"
	"time"
)

// A pass without an end is running while somebody holds the lock, and was interrupted when nobody does.
func TestInspectTellsKilledFromRunning(t *testing.T) {
	ctx := context.Background()
	f := openTest(t, t.TempDir())
	_, err := f.BeginPass(ctx, time.Now())
	must(t, err)
	for _, want := range []struct {
		running bool
		result  string
	}{{true, ResultRunning}, {false, ResultInterrupted}} {
		s, err := Inspect(ctx, f.Path())
		must(t, err)
		if s.Running != want.running || len(s.Passes) != 1 || s.Passes[0].Result != want.result {
			t.Errorf("running %v, passes %+v; want %v", s.Running, s.Passes, want)
		}
		must(t, f.Close())
	}
}
