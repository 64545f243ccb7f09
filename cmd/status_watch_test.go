package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

// A watch fits its window, says what it leaves out, and never writes into the last line.
func TestFramed(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "%d %s\n", i, strings.Repeat("ü", 100))
	}
	for _, c := range []struct{ width, height int }{{80, 24}, {20, 10}, {300, 100}, {1, 1}} {
		out := framed(text.String(), "title", c.width, c.height)
		lines := strings.Split(strings.TrimSuffix(out, lineEnd+restEmpty), lineEnd)
		if len(lines) > max(c.height-1, 3) {
			t.Errorf("%v: %d lines", c, len(lines))
		}
		for _, line := range lines {
			if ui.Width(line) >= max(c.width, 1) {
				t.Errorf("%v: a line of %d columns", c, ui.Width(line))
			}
		}
		if whole := c.height > 52; whole == strings.Contains(out, "left out: ") && c.width > 10 {
			t.Errorf("%v: what is left out:\n%s", c, out)
		}
	}
	if out := framed(text.String(), "title", 80, 24); !strings.Contains(out, "lines left out: 30; ") || !strings.Contains(out, "\r\n19 ") || strings.Contains(out, "\r\n20 ") {
		t.Errorf("50 lines and a title in 23: %q", out)
	}
}

// TestWatchOnTerminal looks at a status that is drawn again and again, on a real terminal, until Ctrl-C.
func TestWatchOnTerminal(t *testing.T) {
	t.Parallel()
	needsScreen(t)
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	dir, folder := t.TempDir(), t.TempDir()
	make := func(account string) {
		t.Helper()
		f, err := state.Open(context.Background(), state.Options{Dir: folder, Account: account, Source: "a@old:993", Target: "b@new:993"})
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	make("alice")
	s := startShell(t, dir, os.Environ(), []string{program, "status", "--state-dir", folder, "--watch", "1s"})
	s.keys(t, "move", "Enter")
	shows := func(pattern string) func([]string) bool {
		return func(lines []string) bool { return regexp.MustCompile(pattern).MatchString(strings.Join(lines, "\n")) }
	}
	s.waitFor(t, "the table", shows(`^[0-9:]{8}, every 1s; Ctrl-C ends\n\nFOLDERS .* ACCOUNT\n0 .* no pass yet +alice$`))
	make("bert")
	s.waitFor(t, "another account", shows(`alice\n.* bert$`))
	if flags := strings.TrimSpace(s.tmux(t, "display-message", "-p", "#{alternate_on} #{cursor_flag}")); flags != "1 0" {
		t.Errorf("the second screen, the cursor: %s", flags)
	}
	s.keys(t, "C-c")
	s.ended(t, "a watch")
	if got, want := s.lines(t), []string{screenPrompt + "move", "code 0", screenPrompt}; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the screen afterwards: %q", got)
	}
	if flags := strings.TrimSpace(s.tmux(t, "display-message", "-p", "#{alternate_on} #{cursor_flag}")); flags != "0 1" {
		t.Errorf("the second screen, the cursor: %s", flags)
	}
	s.stop(t)
}

// A watch that cannot be shown says why.
func TestWatchWantsATerminal(t *testing.T) {
	program, err := exec.LookPath("mailmove")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--watch"}, "--watch, and standard output is no terminal"},
		{[]string{"--watch", "10s"}, "--watch, and standard output is no terminal"},
		{[]string{"--watch=10s", "--json"}, "both --watch and --json"},
		{[]string{"--watch", "--accounts", "-"}, "standard input can be read once"},
		{[]string{"--watch", "soon"}, `--watch "soon": write a time from 1s`},
		{[]string{"10s"}, "takes no arguments"},
		{[]string{"--watch=5s", "10s"}, "takes no arguments"},
	} {
		said, err := exec.Command(program, append([]string{"status", "--state-dir", t.TempDir()}, c.args...)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(string(said), c.want) {
			t.Errorf("%v: %v, %s", c.args, err, said)
		}
	}
}
