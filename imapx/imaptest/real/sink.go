package real

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Sink is Postfix' smtp-sink: a mail server that takes everything and keeps each mail as a file. It can be down for a while.
type Sink struct {
	t    testing.TB
	addr string
	dir  string
	run  *exec.Cmd
}

// SMTPSink starts one and stops it when the test ends.
func SMTPSink(t testing.TB) *Sink {
	t.Helper()
	from := unpacked("postfix")
	if from == "" {
		missing(t, "Postfix")
	}
	if _, err := os.Stat(filepath.Join(from, "bin/smtp-sink")); err != nil {
		missing(t, "smtp-sink")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{t: t, addr: ln.Addr().String(), dir: t.TempDir()}
	if err := ln.Close(); err != nil { // smtp-sink wants a number
		t.Fatal(err)
	}
	s.Up()
	t.Cleanup(s.Down)
	return s
}

// Addr is where it listens, also while it is down.
func (s *Sink) Addr() string { return s.addr }

// Up starts it, and returns when it takes mail.
func (s *Sink) Up() {
	s.t.Helper()
	from := folder("postfix")
	args := []string{"-d", "mail.", s.addr, "100"}
	if os.Getuid() == 0 { // it demands another user, who gets no further than into the folder that it begins in
		if err := os.Chmod(s.dir, 0o777); err != nil {
			s.t.Fatal(err)
		}
		args = append([]string{"-u", "nobody"}, args...)
	}
	s.run = exec.Command(filepath.Join(from, "bin/smtp-sink"), args...)
	s.run.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(from, "lib"))
	s.run.Dir = s.dir
	if err := s.run.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			_ = conn.Close() // it has answered
			return
		}
		if ctx.Err() != nil {
			s.t.Fatal(fmt.Errorf("smtp-sink does not listen: %w", err))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Down ends it; Up starts it again at the same address.
func (s *Sink) Down() {
	if s.run == nil {
		return
	}
	_ = s.run.Process.Kill() // it may have ended by itself, which Wait tells nobody either
	_ = s.run.Wait()
	s.run = nil
}

// Mails gives what it took, with the lines that smtp-sink puts before each.
func (s *Sink) Mails() (all []string) {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "mail.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(text) > 0 {
			all = append(all, string(text))
		}
	}
	return all
}
