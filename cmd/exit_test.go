package cmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

var update = flag.Bool("update", false, "write generated documents and golden files anew")

func TestExitCodesAreDocumented(t *testing.T) {
	const page = "../docs/exit-codes.md"
	if *update {
		if err := os.WriteFile(page, []byte(exitDoc()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != exitDoc() {
		t.Errorf("%s is not what the table says; run go test ./cmd -run ExitCodes -update", page)
	}
	last := -1
	for _, r := range exitTable() {
		if r.Code <= last {
			t.Errorf("%d stands after %d", r.Code, last)
		}
		last = r.Code
		if !strings.Contains(exitHelp(), fmt.Sprintf("  %3d  ", r.Code)) {
			t.Errorf("the help topic lacks %d", r.Code)
		}
	}
	for line := range strings.Lines(exitHelp()) {
		if len(line) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

func TestExitCode(t *testing.T) {
	server := func(k imapx.Kind, side, op string) error {
		return fmt.Errorf("pass: %w", &imapx.Error{Kind: k, Side: side, Op: op})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usagef("", "x"), 64},
		{mailsync.ErrSameMailbox, 64},
		{server(imapx.KindConnect, "source", "dial"), 101},
		{server(imapx.KindConnect, "target", "dial"), 102},
		{server(imapx.KindLost, "source", "FETCH"), 101},
		{server(imapx.KindLost, "target", "APPEND"), 102},
		{server(imapx.KindTLS, "source", "TLS"), 12},
		{server(imapx.KindAuth, "source", "login"), 161},
		{server(imapx.KindAuth, "target", "login"), 162},
		{server(imapx.KindQuota, "target", "APPEND"), 113},
		{server(imapx.KindUnavailable, "target", "login"), 69},
		{server(imapx.KindFolder, "target", "CREATE"), 116},
		{server(imapx.KindFolder, "source", "EXAMINE"), 117},
		{server(imapx.KindAppend, "target", "APPEND"), 114},
		{server(imapx.KindFetch, "source", "FETCH"), 115},
		{server(imapx.KindStore, "target", "STORE"), 120},
		{server(imapx.KindProtocol, "source", "greeting"), 76},
		{server(imapx.KindOther, "source", "x"), 1},
		{&state.BusyError{}, 8},
		{&state.NewerError{}, 65},
		{&state.OlderError{}, 65},
		{&state.OtherAccountError{}, 65},
		{&state.DamagedError{Err: errors.New("x")}, 65},
		{&state.UnwritableError{Err: errors.New("x")}, 73},
		{&state.NetworkFSError{}, 73},
		{&fleet.BusyError{}, 8},
		{&fleet.NewerError{}, 65},
		{&fleet.DamagedError{Err: errors.New("x")}, 65},
		{&fleet.UnwritableError{Err: errors.New("x")}, 73},
	} {
		got := exitCode(c.err)
		if got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
		known := false
		for _, r := range exitTable() {
			known = known || r.Code == got
		}
		if !known {
			t.Errorf("%d is not in the table", got)
		}
	}
	for kind := imapx.KindOther; kind <= imapx.KindProtocol; kind++ {
		if _, ok := kindTable()[kind]; !ok {
			t.Errorf("kind %d has no row", kind)
		}
	}
}

func TestErrorLines(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{
			&imapx.Error{Op: "login", Side: "source", Server: "h:993", Code: imap.ResponseCodeAuthenticationFailed, Text: "no\x1b[2J way", Kind: imapx.KindAuth, Hint: "look"},
			"mailmove: login refused by source h:993: [AUTHENTICATIONFAILED] no\\x1b[2J way\n  look\n",
		},
		{
			&imapx.Error{Op: "APPEND", Side: "target", Server: "h:993", Folder: "Bücher\u202e", UID: 7, Text: "no", Kind: imapx.KindAppend},
			"mailmove: message refused by target h:993, folder \"Bücher\\u{202e}\", uid 7: no\n",
		},
		{
			&imapx.Error{Op: "dial", Side: "target", Server: "h:993", Err: syscall.ECONNREFUSED, Kind: imapx.KindConnect},
			"mailmove: cannot reach target h:993: connection refused\n",
		},
		{
			&accountError{"a1", &loginError{"u2", &imapx.Error{Op: "login", Side: "source", Server: "h:993", Text: "no", Kind: imapx.KindAuth}}},
			"mailmove: login of u2 refused by source h:993: no (account a1)\n",
		},
		{
			&state.DamagedError{Path: "/s/a.db", Err: errors.New("the integrity check failed: *** in database main *** Tree 5 page 5: btreeInitPage() returns error code 11")},
			"mailmove: state /s/a.db: damaged: the integrity check failed\n" +
				"  move the file away together with its -wal and -shm (mv FILE* elsewhere): no\n" +
				"  mail is lost by that, the next pass matches what is on both sides and makes a\n  new one\n",
		},
		{
			&imapx.Error{Op: "login", Side: "source", Server: "h:993", Code: "UNAVAILABLE", Text: "busy", Kind: imapx.KindUnavailable},
			"mailmove: not available now: source h:993: [UNAVAILABLE] busy\n" +
				"  the server wants a pause: run it again later, it goes on where it was; fewer\n  --connections ask less of it\n",
		},
		{
			usagef(strings.Repeat("do this ", 12), "that is wrong"),
			"mailmove: that is wrong\n  do this do this do this do this do this do this do this do this do this do\n  this do this do this\n",
		},
		{usagef("", "--map %s: there is no =", shown("a\a\x1b\\\"ü"+strings.Repeat("x", 60))),
			"mailmove: --map \"a\\x07\\x1b\\\"ü" + strings.Repeat("x", 47) + "…\": there is no =\n"},
		{usagef("do this", "that is wrong"), "mailmove: that is wrong\n  do this\n"},
		{&failure{code: exitExceptions}, ""},
		{nil, ""},
	} {
		var b strings.Builder
		printError(&b, 80, c.err)
		if b.String() != c.want {
			t.Errorf("got %q, want %q", b.String(), c.want)
		}
	}
}

func TestPassError(t *testing.T) {
	quietStops := func(sig os.Signal) *stops {
		return &stops{first: sig, settle: make(chan struct{}), cancel: func(error) {}}
	}
	for _, c := range []struct {
		name   string
		report mailsync.Report
		err    error
		signal os.Signal
		want   int
	}{
		{"done", mailsync.Report{}, nil, nil, 0},
		{"done although a signal came at the end", mailsync.Report{}, nil, syscall.SIGINT, 0},
		{"known exceptions", mailsync.Report{Exceptions: 3}, nil, nil, 0},
		{"new exceptions", mailsync.Report{Exceptions: 3, NewExceptions: 1}, nil, nil, 111},
		{"settled", mailsync.Report{Interrupted: true}, mailsync.ErrInterrupted, syscall.SIGINT, 130},
		{"settled after SIGTERM", mailsync.Report{Interrupted: true}, mailsync.ErrInterrupted, syscall.SIGTERM, 143},
		{"settled after SIGHUP", mailsync.Report{Interrupted: true}, mailsync.ErrInterrupted, syscall.SIGHUP, 6},
		{"an error counts more than exceptions", mailsync.Report{NewExceptions: 1}, &imapx.Error{Kind: imapx.KindQuota}, nil, 113},
	} {
		if got := exitCode((&app{stops: quietStops(c.signal)}).passError(c.report, c.err)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTwoStops(t *testing.T) {
	told := make(chan string, 1)
	ctx, s, end := watchSignals(t.Context(), func(line string) { told <- line })
	defer end()
	settle := s.pass()
	send := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	send()
	wait(t, settle, "the first signal does not settle")
	if line := <-told; !strings.Contains(line, "again") {
		t.Errorf("said %q", line)
	}
	if ctx.Err() != nil {
		t.Fatal("the first signal ended the context")
	}
	send()
	wait(t, ctx.Done(), "the second signal does not end the context")
	if got := exitCode(s.interrupted(false, "")); got != exitTerminate {
		t.Errorf("exit code %d", got)
	}
}

func TestFirstSignalEndsWhatNeedsNoSettling(t *testing.T) {
	ctx, _, end := watchSignals(t.Context(), nil)
	defer end()
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	wait(t, ctx.Done(), "the signal does not end the context")
	var cause *stopped
	if !errors.As(context.Cause(ctx), &cause) {
		t.Errorf("the cause is %v", context.Cause(ctx))
	}
}

func wait(t *testing.T, c <-chan struct{}, complaint string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal(complaint)
	}
}

// What to do next is written in one way: no capital, no full stop.
func TestHintsAreInOneStyle(t *testing.T) {
	hints := []string{}
	for _, row := range kindTable() {
		hints = append(hints, row.hint)
	}
	for _, e := range []interface{ Hint() string }{
		&state.BusyError{}, &state.BusyError{PID: 7}, &state.NewerError{}, &state.OlderError{}, &state.DamagedError{}, &state.OtherAccountError{},
		&state.UnwritableError{}, &state.UnwritableError{Full: true}, &state.NetworkFSError{},
		&fleet.BusyError{}, &fleet.NewerError{}, &fleet.DamagedError{}, &fleet.UnwritableError{}, &fleet.UnwritableError{Full: true},
		&fleet.BlockedError{}, &fleet.BlockedError{Server: true},
	} {
		hints = append(hints, e.Hint())
	}
	for _, row := range exitTable() {
		hints = append(hints, row.Next, row.Meaning)
	}
	for _, h := range hints {
		if h != "" && unicode.IsUpper([]rune(h)[0]) && !strings.HasPrefix(h, "SIG") || strings.HasSuffix(h, ".") {
			t.Errorf("%q", h)
		}
	}
}
