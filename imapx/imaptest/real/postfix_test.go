package real

import (
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Mail for a mailbox arrives in the Maildir that Dovecot shows; what a transport map names goes to another Postfix; other
// mail is refused.
func TestPostfix(t *testing.T) {
	target, source := Dovecot(t, Options{}), Dovecot(t, Options{})
	far := StartPostfix(t, PostfixOptions{Mailboxes: []string{"u1@a.example", "u2@a.example"}, Deliver: target})
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.WriteFile(moved, []byte("u2@a.example relay:["+strings.Replace(far.Addr(), ":", "]:", 1)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(moved), filepath.Dir(filepath.Dir(moved))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	near := StartPostfix(t, PostfixOptions{Mailboxes: []string{"u1@a.example", "u2@a.example"}, Deliver: source, Extra: "transport_maps = texthash:" + moved})
	text := []byte("Subject: x\r\n\r\nHello\r\n")
	for _, to := range []string{"u1@a.example", "u2@a.example"} {
		if err := smtp.SendMail(near.Addr(), nil, "s@b.example", []string{to}, text); err != nil {
			t.Fatal(err)
		}
	}
	for user, s := range map[string]*Server{"u1@a.example": source, "u2@a.example": target} {
		awaitNew(t, s.MailDir(user), near)
	}
	if err := smtp.SendMail(near.Addr(), nil, "s@b.example", []string{"u1@other.example"}, text); err == nil {
		t.Error("mail for a domain that is not its own is taken")
	}
	if err := smtp.SendMail(near.Addr(), nil, "s@b.example", []string{"u3@a.example"}, text); err == nil {
		t.Error("mail for a mailbox that there is not is taken")
	}
	if n, err := near.Waiting(); err != nil || n != 0 {
		t.Errorf("%d messages wait: %v", n, err)
	}
}

func awaitNew(t *testing.T, dir string, p *Postfix) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found, err := os.ReadDir(filepath.Join(dir, "new"))
		if err == nil && len(found) == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no mail in %s\n%s", dir, p.Log())
		}
	}
}
