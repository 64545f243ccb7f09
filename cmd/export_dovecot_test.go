package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest/real"
)

// coexistence is an old and a new side, both with a Dovecot and a Postfix, and the maps that lead from one to the other.
type coexistence struct {
	old, new           *real.Server
	oldMail, newMail   *real.Postfix
	dir, moved, logins string
	program            string
	list               string   // of accounts
	env                []string // beside the test's own
}

// newCoexistence starts the servers. u1@a.example and u2@a.example have a mailbox on both sides; m1@new.example, with
// another password, on the new one only.
func newCoexistence(t *testing.T) *coexistence {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	c := &coexistence{dir: t.TempDir(), program: program, list: "id,source_user,target_user,target_password\n" +
		"u1,u1@a.example,u1@a.example,\nu2,u2@a.example,u2@a.example,\nm1,u3@a.example,m1@new.example,\"n:w%p\"\"ss\"\n"}
	c.moved, c.logins = filepath.Join(c.dir, "moved"), filepath.Join(c.dir, "logins")
	for _, dir := range []string{filepath.Dir(c.dir), c.dir} { // the servers read them as other users
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.new = real.Dovecot(t, real.Options{Ahead: "passdb {\n driver = static\n args = password=n:w%%p\"ss\n username_filter = m*\n}\n"})
	c.newMail = real.StartPostfix(t, real.PostfixOptions{Mailboxes: []string{"u1@a.example", "u2@a.example"}, Deliver: c.new})
	c.write(t, "logins", "", 0o640)
	c.write(t, "leaders", "leader:{PLAIN}follow\n", 0o644)
	// A passdb of two protocols, as docs/coexistence.md wants it; submission has the old passwords only.
	passdb := "passdb {\n driver = passwd-file\n args = " + c.logins + "\n}\n"
	c.old = real.Dovecot(t, real.Options{Ahead: "ssl_ca = <" + c.new.CAFile() + "\nssl_require_crl = no\n" +
		"passdb {\n driver = passwd-file\n args = " + c.path("leaders") + "\n master = yes\n result_success = continue\n}\nprotocol imap {\n" + passdb + "}\nprotocol pop3 {\n" + passdb + "}\n"})
	if err := c.old.Give(c.logins); err != nil {
		t.Fatal(err)
	}
	c.write(t, "moved", "", 0o644)
	if out, err := exec.Command(c.newMail.Postmap(), "lmdb:"+c.moved).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.oldMail = real.StartPostfix(t, real.PostfixOptions{Mailboxes: []string{"u1@a.example", "u2@a.example"}, Deliver: c.old,
		Extra: "transport_maps = lmdb:" + c.moved})
	return c
}

func (c *coexistence) path(name string) string { return filepath.Join(c.dir, name) }

func (c *coexistence) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(c.path(name), []byte(text), mode), os.Chmod(c.path(name), mode)); err != nil {
		t.Fatal(err)
	}
}

// export runs "mailmove export FORMAT" over the list.
func (c *coexistence) export(t *testing.T, format string, more ...string) (said string, code int) {
	t.Helper()
	_, port, err := net.SplitHostPort(c.new.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "list.csv", c.list, 0o600)
	args := append([]string{"export", format, "--accounts", c.path("list.csv"), "--any-domain", "--state-dir", c.path("state"),
		"--source", "imap://" + c.old.Addr(), "--source-tls", "none", "--target", "localhost:" + port}, more...)
	return c.run(t, args...)
}

func (c *coexistence) run(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Env = append(os.Environ(), c.env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(text), 0
}

// must is export where it has to work.
func (c *coexistence) must(t *testing.T, format string, more ...string) string {
	t.Helper()
	said, code := c.export(t, format, more...)
	if code != 0 {
		t.Fatalf("export %s %v: exit code %d: %s", format, more, code, said)
	}
	if format == "dovecot" {
		waitForDovecot()
	}
	return said
}

// waitForDovecot: it looks once a second whether a passwd-file has changed.
func waitForDovecot() { time.Sleep(2 * time.Second) }

// send gives a message to the old server, and waits until it lies in a mailbox.
func (c *coexistence) send(t *testing.T, to, subject string, arrives *real.Server) {
	t.Helper()
	text := "From: s@b.example\r\nTo: " + to + "\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@b.example>\r\n\r\nHello\r\n"
	if err := smtp.SendMail(c.oldMail.Addr(), nil, "s@b.example", []string{to}, []byte(text)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if mailboxHolds(t, arrives.MailDir(to), subject) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q has not arrived\nold: %s\nnew: %s", subject, c.oldMail.Log(), c.newMail.Log())
		}
	}
}

func mailboxHolds(t *testing.T, maildir, subject string) bool {
	t.Helper()
	for _, sub := range []string{"new", "cur"} {
		files, err := os.ReadDir(filepath.Join(maildir, sub))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(maildir, sub, f.Name()))
			if err == nil && bytes.Contains(text, []byte("Subject: "+subject+"\n")) {
				return true
			}
		}
	}
	return false
}

// subjects logs in at a server as people do, and reads the INBOX.
func subjects(t *testing.T, addr, user, password string) (found []string, err error) {
	t.Helper()
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(user, password).Wait(); err != nil {
		return nil, err
	}
	box, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || box.NumMessages == 0 {
		return nil, err
	}
	all, err := c.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{Envelope: true}).Collect()
	for _, m := range all {
		found = append(found, m.Envelope.Subject)
	}
	return found, err
}

func (c *coexistence) sees(t *testing.T, user, password string, want ...string) {
	t.Helper()
	got, err := subjects(t, c.old.Addr(), user, password)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s at the old server: %q, %v; want %q", user, got, err, want)
	}
}

// TestExportedMaps: a moved user logs in at the old server with the old password and sees the new mailbox, an unmoved one
// sees the old; mail to both arrives right; the maps are exchanged while both servers run.
func TestExportedMaps(t *testing.T) {
	t.Parallel()
	c := newCoexistence(t)
	c.send(t, "u1@a.example", "before", c.old)
	c.send(t, "u2@a.example", "before", c.old)
	running, err := imapclient.DialInsecure(c.old.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := running.Login("u1@a.example", real.Password).Wait(); err != nil {
		t.Fatal(err)
	}

	said := c.must(t, "postfix", "--id", "u1", "--relay", c.newMail.Addr(), "--to", c.moved, "--postmap", c.oldMail.Postmap())
	said += c.must(t, "dovecot", "--id", "u1", "--to", c.logins)
	if !strings.Contains(said, "doveadm kick u1@a.example") {
		t.Errorf("nobody is told to end running sessions:\n%s", said)
	}
	awaitRewrite(t, c, "u1@a.example", "after")
	c.send(t, "u2@a.example", "after", c.old)
	c.sees(t, "u1@a.example", real.Password, "after")
	c.sees(t, "u2@a.example", real.Password, "before", "after")
	if _, err := subjects(t, c.old.Addr(), "u1@a.example", "wrong"); err == nil {
		t.Error("a wrong password is let in")
	}

	// Who was logged in stays on the old mailbox until the session is ended.
	if box, err := running.Select("INBOX", nil).Wait(); err != nil || box.NumMessages == 0 {
		t.Errorf("the running session: %v, %v", box, err)
	}
	kick(t, c.old, "u1@a.example")
	for end := time.Now().Add(10 * time.Second); running.Noop().Wait() == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) { // it is a signal, and the session ends by itself
			t.Fatal("a session that was kicked goes on")
		}
	}

	// The login of an admin, which a tail of the old mailbox uses, is not led on by this passdb, but for result_success =
	// continue: then the new server is asked, which does not know this admin.
	c.sees(t, "u1@a.example*"+real.MasterUser, real.MasterPassword, "before")
	c.sees(t, "u2@a.example*leader", "follow", "before", "after")
	if found, err := subjects(t, c.old.Addr(), "u1@a.example*leader", "follow"); err == nil {
		t.Errorf("an admin whose passdb says continue sees %q", found)
	}

	// No password but the right one is good for sending mail.
	for password, want := range map[string]bool{real.Password: true, "wrong": false} {
		test, err := c.old.Doveadm("auth", "test", "-x", "service=smtp", "u1@a.example", password)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := test.CombinedOutput(); (err == nil) != want {
			t.Errorf("sending mail with the password %q: %v: %s", password, err, out)
		}
	}

	// Everything back: the files before.
	for _, path := range []string{c.moved, c.logins} {
		if err := os.Rename(rollbackName(path), path); err != nil {
			t.Fatal(err)
		}
	}
	waitForDovecot()
	c.sees(t, "u1@a.example", real.Password, "before")
}

// TestExportedPasswords: the old password at the old server, and behind it another login with another password.
func TestExportedPasswords(t *testing.T) {
	t.Parallel()
	c := newCoexistence(t)
	c.must(t, "dovecot", "--id", "m1", "--pass", "target", "--to", c.logins)
	if info, err := os.Stat(c.logins); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode of a map with a password: %v, %v", info.Mode(), err)
	}
	for _, login := range [][2]string{{"u3@a.example", real.Password}, {"U3@A.example", real.Password}} { // as people type it
		c.sees(t, login[0], login[1])
	}
	if _, err := subjects(t, c.old.Addr(), "u3@a.example", "wrong"); err == nil {
		t.Error("a wrong password is let in")
	}
	c.comesTo(t, "m1@new.example")

	// An admin of the new server opens the mailbox, over STARTTLS.
	c.list, c.env = "id,source_user,target_authzid\nu4,u4@a.example,u44@a.example\n", []string{"MAILMOVE_TARGET_PASSWORD=" + real.MasterPassword}
	said := c.must(t, "dovecot", "--all", "--pass", "target", "--to", c.logins, "--target", strings.Replace("imap://"+c.new.Addr(), "127.0.0.1", "localhost", 1),
		"--target-user", real.MasterUser)
	if !strings.Contains(said, "starttls=yes") || strings.Contains(said, real.MasterPassword) {
		t.Errorf("it says:\n%s", said)
	}
	c.sees(t, "u4@a.example", real.Password)
	c.comesTo(t, "u44@a.example")

	// A name that the new server's certificate has not: nobody gets in, and the mailbox here is not shown instead.
	c.must(t, "dovecot", "--all", "--pass", "target", "--to", c.logins, "--target", strings.Replace("imap://"+c.new.Addr(), "127.0.0.1", "localhost", 1),
		"--target-user", real.MasterUser, "--target-tls-name", "other.example")
	if found, err := subjects(t, c.old.Addr(), "u4@a.example", real.Password); err == nil {
		t.Errorf("with a certificate of another name %q is shown", found)
	}
}

// comesTo makes sure that a login has opened that mailbox at the new server.
func (c *coexistence) comesTo(t *testing.T, user string) {
	t.Helper()
	if _, err := os.Stat(c.new.MailDir(user)); err != nil {
		t.Errorf("it was not the new mailbox: %v", err)
	}
}

// awaitRewrite sends until Postfix has seen that its table was exchanged, which takes it up to ten seconds.
func awaitRewrite(t *testing.T, c *coexistence, to, subject string) {
	t.Helper()
	out, err := exec.Command(c.oldMail.Postmap(), "-q", to, "lmdb:"+c.moved).Output()
	if err != nil || !strings.HasPrefix(string(out), "relay:[127.0.0.1]:") {
		t.Fatalf("the table says %q of %s: %v", out, to, err)
	}
	time.Sleep(11 * time.Second)
	c.send(t, to, subject, c.new)
}

func kick(t *testing.T, s *real.Server, user string) {
	t.Helper()
	cmd, err := s.Doveadm("kick", user)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("doveadm kick: %v: %s", err, out)
	}
}
