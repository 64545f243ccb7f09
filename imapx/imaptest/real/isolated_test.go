package real

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// others are the servers beside Dovecot, with what tells each from all the rest.
func others() map[string]struct {
	start func(*testing.T) *Isolated
	says  []string
} {
	return map[string]struct {
		start func(*testing.T) *Isolated
		says  []string
	}{
		"Cyrus":         {func(t *testing.T) *Isolated { return Cyrus(t, CyrusOptions{}) }, []string{`(("" "/"))`, "LITERAL+", "MULTIAPPEND", "QRESYNC", "AUTH=PLAIN", "Cyrus IMAP 3.6"}},
		"Cyrus classic": {func(t *testing.T) *Isolated { return Cyrus(t, CyrusOptions{Classic: true}) }, []string{`(("INBOX." "."))`, "Cyrus IMAP 3.6"}},
		"Courier":       {func(t *testing.T) *Isolated { return Courier(t) }, []string{`(("INBOX." "."))`, "UIDPLUS", "Courier-IMAP"}},
		"Mailutils":     {func(t *testing.T) *Isolated { return Mailutils(t) }, []string{`(("" "/"))`, "IMAP4rev1"}},
	}
}

// inTurn sends each command after the answer to the one before: Courier drops what comes behind a LOGIN. A literal
// follows its command after a zero byte.
func inTurn(t *testing.T, c net.Conn, commands ...string) string {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var all strings.Builder
	until := func(stop string) {
		for {
			line, err := r.ReadString('\n')
			all.WriteString(line)
			if err != nil {
				t.Fatalf("%v, wanted %q:\n%s", err, stop, &all)
			}
			if strings.HasPrefix(line, stop) || stop != "* " && strings.HasPrefix(line, "+ ") {
				return
			}
		}
	}
	until("* ")
	for i, cmd := range append(commands, "LOGOUT") {
		for j, part := range strings.Split(cmd, "\x00") {
			line := fmt.Sprintf("c%d %s\r\n", i+1, part)
			if j > 0 {
				line = part + "\r\n"
			}
			if _, err := fmt.Fprint(c, line); err != nil {
				t.Fatal(err)
			}
			until(fmt.Sprintf("c%d ", i+1))
		}
	}
	return all.String()
}

// TestOtherServers sees that each is what it says it is, checks passwords, and stores mail.
func TestOtherServers(t *testing.T) {
	for name, o := range others() {
		t.Run(name, func(t *testing.T) {
			s := o.start(t)
			user := s.FreshUser()
			if name != "Courier" { // which waits five seconds after a wrong password
				wants(t, inTurn(t, dial(t, s.Addr()), "LOGIN "+user+" wrong"), "c1 NO")
			}
			box, mail := s.Prefix()+"Over", "From: a@b.example\r\n\r\nbody\r\n"
			answer := inTurn(t, dial(t, s.Addr()), "CAPABILITY", "LOGIN "+user+" "+Password, "CAPABILITY", "NAMESPACE", "CREATE "+box,
				fmt.Sprintf(`APPEND %s (\Seen) " 1-Feb-2024 01:02:03 +0100" {%d}`, box, len(mail))+"\x00"+mail, "EXAMINE "+box,
				"UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
			wants(t, answer, append(o.says, "c2 OK", "c6 OK", "* 1 EXISTS", fmt.Sprintf("BODY[] {%d}\r\n%s", len(mail), mail))...)
			if strings.Contains(answer, "[ALERT]") {
				t.Errorf("it lacks something:\n%s", answer)
			}
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
		})
	}
}
