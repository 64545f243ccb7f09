package real

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mailmove/imapx/imaptest"
)

// Isolated is a running server of another make than Dovecot: see Cyrus, Courier and Mailutils. It speaks clear text
// only, but for a Cyrus with CyrusOptions.Kept. Its logins are those that FreshUser gives, and u1 to u50 in the same
// form, with Password.
type Isolated struct {
	t        testing.TB
	name     string // as "Cyrus"
	prefix   string // of the personal namespace
	domain   string // part of every login, as "@lab"
	base     string // configuration, log
	from     string // in base: programs, libraries
	mail     string // all that it stores
	id       identity
	owner    *os.File
	ln       net.Listener
	secure   net.Listener // of implicit TLS; nil: none
	ca       *imaptest.CA // of that certificate
	stop     sync.Once
	users    atomic.Int64
	welcome  func(user string) error // makes what a user needs before the first login
	closers  []func()                // run by Stop, the last first
	children sync.WaitGroup

	configure func(extra string) // see Reconfigure; nil where there is nothing of the kind
}

// prepare makes the folders of a server that is unpacked, and its port. The programs are copied, for the user that
// serves the mail may not be let into the folder where they lie. Whatever fails ends the test.
func prepare(t testing.TB, name string) *Isolated {
	t.Helper()
	s := &Isolated{t: t, name: name}
	from := unpacked(strings.ToLower(name))
	if from == "" {
		missing(t, strings.ToLower(name))
	}
	sweep()
	t.Cleanup(s.Stop)
	var err error
	steps := []func() error{
		func() error { s.id, err = whoami(); return err },
		func() error { s.base, err = makeBase(); return err },
		func() error { s.mail, err = makeMailRoot("", s.id); return err },
		func() error { s.owner, err = claim(s.base, s.mail); return err },
		func() error { s.from = filepath.Join(s.base, "server"); return copyTree(from, s.from, bytes.Clone) },
		func() error { s.ln, err = net.Listen("tcp4", "127.0.0.1:0"); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("start %s: %v", name, err)
		}
	}
	return s
}

// check ends the test where a step of the start failed.
func (s *Isolated) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("start %s: %v\n%s", s.name, err, s.Log())
	}
}

// command is one of the server's programs, with its libraries and its standard error in the log.
func (s *Isolated) command(path string, args ...string) (*exec.Cmd, error) {
	out, err := os.OpenFile(filepath.Join(s.base, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "LD_LIBRARY_PATH=" + filepath.Join(s.from, "lib")}
	cmd.Dir = s.mail
	cmd.Stderr = out
	return cmd, nil
}

// credential is the user that owns the mail, or nil for the user who runs the tests.
func (s *Isolated) credential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: uint32(s.id.uid), Gid: uint32(s.id.gid)}
}

// mkdir makes folders below the mail root that belong to the server.
func (s *Isolated) mkdir(names ...string) error {
	for _, name := range names {
		path := s.mail
		for part := range strings.SplitSeq(name, "/") {
			path = filepath.Join(path, part)
			err := os.Mkdir(path, 0o755)
			if errors.Is(err, os.ErrExist) {
				continue
			}
			if err == nil {
				err = giveTo(path, s.id)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// accept hands every connection to serve, in a goroutine of its own, until Stop.
func (s *Isolated) accept(ln net.Listener, serve func(net.Conn)) {
	s.closers = append(s.closers, func() { ln.Close() })
	s.children.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // Stop closed it
			}
			s.children.Go(func() { serve(c) })
		}
	})
}

// inetd runs a program for each connection, with the socket as its standard input and output, as inetd(8) does. So
// no port is guessed, and a program that ends with its connection is enough.
func (s *Isolated) inetd(program func() (*exec.Cmd, error)) error {
	stopped := make(chan struct{})
	s.closers = append(s.closers, func() { close(stopped) })
	s.accept(s.ln, func(c net.Conn) {
		p, err := s.spawn(c, program)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", s.name, err) // the client sees its connection end
			return
		}
		select {
		case <-p.exited:
		case <-stopped:
			p.kill()
		}
	})
	return ready(s.Addr(), nil)
}

func (s *Isolated) spawn(c net.Conn, program func() (*exec.Cmd, error)) (*process, error) {
	defer c.Close() // the program has a copy
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd, err := program()
	if err != nil {
		return nil, err
	}
	defer cmd.Stderr.(*os.File).Close()
	cmd.Stdin, cmd.Stdout = f, f
	return launch(cmd, s.credential(), syscall.SIGKILL)
}

// Stop ends the server and removes its files. The end of the test calls it; calling it again is harmless.
func (s *Isolated) Stop() {
	s.stop.Do(func() {
		if s.t.Failed() && s.ln != nil {
			s.t.Logf("%s %s:\n%s", s.name, s.Addr(), s.Log())
		}
		for i := len(s.closers) - 1; i >= 0; i-- {
			s.closers[i]()
		}
		if s.ln != nil {
			s.ln.Close()
		}
		s.children.Wait()
		for _, dir := range []string{s.mail, s.base} {
			if dir != "" {
				removeAll(dir)
			}
		}
		if s.owner != nil {
			s.owner.Close()
		}
	})
}

// Reconfigure starts a Cyrus anew over the same mail, with these lines in place of CyrusOptions.Extra. Its connections end.
func (s *Isolated) Reconfigure(extra string) {
	s.t.Helper()
	if s.configure == nil {
		s.t.Fatalf("%s has no lines of configuration", s.name)
	}
	s.configure(extra)
}

// Name is the make, as "Cyrus".
func (s *Isolated) Name() string { return s.name }

// Addr is host:port of the clear-text port.
func (s *Isolated) Addr() string { return s.ln.Addr().String() }

// Prefix is that of the personal namespace, as "INBOX.", or none.
func (s *Isolated) Prefix() string { return s.prefix }

// FreshUser is the login of a user that nobody used yet; its password is Password.
func (s *Isolated) FreshUser() string {
	s.t.Helper()
	user := fmt.Sprintf("u%d", 1000+s.users.Add(1))
	if s.welcome != nil {
		if err := s.welcome(user); err != nil {
			s.t.Fatalf("%s: new user %s: %v", s.name, user, err)
		}
	}
	return user + s.domain
}

// Log is the last 16 KB of what the server wrote to its standard error. What it sends to syslog is lost.
func (s *Isolated) Log() string { return logs(s.base, "output") }

// isTestUser is true for u1, u2, and so on.
func isTestUser(user string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(user, "u"))
	return err == nil && n > 0 && strings.HasPrefix(user, "u")
}
