package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// passwordHash is Password in the form of crypt(3), MD5.
const passwordHash = "$1$labsalt0$JpqvBJl5.5kTz4zYNcXBG1"

// Mailutils starts GNU mailutils' imap4d and stops it when the test ends. Logins are "u1@lab": only its virtual
// domains have a password file of their own. Mail lies in Maildirs.
func Mailutils(t testing.TB) *Isolated {
	t.Helper()
	s := prepare(t, "Mailutils")
	s.domain = "@lab"
	s.welcome = s.mailutilsUser
	s.check(s.mkdir("spool"))
	s.check(os.Mkdir(filepath.Join(s.base, "domains"), 0o755))
	for i := 1; i <= 50; i++ {
		s.check(s.mailutilsUser(fmt.Sprintf("u%d", i)))
	}
	conf := filepath.Join(s.base, "imap4d.conf")
	text := fmt.Sprintf(`logging { syslog no; };
mailbox { mailbox-type maildir; mail-spool %s/spool; };
auth { authentication generic; authorization virtdomain; };
virtdomain { passwd-dir %s/domains; };
login-disabled no;
`, s.mail, s.base)
	s.check(os.WriteFile(conf, []byte(text), 0o644))
	s.check(s.inetd(func() (*exec.Cmd, error) {
		return s.command(filepath.Join(s.from, "bin", "imap4d"), "--no-config", "--config-file="+conf, "--inetd")
	}))
	return s
}

// mailutilsUser adds a line to the password file, which imap4d reads anew at every login.
func (s *Isolated) mailutilsUser(user string) error {
	if err := s.mkdir("home/" + user); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.base, "domains", "lab"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s:%s:%d:%d:Test:%s/home/%s:/bin/sh\n", user, passwordHash, s.id.uid, s.id.gid, s.mail, user)
	return err
}
