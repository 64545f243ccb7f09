package cmd

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"mailmove/cmd/internal/dns/dnstest"
)

// The scripts in testdata/script are the user's view: each drives the real command line as a process of its own.
// The commands of the scripts are this binary under another name, or, where programEnv names a folder, what is called
// mailmove there: built without the race detector it starts ten times faster. Scripts that carry mail keep this one.
const (
	programEnv = "MAILMOVE_TEST_PROGRAM"
	racedPath  = "MAILMOVE_TEST_RACED_PATH"
)

// racedScripts run with the race detector, where the tests do.
func racedScripts() []string {
	return []string{"demo", "final", "list", "list_busy", "list_cron", "stop", "sync", "verify"}
}

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"mailmove": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	// Under nohup the scripts' processes would inherit that SIGHUP is ignored; a signal that is caught here is not
	// inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	state, err := os.MkdirTemp("", "mailmove-no-state-") // what no test gave a folder of its own finds nothing of this machine's
	if err == nil {
		err = os.Setenv("MAILMOVE_STATE_DIR", filepath.Join(state, "state"))
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	defer os.RemoveAll(state)
	if dir := os.Getenv(programEnv); dir != "" {
		os.Setenv(racedPath, os.Getenv("PATH"))
		os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MAILMOVE_STATE_DIR", e.Getenv("WORK")+"/state")
			e.Setenv("HOME", e.Getenv("WORK"))
			if path := os.Getenv(racedPath); path != "" && slices.Contains(racedScripts(), strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")) {
				e.Setenv("PATH", path)
			}
			e.Values[worldKey{}] = make(map[string]*dnstest.World)
			return newAuthority(e)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"hint":        takeHint,
			"server":      startServer,
			"names":       startNames,
			"zone":        setZone,
			"policy":      startPolicy,
			"tokens":      startTokens,
			"token":       issueToken,
			"untold":      untold,
			"lose":        loseMail,
			"remove":      removeMail,
			"double":      doubleMail,
			"limit":       setLimit,
			"connections": countConnections,
			"mode":        isMode,
			"newer":       newer,
			"equal":       equal,
			"nameserver":  startNameServer,
			"empty":       isEmpty,
			"sink":        startSink,
			"switch":      switchSink,
			"mails":       countMails,
			"days":        letPass,
		},
	})
}

// condition tells what a script may need of the machine: a pseudo-terminal, which a minimal chroot has not (where
// there is one that cannot be opened, the continuous integration is told), or the right to mount.
func condition(name string) (bool, error) {
	switch name {
	case "pty":
		f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
		if err == nil {
			return true, f.Close()
		}
		if os.Getenv("CI") == "true" && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, nil
	case "mounts":
		return exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt").Run() == nil, nil
	}
	return false, errors.New("unknown condition")
}

// exits CODE COMMAND ARGS… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d; it said: %s", got, want, ts.ReadFile("stderr"))
	}
	// No error may look like a crash, whatever the script goes on to ask.
	if text := ts.ReadFile("stderr"); strings.Contains(text, "goroutine ") || strings.Contains(text, "panic") {
		ts.Fatalf("a stack trace: %s", text)
	}
}

// mode PATH OCTAL checks permissions.
func isMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PATH OCTAL")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// empty DIR checks that nothing is left in it.
func isEmpty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %v", args[0], entries)
	}
}
