package real

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a server's process in a process group of its own. The kernel ends it where the test binary dies.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	exit   error // valid once exited is closed
}

// launch starts cmd as the given user. farewell is the signal that it gets where the test binary dies.
func launch(cmd *exec.Cmd, as *syscall.Credential, farewell syscall.Signal) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: farewell, Setpgid: true, Credential: as}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Pdeathsig comes when the thread ends that forked: this one stays until the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.exit = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill ends the whole group at once and waits: a polite end takes a second, and the files go away anyway.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// ready waits for an IMAP greeting, or for the end of a process that should have brought it.
func ready(addr string, exited <-chan struct{}) error { return readyWith(addr, "* OK", exited) }

// readyWith waits for a greeting that begins so.
func readyWith(addr, begin string, exited <-chan struct{}) error {
	hello := make(chan error, 1)
	go func() { hello <- greeted(addr, begin) }()
	select {
	case err := <-hello:
		if err != nil {
			return fmt.Errorf("no greeting: %w", err)
		}
		return nil
	case <-exited:
		return fmt.Errorf("it ended at once")
	}
}

func greeted(addr, begin string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return err
	}
	b := make([]byte, len(begin))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != begin {
		return fmt.Errorf("it begins with %q", b)
	}
	return nil
}
