package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childVariable makes the test binary play a part in another process: "part name dir".
const childVariable = "MAILMOVE_FLEET_TEST_CHILD"

// childFailures is how many logins a child fails with.
const childFailures = 40

func TestMain(m *testing.M) {
	if words := strings.SplitN(os.Getenv(childVariable), " ", 3); len(words) == 3 {
		answer, err := playPart(words[0], words[1], words[2])
		if err != nil {
			answer = "failed: " + err.Error()
		}
		_, _ = os.Stdout.WriteString(answer + "\n")
		return
	}
	goleak.VerifyTestMain(m)
}

func playPart(part, name, dir string) (string, error) {
	ctx := context.Background()
	f, err := Open(ctx, dir)
	if err != nil {
		return "", err
	}
	switch part {
	case "fail":
		for i := range childFailures {
			if err := f.Failed(ctx, login("busy", fmt.Sprint(name, i), "x"), noon(), "no"); err != nil {
				return "", err
			}
		}
	case "probe": // many at once in each process
		through := make(chan int, 8)
		for i := range cap(through) {
			go func() {
				n := 0
				err := f.MayTry(ctx, login("shy", fmt.Sprint(name, i), "x"), noon().Add(time.Hour))
				if blocked := (*BlockedError)(nil); err == nil {
					n = 1
				} else if !errors.As(err, &blocked) {
					n = 1000
				}
				through <- n
			}()
		}
		n := 0
		for range cap(through) {
			n += <-through
		}
		return fmt.Sprint("through ", n), f.Close()
	case "busy": // writes until it is killed
		for i := 0; ; i++ {
			if err := f.Failed(ctx, login(fmt.Sprint("s", i%5), fmt.Sprint(i%50), "x"), noon(), "no"); err != nil {
				return "", err
			}
			if i == 20 {
				_, _ = os.Stdout.WriteString("ready\n")
			}
		}
	}
	return "done", f.Close()
}

// child starts a part and gives the command and a function that waits for its first line.
func child(t *testing.T, part, name, dir string) (*exec.Cmd, func() string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", childVariable, part, name, dir))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, func() string {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Errorf("child %s: %v", part, err)
		}
		return strings.TrimSpace(line)
	}
}

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func login(server, user, password string) Login {
	return Login{Server: server, User: user, Credential: []byte(password)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openTest opens a run on the folder and closes it with the test.
func openTest(t *testing.T, dir string) *Fleet {
	t.Helper()
	f, err := Open(context.Background(), dir)
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// blocked asks and gives the refusal, nil where the login may be tried.
func blocked(t *testing.T, f *Fleet, l Login, now time.Time) *BlockedError {
	t.Helper()
	err := f.MayTry(context.Background(), l, now)
	if err == nil {
		return nil
	}
	var b *BlockedError
	if !errors.As(err, &b) {
		t.Fatal(err)
	}
	return b
}
