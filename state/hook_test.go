package state

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Every commit is one call of the hook, with the names of all that it carries; what failed is no step.
func TestHook(t *testing.T) {
	ctx, o := context.Background(), testOptions(t.TempDir())
	var steps []string // written by the writer, read where it has answered
	o.Hook = func(step string) { steps = append(steps, step) }
	f, err := Open(ctx, o)
	must(t, err)
	pair := testPair(t, f, "INBOX")
	w := Window{Pair: pair, Rows: maybe(testRows(1, 5))}
	must(t, f.Intend(ctx, &w))
	must(t, f.Record(ctx, w.ID, testRows(1, 5), true))
	if err := f.SetWindow(ctx, 99, WindowWatched); err == nil {
		t.Error("a window that is not there was set")
	}
	want := []string{"store folder pair", "store intent", "store intent"}
	if !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
	release := stall(t, f)
	errs := make(chan error, 4)
	for i := range uint32(3) {
		go func() { errs <- f.PutRows(ctx, pair, testRows(10+i, 10+i)) }()
	}
	go func() { errs <- f.SetWindow(ctx, 99, WindowWatched) }()
	queued(t, f, 4)
	release()
	failed := 0
	for range 4 {
		if <-errs != nil {
			failed++
		}
	}
	want = append(want, "stall", "store ledger rows, store ledger rows, store ledger rows")
	if failed != 1 || !slices.Equal(steps, want) {
		t.Errorf("%d failed, %q, want %q", failed, steps, want)
	}
	must(t, f.Close())
}

// Whoever dies in the hook dies after the step: each one is in the file, the next is not.
func TestDieAtEveryStep(t *testing.T) {
	for i, want := range []string{"pair", "pair window", "pair rows"} {
		k := i + 1
		dir := t.TempDir()
		cmd, line := child(t, "steps"+strings.Repeat("+", k), dir, nil)
		if err := cmd.Wait(); err == nil || line != "dying" {
			t.Fatalf("step %d: %q, %v", k, line, err)
		}
		f := openTest(t, dir)
		var got []string
		pairs, err := f.Pairs(context.Background())
		must(t, err)
		windows, err := f.Windows(context.Background())
		must(t, err)
		rows, err := f.CountRows(context.Background(), 1)
		must(t, err)
		for name, n := range map[string]int{"pair": len(pairs), "window": len(windows), "rows": int(rows)} {
			if n > 0 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("step %d: %q, want %q", k, got, want)
		}
	}
}

// dieAt is a hook that kills its own process at the k-th step.
func dieAt(k int) func(string) {
	return func(string) {
		if k--; k == 0 {
			_, _ = os.Stdout.WriteString("dying\n")
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it is on its way
		}
	}
}
