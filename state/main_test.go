package state

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childVariable makes the test binary play a part in another process: "part dir".
const childVariable = "MAILMOVE_STATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if part, dir, ok := strings.Cut(os.Getenv(childVariable), " "); ok {
		if err := playPart(part, dir); err != nil {
			_, _ = os.Stdout.WriteString("failed: " + err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// playPart runs in the child. It says "ready" when the parent may kill it, and then waits for that.
func playPart(part, dir string) error {
	ctx := context.Background()
	if part == "cramped" { // no file may grow beyond 256 KiB: the kernel's answer to a write is an error
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: 256 << 10}); err != nil {
			return err
		}
	}
	if part == "full" {
		return playFull(dir)
	}
	o := testOptions(dir)
	if part, k := strings.TrimRight(part, "+"), strings.Count(part, "+"); part == "steps" {
		o.Hook = dieAt(k)
	}
	f, err := Open(ctx, o)
	if err != nil {
		if part == "barred" {
			return report(err)
		}
		return err
	}
	p := Pair{Source: "INBOX", Target: "INBOX"}
	if err := f.PutPair(ctx, &p); err != nil {
		return err
	}
	switch part {
	case "intend":
		err = f.Intend(ctx, &Window{Pair: p.ID, Pass: 1, UIDValidity: 5, Floor: 40, Rows: maybe(testRows(1, 30))})
	case "record":
		w := Window{Pair: p.ID, Pass: 1, UIDValidity: 5, Floor: 40, Rows: maybe(testRows(1, 30))}
		if err = f.Intend(ctx, &w); err == nil {
			err = f.Record(ctx, w.ID, testRows(1, 12), false)
		}
	case "steps+", "steps++", "steps+++": // dies at the first, second, third
		w := Window{Pair: p.ID, Pass: 1, UIDValidity: 5, Floor: 40, Rows: maybe(testRows(1, 30))}
		if err = f.Intend(ctx, &w); err == nil {
			err = f.Record(ctx, w.ID, testRows(1, 30), true)
		}
	case "busy": // writes until it is killed
		for from := uint32(1); err == nil; from += 50 {
			if from == 501 {
				_, _ = os.Stdout.WriteString("ready\n")
			}
			w := Window{Pair: p.ID, Pass: 1, UIDValidity: 5, Floor: from, Rows: maybe(testRows(from, from+49))}
			if err = f.Intend(ctx, &w); err == nil {
				err = f.Record(ctx, w.ID, testRows(from, from+49), true)
			}
		}
	case "cramped":
		for from := uint32(1); err == nil && from < 1_000_000; from += 1000 {
			err = f.PutRows(ctx, p.ID, testRows(from, from+999))
		}
		return report(err)
	}
	if err != nil {
		return err
	}
	_, _ = os.Stdout.WriteString("ready\n")
	time.Sleep(time.Minute)
	return errors.New("nobody killed the child")
}

// report tells the parent of an error that was expected.
func report(err error) error {
	var u *UnwritableError
	if !errors.As(err, &u) {
		return err
	}
	_, err = os.Stdout.WriteString("unwritable: " + u.Error() + "\n")
	return err
}

// child starts a part and gives the command and its first line.
func child(t *testing.T, part, dir string, change func(*exec.Cmd)) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+part+" "+dir)
	if change != nil {
		change(cmd)
	}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Errorf("child %s: %v", part, err)
	}
	return cmd, strings.TrimSpace(line)
}

// kill ends the child as kill -9 does and waits for it.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	must(t, cmd.Process.Kill())
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("the child ended by itself: %v", err)
	}
}
