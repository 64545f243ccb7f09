package real

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
)

// talk sends commands in one go and returns the lines until the server closes.
func talk(t *testing.T, c net.Conn, commands ...string) string {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for i, cmd := range append(commands, "LOGOUT") {
		if _, err := fmt.Fprintf(c, "c%d %s\r\n", i+1, cmd); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	return string(b)
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wants(t *testing.T, answer string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(answer, p) {
			t.Errorf("answer lacks %q:\n%s", p, answer)
		}
	}
}

func TestLogins(t *testing.T) {
	s := Dovecot(t, Options{})
	for _, c := range []struct{ user, password, want string }{
		{"u1", Password, "c1 OK"},
		{"u50", Password, "c1 OK"},
		{s.FreshUser(), Password, "c1 OK"},
		{"u1*" + MasterUser, MasterPassword, "c1 OK"},
		{"u1", "wrong", "c1 NO"},
		{"u1*" + MasterUser, "wrong", "c1 NO"},
		{"stranger", Password, "c1 NO"},
	} {
		wants(t, talk(t, dial(t, s.Addr()), "LOGIN "+c.user+" "+c.password), c.want)
	}
}

func TestTLS(t *testing.T) {
	for kind, refused := range map[imaptest.CertKind]bool{
		imaptest.CertGood: false, imaptest.CertExpired: true, imaptest.CertForeign: true,
	} {
		s := Dovecot(t, Options{Certificate: kind})
		conf := &tls.Config{RootCAs: s.CertPool(), ServerName: "localhost"}
		c, err := tls.Dial("tcp", s.TLSAddr(), conf)
		if (err != nil) != refused {
			t.Fatalf("kind %d: TLS error %v", kind, err)
		}
		if !refused {
			wants(t, talk(t, c, "LOGIN u1 pass"), "c1 OK")
		}
		plain := dial(t, s.Addr())
		r := bufio.NewReader(plain)
		fmt.Fprint(plain, "a STARTTLS\r\n")
		for line := ""; !strings.HasPrefix(line, "a OK"); {
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if err = tls.Client(plain, conf).Handshake(); (err != nil) != refused {
			t.Fatalf("kind %d: STARTTLS error %v", kind, err)
		}
		plain.Close()
	}
}

func TestCapabilitiesAreTakenAway(t *testing.T) {
	offered := func(o Options) []string {
		answer := talk(t, dial(t, Dovecot(t, o).Addr()), "LOGIN u1 pass", "CAPABILITY")
		_, line, _ := strings.Cut(answer, "\r\n* CAPABILITY ")
		line, _, _ = strings.Cut(line, "\r\n")
		return strings.Fields(line)
	}
	all := offered(Options{})
	for _, c := range strings.Fields(capabilities) {
		if !slices.Contains(all, c) {
			t.Errorf("a plain server lacks %s: %v", c, all)
		}
	}
	less := offered(Options{Without: []string{"UIDPLUS", "multiappend", "LITERAL+", "CONDSTORE", "LIST-STATUS"}})
	for _, c := range all {
		hidden := slices.Contains([]string{"UIDPLUS", "MULTIAPPEND", "LITERAL+", "CONDSTORE", "LIST-STATUS"}, c)
		if slices.Contains(less, c) == hidden {
			t.Errorf("%s: hidden should be %v; offered: %v", c, hidden, less)
		}
	}
}

func TestNamespaceQuotaAndFormat(t *testing.T) {
	s := Dovecot(t, Options{Separator: ".", Prefix: "INBOX.", Quota: "*:messages=1", Format: "sdbox", MailRoot: os.TempDir()})
	answer := talk(t, dial(t, s.Addr()), "LOGIN u1 pass", "CREATE INBOX.a.b", `LIST "" *`,
		"APPEND INBOX {6+}\r\na: b\r\n", "APPEND INBOX {6+}\r\na: b\r\n")
	wants(t, answer, `"." INBOX.a.b`, "c4 OK", "c5 NO [OVERQUOTA]")
}

func TestLoadAndWipe(t *testing.T) {
	tree := t.TempDir()
	for _, d := range []string{"cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	msg := filepath.Join(tree, ".Sent/cur", "1.M1P1.x,S=6,W=7:2,FS")
	when := time.Date(1995, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.WriteFile(msg, []byte("a: b\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(msg, when, when); err != nil {
		t.Fatal(err)
	}
	s := Dovecot(t, Options{})
	s.LoadMaildir("u7", tree)
	s.LoadMaildir("u8", tree)
	for _, u := range []string{"u7", "u8"} {
		answer := talk(t, dial(t, s.Addr()), "LOGIN "+u+" pass", "EXAMINE Sent", "FETCH 1 (FLAGS INTERNALDATE)")
		wants(t, answer, "* 1 EXISTS", `\Flagged \Seen`, `"02-Jan-1995 03:04:05 +0000"`)
	}
	s.Wipe("u7")
	wants(t, talk(t, dial(t, s.Addr()), "LOGIN u7 pass", "EXAMINE Sent"), "c2 NO")
	if _, err := os.Stat(s.MailDir("u8")); err != nil {
		t.Error(err)
	}
}

// TestDiesWithItsTest runs this binary again, kills it, and looks for what it left.
func TestDiesWithItsTest(t *testing.T) {
	const child = "MAILMOVE_TEST_CHILD_OF_DOVECOT"
	if os.Getenv(child) != "" {
		s := Dovecot(t, Options{})
		fmt.Printf("CHILD %s %s %s\n", s.Addr(), s.base, s.mail)
		select {} // until it is killed
	}
	Dovecot(t, Options{}) // skips here where there is none
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDiesWithItsTest$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr, base, mail string
	for sc := bufio.NewScanner(out); addr == "" && sc.Scan(); {
		_, _ = fmt.Sscanf(sc.Text(), "CHILD %s %s %s", &addr, &base, &mail)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the kill
	if addr == "" {
		t.Fatal("the child said nothing")
	}
	end := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("Dovecot lives on after its test binary")
		}
		time.Sleep(20 * time.Millisecond)
	}
	sweep()
	for _, dir := range []string{base, mail} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s was left behind: %v", dir, err)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	s := Dovecot(t, Options{})
	held := dial(t, s.Addr()) // an open connection must not hold up the end
	defer held.Close()
	begin := time.Now()
	s.Stop()
	s.Stop()
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("Stop took %v", d)
	}
	for _, dir := range []string{s.base, s.mail} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s was left behind: %v", dir, err)
		}
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("the port still answers")
	}
}
