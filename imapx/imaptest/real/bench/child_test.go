//go:build bench

package bench

import (
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
// shell forks, which is small, and ends; the orphan becomes ours, and wait4 tells what it alone took. It begins, and
// the clock with it, when the shell is gone, which otherwise might take the end of a short one for itself.
func measure(cmd *exec.Cmd, out string, limit time.Duration) (c cost, err error) {
	log, err := os.Create(out)
	if err != nil {
		return c, err
	}
	defer log.Close()
	var pipes [4]*os.File // its process id comes from 0 and 1, its beginning goes through 2 and 3
	for i := 0; i < len(pipes); i += 2 {
		if pipes[i], pipes[i+1], err = os.Pipe(); err != nil {
			return c, err
		}
		defer pipes[i].Close()
		defer pipes[i+1].Close()
	}
	const script = `(read -r begin <&4; exec "$@" 3>&- 4<&-) & echo $! >&3`
	sh := exec.Command("/bin/sh", append([]string{"-c", script, "sh", cmd.Path}, cmd.Args[1:]...)...)
	sh.Env, sh.Dir, sh.Stdout, sh.Stderr = cmd.Env, cmd.Dir, log, log
	sh.ExtraFiles = []*os.File{pipes[1], pipes[2]}
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sh.Run(); err != nil {
		return c, fmt.Errorf("start of %s: %w", cmd.Path, err)
	}
	b := make([]byte, 32)
	n, err := pipes[0].Read(b)
	if err != nil {
		return c, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return c, err
	}
	begin := time.Now()
	if _, err := pipes[3].WriteString("now\n"); err != nil {
		return c, err
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
	switch {
	case status.Signaled():
		return c, fmt.Errorf("%s was ended by a signal, %v: %s", cmd.Path, status.Signal(), tail(out))
	case status.ExitStatus() != 0:
		return c, fmt.Errorf("%s ended with %d: %s", cmd.Path, status.ExitStatus(), tail(out))
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
