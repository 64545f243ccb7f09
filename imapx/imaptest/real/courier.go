package real

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The socket of Courier's password daemon, a path that is compiled into its library. gcc keeps the 31 bytes (with
// the end of the string) as two vectors of 16, the last byte of the first being the first of the second.
const courierSocket = "/run/courier/authdaemon/socket"

// Courier starts a Courier IMAP with Debian's settings and stops it when the test ends. Folders live under "INBOX.".
// Its password daemon is played by this package, so any user u1, u2, … may log in.
func Courier(t testing.TB) *Isolated {
	t.Helper()
	s := prepare(t, "Courier")
	s.prefix = "INBOX."
	socket := filepath.Join(s.base, "auth")
	s.check(s.moveSocket(socket))
	ln, err := net.Listen("unix", socket)
	s.check(err)
	s.check(os.Chmod(socket, 0o777))
	s.accept(ln, s.courierAuth)
	watcher := filepath.Base(s.base)
	s.check(s.watchFolders(watcher))
	s.check(s.inetd(func() (*exec.Cmd, error) {
		// Debian's file of settings is made to be sourced by a shell.
		cmd, err := s.command("/bin/sh", "-c", `set -a; . "$0/imapd.conf"; IMAP_STARTTLS=NO IMAP_TLS_REQUIRED=0 IMAP_ULIMITD=0
			exec "$0/bin/imaplogin" "$0/bin/imapd" Maildir`, s.from)
		if err == nil {
			cmd.Env = append(cmd.Env, "TCPREMOTEIP=127.0.0.1", "TCPREMOTEPORT=1", "TCPLOCALIP=127.0.0.1", "TCPLOCALPORT=1",
				"GAM_CLIENT_ID="+watcher)
		}
		return cmd, err
	}))
	return s
}

// moveSocket writes another path, that must not be longer, in place of courierSocket.
func (s *Isolated) moveSocket(path string) error {
	vectors := func(s string) []byte {
		b := make([]byte, len(courierSocket)+1)
		copy(b, s)
		return append(bytes.Clone(b[:16]), b[15:]...)
	}
	library := filepath.Join(s.from, "lib", "libcourierauth.so.0")
	b, err := os.ReadFile(library)
	if err != nil {
		return err
	}
	if n := bytes.Count(b, vectors(courierSocket)); n != 1 || len(path) > len(courierSocket) {
		return fmt.Errorf("%s holds the path of its socket %d times in the form known of Debian 12", library, n)
	}
	return os.WriteFile(library, bytes.Replace(b, vectors(courierSocket), vectors(path), 1), 0o755)
}

// watchFolders starts the daemon that tells Courier of changes in folders, for this Courier alone. Without one, most
// commands look for it for more than a second.
func (s *Isolated) watchFolders(id string) error {
	cmd, err := s.command(filepath.Join(s.from, "bin", "gam_server"), "--notimeout", id)
	if err != nil {
		return err
	}
	defer cmd.Stderr.(*os.File).Close()
	p, err := launch(cmd, s.credential(), syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, p.kill)
	// Its socket has no file; the name is filled up with zeros.
	socket := make([]byte, 108)
	copy(socket, "@/tmp/fam-"+s.id.name+"-"+id)
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", string(socket))
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.exited:
			return errors.New("gam_server ended")
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("gam_server: %w", err)
		}
	}
}

// courierAuth answers one request of the protocol between Courier's login and its password daemon: settings, "AUTH" with the
// length of what follows, and then the service, the kind "login", the user and the password, a line each.
func (s *Isolated) courierAuth(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	for err == nil && !strings.HasPrefix(line, "AUTH ") { // TCPREMOTEIP=… comes before
		line, err = r.ReadString('\n')
	}
	if err != nil {
		return
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "AUTH ")))
	if err != nil || n < 0 || n > 4096 {
		return
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return
	}
	words := strings.Split(string(b), "\n")
	if len(words) < 4 || words[1] != "login" || !isTestUser(words[2]) || words[3] != Password {
		fmt.Fprint(c, "FAIL\n")
		return
	}
	user := words[2]
	home := "home/" + user
	if err := s.mkdir(home+"/Maildir/cur", home+"/Maildir/new", home+"/Maildir/tmp"); err != nil {
		fmt.Fprint(c, "FAIL\n")
		return
	}
	fmt.Fprintf(c, "UID=%d\nGID=%d\nHOME=%s/%s\nADDRESS=%s\nMAILDIR=%s/%s/Maildir\n.\n",
		s.id.uid, s.id.gid, s.mail, home, user, s.mail, home)
}
