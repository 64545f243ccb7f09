package real

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// CyrusAdmin logs in with Password, and may set quotas and look into every mailbox.
const CyrusAdmin = "cyrus"

// CyrusOptions shape a Cyrus. The zero value is one with version 3's defaults: "/" between the parts of a name, and
// folders beside INBOX, whose passwords are checked by this package: any user u1, u2, … and CyrusAdmin may log in.
type CyrusOptions struct {
	Classic bool              // "." between the parts and folders under "INBOX.", as before version 3
	Kept    map[string]string // passwords that it keeps itself, by user; see keepPasswords
	Plugin  bool              // a SASL plugin for properties of users, as Kept has it
	Extra   string            // more lines of imapd.conf, after all others
}

// Cyrus starts a Cyrus IMAP and stops it when the test ends. The first login of a user makes the mailbox.
func Cyrus(t testing.TB, o CyrusOptions) *Isolated {
	t.Helper()
	s := prepare(t, "Cyrus")
	if o.Classic {
		s.prefix = "INBOX."
	}
	s.check(s.mkdir("conf/socket", "conf/db", "conf/proc", "conf/log", "conf/msg", "conf/lock", "conf/ptclient", "spool"))
	socket, passwords := filepath.Join(s.mail, "conf/socket/imap"), filepath.Join(s.mail, "conf/socket/mux")
	imapd, master := filepath.Join(s.base, "imapd.conf"), filepath.Join(s.base, "cyrus.conf")
	secure := ""
	switch {
	case o.Kept != nil:
		secure = s.keepPasswords(o.Kept, imapd, socket+"s")
	case o.Plugin:
		s.propertyPlugin()
	}
	services := fmt.Sprintf("START {\n recover cmd=\"%[1]s/bin/ctl_cyrusdb -C %[2]s -r\"\n}\nSERVICES {\n"+
		" imap cmd=\"%[1]s/bin/imapd -C %[2]s\" listen=\"%[3]s\" prefork=1 maxchild=200\n%[4]s}\nEVENTS {\n}\n", s.from, imapd, socket, secure)
	s.check(os.WriteFile(master, []byte(services), 0o644))
	ln, err := net.Listen("unix", passwords)
	s.check(err)
	s.check(os.Chmod(passwords, 0o777))
	s.accept(ln, saslauthd)
	// master listens on a socket of the file system, for it takes no open port over and cannot choose a free one.
	var p atomic.Pointer[process]
	s.configure = func(extra string) {
		if old := p.Load(); old != nil {
			old.kill()
		}
		o.Extra = extra
		s.check(os.WriteFile(imapd, []byte(s.cyrusConfig(o, passwords)), 0o644))
		p.Store(s.cyrusMaster(imapd, master))
	}
	s.configure(o.Extra)
	s.closers = append(s.closers, func() { p.Load().kill() })
	s.accept(s.ln, func(c net.Conn) { forward(c, socket, p.Load().exited) })
	if s.secure != nil {
		s.accept(s.secure, func(c net.Conn) { forward(c, socket+"s", p.Load().exited) })
	}
	s.check(ready(s.Addr(), p.Load().exited))
	return s
}

// cyrusMaster starts the process that starts all others. What one that was killed left behind it mends itself.
func (s *Isolated) cyrusMaster(imapd, master string) *process {
	cmd, err := s.command(filepath.Join(s.from, "bin/master"), "-D", "-C", imapd, "-M", master,
		"-p", filepath.Join(s.mail, "conf/master.pid"))
	s.check(err)
	s.saslEnviron(cmd)
	cmd.Stdout = cmd.Stderr
	p, err := launch(cmd, s.credential(), syscall.SIGTERM)
	cmd.Stderr.(*os.File).Close()
	s.check(err)
	return p
}

func (s *Isolated) cyrusConfig(o CyrusOptions, passwords string) string {
	lines := []string{
		"configdirectory: " + s.mail + "/conf",
		"partition-default: " + s.mail + "/spool",
		"defaultpartition: default",
		"cyrus_user: " + s.id.name,
		"cyrus_group: " + s.id.group,
		"admins: " + CyrusAdmin,
		"servername: localhost",
		"allowplaintext: yes",
		"autocreate_quota: 0", // any user, no limit
		"autocreate_post: no",
		"failedloginpause: 0",
		"conversations: no",
		"virtdomains: off",
		"defaultdomain: localhost",
	}
	if o.Kept != nil {
		lines = append(lines, s.keptConfig()...)
	} else {
		lines = append(lines, "sasl_pwcheck_method: saslauthd", "sasl_saslauthd_path: "+passwords, "sasl_mech_list: PLAIN LOGIN")
	}
	if o.Classic {
		lines = append(lines, "unixhierarchysep: no", "altnamespace: no")
	}
	return strings.Join(append(lines, o.Extra), "\n") + "\n"
}

// saslauthd answers one request of Cyrus SASL's password daemon: user, password, service and realm, each with its
// length in two bytes before it; so is the answer.
func saslauthd(c net.Conn) {
	defer c.Close()
	var words [4]string
	for i := range words {
		var n uint16
		if binary.Read(c, binary.BigEndian, &n) != nil {
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		words[i] = string(b)
	}
	answer := "NO"
	if (isTestUser(words[0]) || words[0] == CyrusAdmin) && words[1] == Password {
		answer = "OK"
	}
	_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// forward joins a connection to a socket of the file system, which may not be there yet, until either side ends.
func forward(c net.Conn, socket string, dead <-chan struct{}) {
	defer c.Close()
	server, err := dialSocket(socket, dead)
	if err != nil {
		return // the client sees its connection end
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, c)
		_ = server.(*net.UnixConn).CloseWrite()
	})
	_, _ = io.Copy(c, server)
	c.Close()
	both.Wait()
}

// dialSocket waits for the socket of a server that is still starting, up to ten seconds.
func dialSocket(socket string, dead <-chan struct{}) (net.Conn, error) {
	for end := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("unix", socket)
		if err == nil || time.Now().After(end) {
			return c, err
		}
		select {
		case <-dead:
			return nil, errors.New("the server ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
