package imaptest_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// say sends everything in one go, tags t1, t2 …, and gives all that comes until the connection ends, or until quiet.
func say(t *testing.T, addr string, quiet time.Duration, commands ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, cmd := range commands {
		if _, err := fmt.Fprintf(c, "t%d %s\r\n", i+1, cmd); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	buf := make([]byte, 64<<10)
	for {
		if err := c.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			fmt.Fprintf(&got, "<%s>", map[bool]string{true: "end", false: "silence"}[err == io.EOF])
			return got.String()
		}
	}
}

// lines gives the tagged lines, BYE and the end, without the server's words.
func lines(answer string) string {
	var out []string
	for _, l := range strings.Split(answer, "\r\n") {
		words := strings.Fields(l)
		if len(words) > 1 && (words[0][0] == 't' || words[1] == "BYE") {
			keep := words[:2]
			if i := strings.Index(l, "["); i > 0 && words[1] != "OK" {
				keep = append(keep, l[i:])
			}
			out = append(out, strings.Join(keep, " "))
		} else if strings.HasPrefix(l, "<") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "|")
}

func TestMeddlerOnDovecot(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	mail := func(n int) string { return fmt.Sprintf("APPEND INBOX {%d+}\r\n", n) + strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		faults   []imaptest.Meddle
		commands []string
		want     string
		stored   int // messages in INBOX afterwards
	}{
		"nothing": {nil, []string{mail(10), "NOOP", "LOGOUT"}, "t1 OK|t2 OK|t3 OK|* BYE|t4 OK|<end>", 1},
		"no": {[]imaptest.Meddle{{Verb: "APPEND", Code: "OVERQUOTA", Text: "full"}}, []string{mail(100000), mail(5), "LOGOUT"},
			"t1 OK|t2 NO [OVERQUOTA] full|t3 OK|* BYE|t4 OK|<end>", 1},
		"bad, the second and third": {[]imaptest.Meddle{{Verb: "APPEND", Nth: 2, Times: 2, How: imaptest.AnswerBad}}, []string{mail(5), mail(6), mail(7), mail(8), "LOGOUT"},
			"t1 OK|t2 OK|t3 BAD|t4 BAD|t5 OK|* BYE|t6 OK|<end>", 2},
		"bye": {[]imaptest.Meddle{{Verb: "APPEND", Nth: 2, How: imaptest.AnswerBye, Code: "UNAVAILABLE"}}, []string{mail(5), mail(200000), mail(7), "NOOP"},
			"t1 OK|t2 OK|* BYE [UNAVAILABLE] no|<end>", 1},
		"answer lost":   {[]imaptest.Meddle{{Verb: "APPEND", Nth: 2, How: imaptest.LoseAnswer}}, []string{mail(5), mail(6)}, "t1 OK|t2 OK|<end>", 2},
		"answer mute":   {[]imaptest.Meddle{{Verb: "APPEND", How: imaptest.MuteAnswer}}, []string{mail(5), "NOOP"}, "t1 OK|t3 OK|<silence>", 1},
		"login refused": {[]imaptest.Meddle{{Verb: "LOGIN", Code: "AUTHENTICATIONFAILED"}}, []string{"NOOP"}, "t1 NO [AUTHENTICATIONFAILED] no|t2 OK|<silence>", 0},
		"multiappend and a literal that waits": {[]imaptest.Meddle{{Verb: "APPEND"}}, []string{"APPEND INBOX {3+}\r\nabc {4+}\r\nabcd (\\Seen) {5}", "NOOP", "LOGOUT"},
			"t1 OK|t2 NO|t3 OK|* BYE|t4 OK|<end>", 0},
		"in place": {[]imaptest.Meddle{{Verb: "UID FETCH", Code: "INUSE"}}, []string{mail(100), "EXAMINE INBOX", "UID FETCH 1 BODY.PEEK[]", "FETCH 1 BODY.PEEK[]", "LOGOUT"},
			"t1 OK|t2 OK|t3 OK|t4 NO [INUSE] no|t5 OK|* BYE|t6 OK|<end>", 1},
		"every command": {[]imaptest.Meddle{{Nth: 2, Times: -1}}, []string{"NOOP", "CREATE x", "SUBSCRIBE x"}, "t1 OK|t2 NO|t3 NO|t4 NO|<silence>", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := imaptest.NewMeddler(s.Addr(), c.faults...)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			user := s.FreshUser()
			got := say(t, m.Addr(), 500*time.Millisecond, append([]string{"LOGIN " + user + " " + real.Password}, c.commands...)...)
			if lines(got) != c.want {
				t.Errorf("got  %s\nwant %s\n%.2000s", lines(got), c.want, got)
			}
			status := say(t, s.Addr(), 5*time.Second, "LOGIN "+user+" "+real.Password, "STATUS INBOX (MESSAGES)", "LOGOUT")
			if !strings.Contains(status, fmt.Sprintf("(MESSAGES %d)", c.stored)) {
				t.Errorf("%d messages were to be stored: %s", c.stored, status)
			}
			if len(c.faults) > 0 && m.Hits() == 0 {
				t.Error("no fault befell anything")
			}
		})
	}
}

func TestMeddlerCountsAndDelays(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	m, err := imaptest.NewMeddler(s.Addr(), imaptest.Meddle{Verb: "UID SEARCH", How: imaptest.Delay, Wait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	begin := time.Now()
	got := say(t, m.Addr(), 5*time.Second, "LOGIN u1 pass", "EXAMINE INBOX", "uid search ALL", "LOGOUT")
	if d := time.Since(begin); d < 300*time.Millisecond || lines(got) != "t1 OK|t2 OK|t3 OK|* BYE|t4 OK|<end>" {
		t.Errorf("%v: %s", d, got)
	}
	if want := []string{"LOGIN", "EXAMINE", "UID SEARCH", "LOGOUT"}; !slices.Equal(m.Commands(), want) || m.Hits() != 1 {
		t.Errorf("%v, %d hits", m.Commands(), m.Hits())
	}
}
