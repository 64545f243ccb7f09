package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// stopBench is two servers, the way to the target slow enough for a pass to be met in the middle.
type stopBench struct {
	source, target *real.Server
	slow           *imaptest.Proxy
	tree           string
	program        string
	rng            *rand.Rand
}

// latestStop is well before a first pass over stopPreset ends at stopRate.
const latestStop = 3 * time.Second

func newStopBench(t *testing.T, seed uint64) *stopBench {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	b := &stopBench{source: real.Dovecot(t, real.Options{}), target: real.Dovecot(t, real.Options{}), program: program,
		tree: filepath.Join(t.TempDir(), "Maildir"), rng: rand.New(rand.NewPCG(seed, 1))}
	corpus, err := imaptest.NewCorpus(stopPreset, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corpus.WriteMaildir(b.tree); err != nil {
		t.Fatal(err)
	}
	if b.slow, err = imaptest.NewProxy(b.target.Addr(), imaptest.Faults{RTT: 20 * time.Millisecond, Bandwidth: stopRate}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.slow.Close)
	t.Logf("seed %d", seed)
	return b
}

// stopAccount is one account with its state.
type stopAccount struct {
	*stopBench
	user, state string
}

func (b *stopBench) account(t *testing.T) stopAccount {
	t.Helper()
	user := b.source.FreshUser()
	b.source.LoadMaildir(user, b.tree)
	return stopAccount{b, user, t.TempDir()}
}

// moment draws from the n-th part of the time, so that few moments are spread as well as many.
func (b *stopBench) moment(n int) time.Duration {
	const part = latestStop / stopMoments
	return time.Duration(n)*part + time.Duration(b.rng.Int64N(int64(part)))
}

func (a stopAccount) args(target string) []string {
	return []string{"sync", "--id", "moved", "--state-dir", a.state, "--retry-for", "off",
		"--source", "imap://" + a.source.Addr(), "--source-user", a.user, "--source-tls", "none",
		"--target", "imap://" + target, "--target-user", a.user, "--target-tls", "none"}
}

func (a stopAccount) env() []string {
	return append(os.Environ(), "MAILMOVE_SOURCE_PASSWORD="+real.Password, "MAILMOVE_TARGET_PASSWORD="+real.Password)
}

// finish runs a pass that nobody stops, past the slow link, and asks the referee.
func (a stopAccount) finish(t *testing.T, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, a.program, a.args(a.target.Addr())...)
	c.Env = a.env()
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitExceptions { // the corpus holds what no server takes as it is
		err = nil
	}
	if err != nil {
		t.Fatalf("%s: the next pass: %v\n%s", when, err, said)
	}
	d, err := imaptest.Compare(ctx, imaptest.Login{Addr: a.source.Addr(), User: a.user, Password: real.Password},
		imaptest.Login{Addr: a.target.Addr(), User: a.user, Password: real.Password}, imaptest.CompareOptions{})
	if err != nil {
		t.Fatalf("%s: referee: %v", when, err)
	}
	if !d.Equal() {
		t.Fatalf("%s: not equal after the next pass:\n%s\nit said: %s", when, d, said)
	}
	a.source.Wipe(a.user)
	a.target.Wipe(a.user)
}

// TestStopIntoPipe stops passes whose output nobody sees, at random moments, by one signal or two.
func TestStopIntoPipe(t *testing.T) {
	t.Parallel()
	b := newStopBench(t, stopSeed())
	for n := range stopMoments {
		a, after, signals := b.account(t), b.moment(n), 1+n%2
		when := fmt.Sprintf("%d signals after %v", signals, after.Round(time.Millisecond))
		sig := []os.Signal{syscall.SIGINT, syscall.SIGTERM}[n/2%2]
		want := map[os.Signal]int{syscall.SIGINT: exitInterrupt, syscall.SIGTERM: exitTerminate}[sig]
		c := exec.Command(b.program, a.args(b.slow.Addr())...)
		c.Env = a.env()
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100*time.Millisecond + after) // a process that is only just there has no handlers yet
		for i := range signals {
			if i > 0 {
				time.Sleep(50 * time.Millisecond)
			}
			if err := c.Process.Signal(sig); err != nil {
				t.Fatalf("%s: it ended before: %v\n%s", when, err, said.String())
			}
		}
		err := c.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want {
			t.Errorf("%s: %v, want %d\n%s", when, err, want, said.String())
		}
		for _, text := range []string{out.String(), said.String()} {
			if strings.ContainsAny(text, "\x1b\r") || text != "" && !strings.HasSuffix(text, "\n") {
				t.Errorf("%s: no plain lines: %q", when, text)
			}
		}
		if !strings.Contains(said.String(), "mailmove: stopped by "+signalName(sig)) {
			t.Errorf("%s: it said %q", when, said.String())
		}
		a.finish(t, when)
	}
}

// TestStopOnTerminal stops passes with Ctrl-C on a real terminal (tmux's), at random moments, once or twice, and looks at
// the screen afterwards.
func TestStopOnTerminal(t *testing.T) {
	t.Parallel()
	needsScreen(t)
	b := newStopBench(t, stopSeed()+1)
	for n := range stopMoments {
		a, after, presses := b.account(t), b.moment(n), 1+n%2
		when := fmt.Sprintf("%d Ctrl-C after %v", presses, after.Round(time.Millisecond))
		s := startScreen(t, a)
		s.keys(t, "move", "Enter")
		time.Sleep(100*time.Millisecond + after)
		for i := range presses {
			if i > 0 {
				time.Sleep(50 * time.Millisecond)
			}
			s.keys(t, "C-c")
		}
		s.ended(t, when)
		s.check(t, when, presses)
		s.stop(t)
		a.finish(t, when)
	}
}

func startScreen(t *testing.T, a stopAccount) screen {
	t.Helper()
	return startShell(t, a.state, a.env(), append([]string{a.program}, a.args(a.slow.Addr())...))
}

func (s screen) ended(t *testing.T, when string) {
	t.Helper()
	s.waitFor(t, when+": the end", func(lines []string) bool {
		return len(lines) > 1 && lines[len(lines)-1] == screenPrompt && strings.HasPrefix(lines[len(lines)-2], "code ")
	})
}

// check wants a screen on which nothing is left of the bar: whole lines, each beginning where it should, a cursor that
// shows, behind a prompt on a line of its own.
func (s screen) check(t *testing.T, when string, presses int) {
	t.Helper()
	lines := s.lines(t)
	all := strings.Join(lines, "\n")
	bad := lines[len(lines)-2] != fmt.Sprintf("code %d", exitInterrupt)
	for _, line := range lines {
		bad = bad || regexp.MustCompile(`\d+% *\|`).MatchString(line) || strings.Contains(line, "looking at both")
		for _, begins := range []string{"mailmove: ", "settling ", "moved:", "code "} {
			bad = bad || strings.Index(line, begins) > 0 && begins != "code "
		}
	}
	bad = bad || !strings.Contains(all, "mailmove: stopped by Ctrl-C")
	if presses == 1 && strings.Contains(all, "in flight is settled") && !strings.Contains(all, "press Ctrl-C again to stop now") {
		bad = true
	}
	cursor := strings.TrimSpace(s.tmux(t, "display-message", "-p", "#{cursor_flag} #{cursor_x}"))
	if bad || cursor != fmt.Sprintf("1 %d", len(screenPrompt)) {
		t.Errorf("%s: cursor %q, the screen:\n%s", when, cursor, all)
	}
	t.Logf("%s:\n%s", when, all)
}
