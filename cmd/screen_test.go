package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needsScreen leaves a test out, loudly, where there is no tmux.
func needsScreen(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		fmt.Fprintf(os.Stderr, "\n*** %s: NOT RUN: there is no tmux (apt-get install tmux) ***\n", t.Name())
		if os.Getenv("CI") == "true" {
			t.Fatal("tmux is missing")
		}
		t.Skip("there is no tmux")
	}
}

// screen is a terminal of 80 by 24 (tmux's) with a shell in which "move" runs one command and says its exit code.
type screen struct{ socket string }

const screenPrompt = "PROMPT>"

func startShell(t *testing.T, dir string, env, command []string) screen {
	t.Helper()
	rc := filepath.Join(dir, "rc")
	line := "'" + strings.Join(command, "' '") + "'"
	if err := os.WriteFile(rc, []byte("PS1='"+screenPrompt+"'\nmove() { "+line+"; echo \"code $?\"; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := screen{socket: filepath.Join(dir, "tmux")}
	c := exec.Command("tmux", "-S", s.socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "bash --noprofile --rcfile '"+rc+"' -i")
	c.Env = append(env, "TERM=xterm")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, said)
	}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", s.socket, "kill-server").Run() }) // it is gone already, unless the test failed
	s.waitFor(t, "the shell", func(lines []string) bool { return lines[0] == screenPrompt })
	return s
}

func (s screen) tmux(t *testing.T, args ...string) string {
	t.Helper()
	said, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %q: %v: %s", args, err, said)
	}
	return string(said)
}

func (s screen) keys(t *testing.T, keys ...string) {
	t.Helper()
	s.tmux(t, append([]string{"send-keys"}, keys...)...)
}

// lines is what the screen shows, without empty lines at the end.
func (s screen) lines(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimRight(s.tmux(t, "capture-pane", "-p"), "\n"), "\n")
}

func (s screen) waitFor(t *testing.T, what string, done func([]string) bool) {
	t.Helper()
	for start := time.Now(); !done(s.lines(t)); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%s does not come; the screen:\n%s", what, strings.Join(s.lines(t), "\n"))
		}
	}
}

func (s screen) stop(t *testing.T) {
	t.Helper()
	s.tmux(t, "kill-server")
}
