package fleet

import (
	"testing"
	"time"
)

// A text is told when it is new, and again after its time; one that was gone in between is new.
func TestTell(t *testing.T) {
	dir := t.TempDir()
	start := time.Now()
	for i, c := range []struct {
		subject, text string
		after         time.Duration
		want          bool
	}{
		{"a", "", 0, false},
		{"a", "wrong", 0, true},
		{"a", "wrong", time.Hour, false},
		{"b", "wrong", time.Hour, true},
		{"a", "another", time.Hour, true},
		{"a", "another", 22 * time.Hour, false},
		{"a", "another", 24 * time.Hour, true},
		{"a", "", 25 * time.Hour, false},
		{"a", "another", 26 * time.Hour, true},
		{"a", "another", -time.Hour, true}, // the clock was set back
	} {
		f, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		due, err := f.Tell(t.Context(), c.subject, c.text, 22*time.Hour, start.Add(c.after))
		if err != nil || due != c.want {
			t.Errorf("%d: %q of %q after %v: %v, %v", i, c.text, c.subject, c.after, due, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
