package imapx_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// TestDialRealServers: each way in, and each way to be refused, on a real server.
func TestDialRealServers(t *testing.T) {
	good := real.Dovecot(t, real.Options{})
	expired := real.Dovecot(t, real.Options{Certificate: imaptest.CertExpired})
	foreign := real.Dovecot(t, real.Options{Certificate: imaptest.CertForeign})
	for name, c := range map[string]struct {
		server  *real.Server
		tls     bool // dial the TLS port
		change  func(*imapx.Endpoint)
		kind    imapx.Kind
		text    string // of the error; "": success
		hint    string
		foreign bool
	}{
		"implicit":   {server: good, tls: true, change: func(e *imapx.Endpoint) {}},
		"starttls":   {server: good, change: func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }},
		"clear text": {server: good, change: func(e *imapx.Endpoint) { e.TLS = imapx.TLSNone }},
		"master": {server: good, tls: true, change: func(e *imapx.Endpoint) {
			e.User += "*" + real.MasterUser
			e.Password = auth.NewSecret(real.MasterPassword)
		}},
		"address":         {server: good, tls: true, change: func(e *imapx.Endpoint) { e.Address, e.Host = e.Host, "localhost" }},
		"tls name":        {server: good, tls: true, change: func(e *imapx.Endpoint) { e.Address, e.Host, e.TLSName = e.Host, "nowhere.example", "localhost" }},
		"wrong password":  {good, true, func(e *imapx.Endpoint) { e.Password = auth.NewSecret("wrong") }, imapx.KindAuth, "Authentication failed", "password", false},
		"no password":     {good, true, func(e *imapx.Endpoint) { e.Password = auth.NewSecret("") }, imapx.KindAuth, "empty", "", false},
		"unknown CA":      {good, true, func(e *imapx.Endpoint) { e.Roots = nil }, imapx.KindTLS, "authority that is not trusted", "--source-ca", false},
		"expired":         {expired, true, func(e *imapx.Endpoint) {}, imapx.KindTLS, "expired on 20", "renewed", false},
		"foreign":         {foreign, true, func(e *imapx.Endpoint) {}, imapx.KindTLS, "mail.elsewhere.example", "--source-tls-name", false},
		"expired, later":  {expired, false, func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }, imapx.KindTLS, "expired", "", false},
		"TLS to clear":    {good, false, func(e *imapx.Endpoint) { e.TLS = imapx.TLSImplicit }, imapx.KindTLS, "does not speak TLS", "--source-tls starttls", false},
		"clear to TLS":    {good, true, func(e *imapx.Endpoint) { e.TLS = imapx.TLSNone }, imapx.KindTLS, "answers in TLS", "--source-tls implicit", true},
		"starttls to TLS": {good, true, func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }, imapx.KindTLS, "answers in TLS", "--source-tls implicit", true},
		"unknown host":    {good, true, func(e *imapx.Endpoint) { e.Host = "no.such.host.invalid" }, imapx.KindConnect, "", "", true},
		"refused port":    {good, true, func(e *imapx.Endpoint) { e.Port = freePort(t) }, imapx.KindConnect, "connection refused", "993", false},
	} {
		t.Run(name, func(t *testing.T) {
			addr := c.server.Addr()
			if c.tls {
				addr = c.server.TLSAddr()
			}
			e := endpoint(t, addr, "u1")
			e.TLS, e.Roots = imapx.TLSImplicit, c.server.CertPool()
			c.change(&e)
			trace := &lockedBuffer{}
			src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{DialTimeout: 2 * time.Second, Trace: trace})
			if c.text == "" && !c.foreign {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := src.List(within(t, 10*time.Second)); err != nil {
					t.Error(err)
				}
				src.Close()
			}
			if c.text != "" || c.foreign {
				var x *imapx.Error
				if !errors.As(err, &x) || x.Kind != c.kind || !strings.Contains(x.Text, c.text) || !strings.Contains(x.Hint, c.hint) {
					t.Fatalf("%v, hint %q", err, x.Hint)
				}
				t.Logf("%v (%s)", err, x.Hint)
			}
			if s := trace.String(); !e.Password.Empty() && strings.Contains(s, e.Password.Reveal()) {
				t.Errorf("the trace has the password:\n%s", s)
			}
		})
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestLogins: what is sent to servers with other abilities, and what is never sent.
func TestLogins(t *testing.T) {
	const secret = "s3cret"
	for name, c := range map[string]struct {
		play   func(s *scripted)
		change func(*imapx.Endpoint)
		kind   imapx.Kind
		retry  imapx.Retry
		text   string
	}{
		"LOGIN": {play: func(s *scripted) {
			s.send("* OK hi\n")
			s.send("* CAPABILITY IMAP4rev1\n%s OK\n", s.expect("CAPABILITY"))
			s.send("%s OK in\n", s.expect(`LOGIN "u" "s3cret"`))
			s.send("* CAPABILITY IMAP4rev1 CONDSTORE\n%s OK\n", s.expect("CAPABILITY"))
			s.rest()
		}},
		"PLAIN without SASL-IR": {play: func(s *scripted) {
			s.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\n")
			tag := s.expect("AUTHENTICATE PLAIN")
			s.send("+ \n")
			if line, _ := s.r.ReadString('\n'); line != "YWRtaW4AdQBzM2NyZXQ=\r\n" {
				s.t.Errorf("%q", line)
			}
			s.send("%s OK [CAPABILITY IMAP4rev1] in\n", tag)
			s.rest()
		}, change: func(e *imapx.Endpoint) { e.AuthzID = "admin" }},
		"disabled": {play: func(s *scripted) { s.send("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] hi\n"); s.rest() },
			kind: imapx.KindAuth, text: "no way to log in"},
		"authzid": {play: func(s *scripted) { s.send("* OK [CAPABILITY IMAP4rev1] hi\n"); s.rest() },
			change: func(e *imapx.Endpoint) { e.AuthzID = "admin" }, kind: imapx.KindAuth, text: "authorization identity"},
		"busy": {play: func(s *scripted) {
			s.send("* OK [CAPABILITY IMAP4rev1] hi\n")
			s.send("%s NO [LIMIT] Too many for s3cret\n", s.expect("LOGIN .*"))
			s.rest()
		}, kind: imapx.KindUnavailable, retry: imapx.RetryLater, text: "[hidden]"},
		"goodbye": {play: func(s *scripted) { s.send("* BYE too busy\n") }, kind: imapx.KindUnavailable, retry: imapx.RetryLater, text: "too busy"},
		"PREAUTH in clear text": {play: func(s *scripted) { s.send("* PREAUTH hi\n"); s.rest() },
			change: func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }, kind: imapx.KindTLS, text: "logged in already"},
		"no STARTTLS": {play: func(s *scripted) { s.send("* OK [CAPABILITY IMAP4rev1] hi\n"); s.rest() },
			change: func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }, kind: imapx.KindTLS, text: "does not offer STARTTLS"},
		"injected": {play: func(s *scripted) {
			s.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\n")
			tag := s.expect("STARTTLS")
			s.send("%s OK go\n* CAPABILITY EVIL\n", tag)
			s.r.ReadString('\n')
		}, change: func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS }, kind: imapx.KindTLS, text: "more in clear text"},
		"no IMAP": {play: func(s *scripted) { s.send("220 mail ESMTP\n"); s.rest() }, kind: imapx.KindConnect, text: "no IMAP greeting but one of SMTP"},
		"POP3":    {play: func(s *scripted) { s.send("+OK Dovecot ready.\n"); s.rest() }, kind: imapx.KindConnect, text: "no IMAP greeting but one of POP3"},
		"SSH":     {play: func(s *scripted) { s.send("SSH-2.0-OpenSSH_9.2p1\n"); s.rest() }, kind: imapx.KindConnect, text: "no IMAP greeting but one of SSH"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, c.play)
			e.Password = auth.NewSecret(secret)
			if c.change != nil {
				c.change(&e)
			}
			trace := &lockedBuffer{}
			src, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{Trace: trace, DialTimeout: 2 * time.Second})
			if err == nil {
				defer src.Close()
			}
			var x *imapx.Error
			switch {
			case c.text == "" && err != nil:
				t.Error(err)
			case c.text != "" && (!errors.As(err, &x) || x.Kind != c.kind || x.Retry != c.retry || !strings.Contains(x.Text, c.text)):
				t.Errorf("%v %+v", err, x)
			}
			if all := trace.String(); strings.Contains(all, secret) || strings.Contains(all, "YWRtaW4") || err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in the trace or the error: %v\n%s", err, all)
			}
		})
	}
}

// A name that the resolver does not look up is told as that, and not as a server behind a firewall.
func TestDialSaysWhyANameIsNotLookedUp(t *testing.T) {
	for want, dns := range map[string]*net.DNSError{
		"gives no answer":          {Err: "i/o timeout", Name: "mail.old.example", Server: "192.0.2.53:53", IsTimeout: true, IsTemporary: true},
		"says server misbehaving":  {Err: "server misbehaving", Name: "mail.old.example", Server: "192.0.2.53:53", IsTemporary: true},
		"there is no host mail.ol": {Err: "no such host", Name: "mail.old.example", Server: "192.0.2.53:53", IsNotFound: true},
	} {
		e := imapx.Endpoint{Side: "source", Host: "mail.old.example", Port: 993, TLS: imapx.TLSImplicit, User: "alice"}
		_, err := imapx.DialSource(t.Context(), e, imapx.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: dns}
		}})
		var x *imapx.Error
		if !errors.As(err, &x) || x.Kind != imapx.KindConnect || !strings.Contains(x.Text, want) || strings.Contains(x.Text, "dial tcp") || !strings.Contains(x.Hint, "--source-address") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
