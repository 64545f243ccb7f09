package imaptest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// TestLateMailLands shows on a real server what BreakLate is for: the client is gone, the folder still empty, and then
// the messages are there after all.
func TestLateMailLands(t *testing.T) {
	const late = 1500 * time.Millisecond
	s := real.Dovecot(t, real.Options{})
	messages := func() string {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "a LOGIN u1 pass\r\nb STATUS INBOX (MESSAGES)\r\nc LOGOUT\r\n")
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		_, n, _ := strings.Cut(string(b), "(MESSAGES ")
		n, _, _ = strings.Cut(n, ")")
		return n
	}
	var multi strings.Builder
	multi.WriteString("b APPEND INBOX")
	for range 50 {
		multi.WriteString(" {9+}\r\na: b\r\n\r\nc")
	}
	multi.WriteString("\r\n")
	_, c, r := through(t, s.Addr(), imaptest.Faults{CutUp: int64(len("a LOGIN u1 pass\r\n") + 200), Break: imaptest.BreakLate, Late: late})
	fmt.Fprint(c, "a LOGIN u1 pass\r\n")
	for answer := ""; !strings.HasPrefix(answer, "a OK"); {
		var err error
		if answer, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprint(c, multi.String())
	_, _ = bufio.NewReader(c).ReadString(0) // the cut
	if n := messages(); n != "0" {
		t.Fatalf("%s messages at once", n)
	}
	eventually(t, "late landing", func() bool { return messages() == "50" })
}
