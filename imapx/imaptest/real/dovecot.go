package real

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mailmove/imapx/imaptest"
)

// Credentials that every server here accepts.
const (
	Password       = "pass"   // of u1, u2, …
	MasterUser     = "master" // "u1*master" logs in as u1
	MasterPassword = "mpass"
)

// Options shape a Dovecot. The zero value is a plain one.
type Options struct {
	Separator          string            // hierarchy separator, default "/"
	Prefix             string            // of the personal namespace, as "INBOX.", default none
	Quota              string            // a quota rule, as "*:storage=50M" or "*:messages=100", default none
	Format             string            // maildir (default), sdbox or mdbox
	MailRoot           string            // existing folder to make the mail root in, open to the user mail under root; default /dev/shm, else TMPDIR
	Without            []string          // capabilities to hide; Dovecot still gives APPENDUID with UIDPLUS hidden
	Fsync              string            // mail_fsync: never (default), optimized, always
	MaxUserConnections int               // for each login, default 200
	Certificate        imaptest.CertKind // of both ports
	Logins             Logins            // more ways to log in
	Ahead              string            // lines of configuration before those of the users, whose passdbs are asked first
	Extra              string            // more lines of configuration, after all others
}

// Server is a running Dovecot.
type Server struct {
	t         testing.TB
	base      string // binaries, sockets, configuration, log
	mail      string // one folder for each user
	id        identity
	ca        *imaptest.CA
	plain     string
	tls       string
	owner     *os.File
	master    *process
	stop      sync.Once
	freshUser atomic.Int64
}

// Dovecot starts a server and stops it when the test ends.
func Dovecot(t testing.TB, o Options) *Server {
	t.Helper()
	from := unpacked("dovecot")
	if from == "" {
		missing(t, "dovecot")
	}
	s, err := start(t, from, o.filled())
	if err != nil {
		t.Fatalf("start Dovecot: %v", err)
	}
	return s
}

func (o Options) filled() Options {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Separator, "/"}, {&o.Format, "maildir"}, {&o.Fsync, "never"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.MaxUserConnections == 0 {
		o.MaxUserConnections = 200
	}
	return o
}

func start(t testing.TB, from string, o Options) (s *Server, err error) {
	sweep()
	s = &Server{t: t}
	t.Cleanup(s.Stop)
	if s.id, err = whoami(); err != nil {
		return nil, err
	}
	if s.base, err = makeBase(); err != nil {
		return nil, err
	}
	if s.mail, err = makeMailRoot(o.MailRoot, s.id); err != nil {
		return nil, err
	}
	if s.owner, err = claim(s.base, s.mail); err != nil {
		return nil, err
	}
	if err = relocate(from, s.base); err != nil {
		return nil, err
	}
	if err = s.certificate(o.Certificate); err != nil {
		return nil, err
	}
	if err = s.writeLogins(o.Logins); err != nil {
		return nil, err
	}
	return s, s.run(o)
}

// makeMailRoot prefers memory: on the disk the same push varied by a factor of five within an hour.
func makeMailRoot(parent string, id identity) (string, error) {
	parents := []string{parent}
	if parent == "" {
		parents = []string{"/dev/shm", os.TempDir()}
	}
	var errs []error
	for _, p := range parents {
		dir, err := os.MkdirTemp(p, mailPrefix+"*")
		if err == nil {
			if err = os.Chmod(dir, 0o755); err == nil {
				err = giveTo(dir, id)
			}
			return dir, err
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

func giveTo(path string, id identity) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Lchown(path, id.uid, id.gid)
}

func (s *Server) certificate(kind imaptest.CertKind) (err error) {
	if s.ca, err = imaptest.NewCA(); err != nil {
		return err
	}
	cert, err := s.ca.Issue(kind)
	if err != nil {
		return err
	}
	chain, key, err := imaptest.CertPEM(cert)
	if err != nil {
		return err
	}
	files := map[string][]byte{"cert.pem": chain, "key.pem": key, "ca.pem": s.ca.PEM(),
		"masters": []byte(MasterUser + ":{PLAIN}" + MasterPassword + "\n")}
	for name, b := range files {
		path := filepath.Join(s.base, name)
		mode := os.FileMode(0o644)
		if name == "key.pem" {
			mode = 0o600
		}
		if err := os.WriteFile(path, b, mode); err != nil {
			return err
		}
	}
	return nil
}

// run hands two listening sockets to the master, starts it and waits until it greets. The sockets stay open here
// until then: would the master not take them over, it could not bind the ports either and end with an error.
func (s *Server) run(o Options) error {
	var ports []int
	var files []*os.File
	for range 2 {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer l.Close()
		f, err := l.File()
		if err != nil {
			return err
		}
		defer f.Close()
		ports, files = append(ports, l.Addr().(*net.TCPAddr).Port), append(files, f)
	}
	s.plain = fmt.Sprintf("127.0.0.1:%d", ports[0])
	s.tls = fmt.Sprintf("127.0.0.1:%d", ports[1])
	conf := filepath.Join(s.base, "dovecot.conf")
	if err := os.WriteFile(conf, []byte(s.config(o, ports[0], ports[1])), 0o644); err != nil {
		return err
	}
	if err := s.launch(conf, files); err != nil {
		return err
	}
	if err := ready(s.plain, s.master.exited); err != nil {
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	return nil
}

// launch starts Dovecot's master.
func (s *Server) launch(conf string, sockets []*os.File) error {
	// LISTEN_PID must name the process itself (sd_listen_fds(3)): only a shell can say that before the exec.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -F -c "$1"`, filepath.Join(s.base, "dovecot"), conf)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + s.base + "/deps", "LISTEN_FDS=2", "TZ=UTC"}
	cmd.ExtraFiles = sockets
	cmd.Dir = s.base
	out, err := os.Create(filepath.Join(s.base, "output"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	s.master, err = launch(cmd, nil, syscall.SIGTERM)
	return err
}

// Stop ends the server and removes its files. The end of the test calls it; calling it again is harmless.
func (s *Server) Stop() {
	s.stop.Do(func() {
		if s.master != nil {
			if s.t.Failed() {
				s.t.Logf("Dovecot %s:\n%s", s.plain, s.Log())
			}
			s.master.kill()
		}
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

// Addr is host:port of the clear-text port, which also offers STARTTLS.
func (s *Server) Addr() string { return s.plain }

// TLSAddr is host:port of the implicit TLS port.
func (s *Server) TLSAddr() string { return s.tls }

// CertPool trusts the server's certificate authority only.
func (s *Server) CertPool() *x509.CertPool { return s.ca.Pool() }

// CAFile is a PEM file with the server's certificate authority.
func (s *Server) CAFile() string { return filepath.Join(s.base, "ca.pem") }

// Give makes a file one that the server's own user may read and write.
func (s *Server) Give(path string) error { return giveTo(path, s.id) }

// FreshUser is a user that nobody used yet; its password is Password.
func (s *Server) FreshUser() string { return fmt.Sprintf("u%d", 1000+s.freshUser.Add(1)) }

// Log is what the server wrote so far, the last 16 KB of it.
func (s *Server) Log() string {
	return logs(s.base, "output", "log")
}

// logs are the last 16 KB of each file.
func logs(dir string, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			b.Write(text[max(0, len(text)-16<<10):])
		}
	}
	return b.String()
}
