package cmd

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
)

// takeHint is the script command
//
//	hint NAME FLAG
//
// which sets a variable to what the last command said to give with a flag, "--flag=value" or "--flag value".
func takeHint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hint NAME FLAG")
	}
	said := ts.ReadFile("stderr") + ts.ReadFile("stdout") // check has its hints there
	found := regexp.MustCompile(regexp.QuoteMeta(args[1]) + `[=\s]\s*(\S+)`).FindStringSubmatch(said)
	if found == nil {
		ts.Fatalf("nothing says %s: %s", args[1], said)
	}
	ts.Setenv(args[0], found[1])
}

func TestPinList(t *testing.T) {
	one, two := auth.Pin{1}, auth.Pin{2}
	var l pinList
	for text, n := range map[string]int{one.String(): 1, one.String() + ", " + two.String(): 2, "sha256:" + one.Fingerprint(): 1} {
		if err := l.Set(text); err != nil || len(l) != n || l[0] != one {
			t.Errorf("%s: %v %v", text, l, err)
		}
	}
	if err := l.Set(two.String()); err != nil || l.String() != two.String() { // the last one counts, as with every flag
		t.Errorf("%v %v", l.String(), err)
	}
	many := one.String()
	for range mostPins {
		many += "," + one.String()
	}
	for _, text := range []string{"", ",", one.String() + ",", "sha256:12", many} {
		if err := l.Set(text); err == nil || l.String() != two.String() {
			t.Errorf("%q: %v", text, l)
		}
	}
}

func TestTrustedServer(t *testing.T) {
	for text, want := range map[string]string{
		"Mail.Old.example": "mail.old.example", "mail.old.example.:993": "mail.old.example", "mail.old.example:143": "mail.old.example",
		"mail.old.example:1993": "mail.old.example:1993", "192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "[2001:db8::1]:1993": "[2001:db8::1]:1993",
	} {
		if got, err := trustedServer(text); got != want || err != nil {
			t.Errorf("%s: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"", "imaps://mail", "a b", "x:0", "-x"} {
		if got, err := trustedServer(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
	// It is the name under which a pass looks.
	for _, ep := range []imapx.Endpoint{{Host: "MAIL.old.example", Port: 143}, {Host: "x", Address: "mail.old.example", Port: 993}} {
		if got := loginServer(ep); got != "mail.old.example" {
			t.Errorf("%+v: %s", ep, got)
		}
	}
}

// One Ctrl-C ends the question about a certificate: nothing is in flight while somebody is asked.
func TestStopAtTheQuestion(t *testing.T) {
	t.Parallel()
	needsScreen(t)
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	server, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{TLS: ca, Users: []imaptest.EmbeddedUser{{Name: "alice", Password: "pw"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	dir := t.TempDir()
	s := startShell(t, dir, []string{"MAILMOVE_STATE_DIR=" + dir, "MAILMOVE_SOURCE_PASSWORD=pw", "MAILMOVE_TARGET_PASSWORD=pw"},
		[]string{program, "sync", "--source", server.Addr(), "--source-user", "alice", "--target", server.Addr(), "--target-user", "bob"})
	s.keys(t, "move", "Enter")
	s.waitFor(t, "the question", func(lines []string) bool { return strings.Contains(strings.Join(lines, "\n"), "[y/N]") })
	s.keys(t, "C-c")
	s.ended(t, "Ctrl-C at the question")
	lines := s.lines(t)
	all := strings.Join(lines, "\n")
	if lines[len(lines)-2] != "code 130" || strings.Contains(all, "settling") || !strings.Contains(all, "mailmove: stopped by Ctrl-C") {
		t.Error(all)
	}
	s.stop(t)
}
