package ui

import (
	"errors"
	"strings"
	"testing"
	"time"

	mailsync "mailmove/sync"
)

// A pause is told in the words that errors have everywhere; without them in the engine's.
func TestPausesAreWorded(t *testing.T) {
	pause := mailsync.Throttled{Account: account, Side: "source", Delay: 5 * time.Second, Why: "source h:993: UID FETCH: EOF", Err: errors.New("EOF")}
	words := func(err error) string { return "lost the connection to source h:993: " + err.Error() }
	for _, mode := range []Mode{Plain, Terminal, JSON} {
		out, problems := play(Options{Mode: mode, Words: words}, pause)
		if text := out + problems; !strings.Contains(text, "lost the connection to source h:993: EOF") || strings.Contains(text, "FETCH") {
			t.Errorf("mode %d: %q", mode, text)
		}
		out, problems = play(Options{Mode: mode}, pause)
		if text := out + problems; !strings.Contains(text, "UID FETCH") {
			t.Errorf("mode %d without words: %q", mode, text)
		}
	}
	pause.Err = nil
	if _, problems := play(Options{Mode: Plain, Words: words}, pause); problems != "source h:993: UID FETCH: EOF; trying again in 5 s\n" {
		t.Errorf("%q", problems)
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int64]string{0: "0 folders", 1: "1 folder", 2: "2 folders", 1234: "1,234 folders"} {
		if got := Plural(n, "folder"); got != want {
			t.Error(got)
		}
	}
}
