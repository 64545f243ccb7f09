package real

import (
	"strings"
	"testing"
)

func TestDoveadm(t *testing.T) {
	s := Dovecot(t, Options{})
	wants(t, talk(t, dial(t, s.Addr()), "LOGIN u7 pass", "CREATE Letters", "APPEND Letters {6+}\r\na: b\r\n"), "c2 OK", "c3 OK")
	for range 2 { // the second time, its copy is there
		cmd, err := s.Doveadm("mailbox", "status", "-u", "u7", "messages", "Letters")
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "Letters messages=1" {
			t.Errorf("it says %q (%v)", out, err)
		}
	}
	if version, err := s.Version(); err != nil || !strings.HasPrefix(version, "2.3.") {
		t.Errorf("version %q (%v)", version, err)
	}
}
