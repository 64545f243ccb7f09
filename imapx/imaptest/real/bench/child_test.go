//go:build bench

package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what one run of a program took.
type cost struct {
	Wall float64 `json:"wall"` // seconds
	User float64 `json:"user"` // seconds of CPU
	Sys  float64 `json:"sys"`  // seconds of CPU
	RSS  int64   `json:"rss"`  // bytes, the peak
	Over bool    `json:"over"` // it was ended at the limit: Wall is the limit
}

// adoptOrphans makes a child's child ours when its parent ends, see measure.
func adoptOrphans() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	return nil
}

// measure runs cmd, with its output in the file out, and ends it after limit. An exit code other than 0 is an error.
//
// Linux gives a process the peak memory of the one that forked it as its own first peak (exec keeps ru_maxrss). So a
// shell forks, which is small, and ends; the orphan becomes ours, and wait4 tells what it alone took.
func measure(cmd *exec.Cmd, out string, limit time.Duration) (c cost, err error) {
	log, err := os.Create(out)
	if err != nil {
		return c, err
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return c, err
	}
	defer read.Close()
	sh := exec.Command("/bin/sh", append([]string{"-c", `"$@" 3>&- & echo $! >&3`, "sh", cmd.Path}, cmd.Args[1:]...)...)
	sh.Env, sh.Dir, sh.Stdout, sh.Stderr = cmd.Env, cmd.Dir, log, log
	sh.ExtraFiles = []*os.File{write}
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begin := time.Now()
	err = sh.Start()
	write.Close()
	if err != nil {
		return c, err
	}
	b := make([]byte, 32)
	n, readErr := read.Read(b)
	err = errors.Join(readErr, sh.Wait())
	pid, numErr := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err = errors.Join(err, numErr); err != nil {
		return c, fmt.Errorf("start of %s: %w", cmd.Path, err)
	}
	end := time.AfterFunc(limit, func() { _ = syscall.Kill(-sh.Process.Pid, syscall.SIGKILL) })
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &usage); err != syscall.EINTR {
			break
		}
	}
	c.Wall = time.Since(begin).Seconds()
	c.Over = !end.Stop()
	if err != nil {
		return c, fmt.Errorf("wait for %s: %w", cmd.Path, err)
	}
	c.User, c.Sys, c.RSS = seconds(usage.Utime), seconds(usage.Stime), usage.Maxrss<<10
	if c.Over {
		c.Wall = limit.Seconds()
		return c, nil
	}
	if status.ExitStatus() != 0 || status.Signaled() {
		return c, fmt.Errorf("%s ended with %d (signal %v): %s", cmd.Path, status.ExitStatus(), status.Signal(), tail(out))
	}
	return c, nil
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// tail is the end of a file, for an error.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-1500):]))
}
