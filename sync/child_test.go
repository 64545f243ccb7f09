package sync_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// passEnv carries a transfer to a child process, so that it can be killed: the test binary runs itself again, or the one
// that childEnv names, which is built without the race detector and starts faster.
const (
	passEnv  = "MAILMOVE_TEST_PASS"
	childEnv = "MAILMOVE_TEST_CHILD"
)

// long reports that these are the long tests.
func long() bool { return os.Getenv("MAILMOVE_E2E_MINUTES") != "" }

func TestMain(m *testing.M) {
	if text := os.Getenv(passEnv); text != "" {
		os.Exit(childPass(text))
	}
	checks := "40" // of a property
	switch {
	case long():
		checks = "250"
	case raced:
		checks = "20"
	}
	flag.Parse()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["rapid.checks"] {
		flag.Set("rapid.checks", checks)
	}
	// The same random worlds in every run; another seed, or -rapid.seed=0, goes through others.
	if !given["rapid.seed"] {
		flag.Set("rapid.seed", fmt.Sprint(seedNumber()))
	}
	// The embedded server does not wait for its own connections when it is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/emersion/go-imap/v2/imapserver.(*Conn).serve"))
}

// transfer is one account between two test servers.
type transfer struct {
	Source, Target         string // host:port, clear text
	SourceUser, TargetUser string
	Password               string
	Dir                    string // state
	Settle, LateWindow     time.Duration
	RetryFor               time.Duration  // 0: a minute
	Within                 time.Duration  // the test fails after it, 0: 3 minutes
	Timeout                time.Duration  // without progress on a connection, 0: the default
	Connections            int            // 0: the default
	SourceAuth, TargetAuth auth.Mechanism // empty: the strongest
	Compress               imapx.Compress
	Mapping                mailsync.Mapping
	Filter                 mailsync.Filter
	Deletions              mailsync.Deletions
	MaxDeletions           mailsync.Ceiling
	Mode                   mailsync.Mode
	Reverse                bool                                                    // carry back: Source and Target stay the old and the new side
	Trace                  string                                                  // file, "": none
	KillAt                 int64                                                   // in a child process: dies at this step, 0: never
	Stop                   <-chan struct{}                                         `json:"-"`
	Step                   func(string)                                            `json:"-"` // at each durable step and wire effect
	Events                 func(mailsync.Event)                                    `json:"-"`
	SourceDial, TargetDial func(context.Context, string, string) (net.Conn, error) `json:"-"`
	SourceCA, TargetCA     *x509.CertPool                                          `json:"-"` // not nil: implicit TLS
}

// run is one pass in this process.
func (x transfer) run(ctx context.Context) (mailsync.Report, error) {
	st, err := state.Open(ctx, state.Options{Dir: x.Dir, Account: "test", Source: x.SourceUser, Target: x.TargetUser, Hook: x.Step})
	if err != nil {
		return mailsync.Report{}, err
	}
	defer st.Close()
	opts := imapx.Options{Hook: x.Step, Timeout: x.Timeout, Compress: x.Compress}
	if x.Trace != "" {
		f, err := os.Create(x.Trace)
		if err != nil {
			return mailsync.Report{}, err
		}
		defer f.Close()
		opts.Trace = f
	}
	source, target := opts, opts
	source.Dial, target.Dial = x.SourceDial, x.TargetDial
	source.Line, target.Line = new(imapx.Line), new(imapx.Line)
	if x.Reverse {
		return mailsync.Reverse(ctx, x.reversed(st, source, target))
	}
	return mailsync.Run(ctx, x.options(st, source, target))
}

// reversed are the options of a reverse pass: the new side is only read.
func (x transfer) reversed(st *state.File, source, target imapx.Options) mailsync.Options {
	o := x.options(st, source, target)
	o.ConnectSource = func(ctx context.Context) (mailsync.Source, error) {
		s, err := imapx.DialSource(ctx, endpoint("target", x.Target, x.TargetUser, x.Password, x.TargetCA), target)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.Target, error) {
		s, err := imapx.DialTarget(ctx, endpoint("source", x.Source, x.SourceUser, x.Password, x.SourceCA), source)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return o
}

// options are those of a pass.
func (x transfer) options(st *state.File, source, target imapx.Options) mailsync.Options {
	return mailsync.Options{
		Account: "test", Mapping: x.Mapping, State: st, SpoolDir: x.Dir, Settle: x.Settle, LateWindow: x.LateWindow, RetryFor: cmp.Or(x.RetryFor, time.Minute),
		Connections: x.Connections, Filter: x.Filter, Deletions: x.Deletions, MaxDeletions: x.MaxDeletions, Mode: x.Mode, Stop: x.Stop, Events: x.Events,
		ConnectSource: func(ctx context.Context) (mailsync.Source, error) {
			s, err := imapx.DialSource(ctx, by(x.SourceAuth, endpoint("source", x.Source, x.SourceUser, x.Password, x.SourceCA)), source)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		ConnectTarget: func(ctx context.Context) (mailsync.Target, error) {
			s, err := imapx.DialTarget(ctx, by(x.TargetAuth, endpoint("target", x.Target, x.TargetUser, x.Password, x.TargetCA)), target)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

// by chooses a mechanism.
func by(m auth.Mechanism, e imapx.Endpoint) imapx.Endpoint {
	e.Auth = m
	return e
}

func endpoint(side, addr, user, password string, ca *x509.CertPool) imapx.Endpoint {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	e := imapx.Endpoint{Side: side, Host: host, Port: n, TLS: imapx.TLSNone, User: user, Password: auth.NewSecret(password)}
	if ca != nil {
		e.TLS, e.Roots = imapx.TLSImplicit, ca
	}
	return e
}

func childPass(text string) int {
	var x transfer
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if x.KillAt > 0 {
		var steps atomic.Int64
		x.Step = func(string) {
			if steps.Add(1) == x.KillAt {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	if _, err := x.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// start runs a pass in a child process.
func (x transfer) start(t testing.TB) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cmp.Or(os.Getenv(childEnv), os.Args[0]))
	cmd.Env = append(os.Environ(), passEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// pass runs one that must succeed.
func (x transfer) pass(t testing.TB) mailsync.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(x.Within, 3*time.Minute))
	defer cancel()
	r, err := x.run(ctx)
	if err != nil {
		t.Fatalf("pass: %v", err)
	}
	return r
}
