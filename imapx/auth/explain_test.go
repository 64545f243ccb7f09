package auth_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/auth"
)

// A port of another protocol is told as that: no TLS mode would help there.
func TestTLSAtAnotherProtocol(t *testing.T) {
	for greeting, want := range map[string]struct{ text, hint string }{
		"220 mail.old.example ESMTP\r\n":    {"with SMTP, not IMAP", auth.OtherPort},
		"+OK Dovecot ready.\r\n":            {"with POP3, not IMAP", auth.OtherPort},
		"SSH-2.0-OpenSSH_9.2p1\r\n":         {"with SSH, not IMAP", auth.OtherPort},
		"HTTP/1.1 400 Bad Request\r\n":      {"with HTTP, not IMAP", auth.OtherPort},
		"* OK IMAP4rev1 ready\r\n":          {"it greeted in clear text", "--source-tls starttls"},
		"something else that is no TLS\r\n": {"does not speak TLS on this port", "--source-tls starttls"},
	} {
		ours, theirs := net.Pipe()
		deadline := time.Now().Add(10 * time.Second)
		if err := errors.Join(ours.SetDeadline(deadline), theirs.SetDeadline(deadline)); err != nil {
			t.Fatal(err)
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = theirs.Read(make([]byte, 4096)) // the hello
			_, _ = theirs.Write([]byte(greeting))  // its end is not read
		}()
		p := auth.Trust{}.Explain(tls.Client(ours, &tls.Config{ServerName: "mail.old.example", MinVersion: tls.VersionTLS12}).Handshake(), "source", time.Now())
		_, _ = ours.Close(), theirs.Close()
		<-sent
		if !strings.Contains(p.Text, want.text) || !strings.Contains(p.Hint, want.hint) {
			t.Errorf("%q: %s; %s", greeting, p.Text, p.Hint)
		}
	}
}
