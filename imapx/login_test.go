package imapx_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
)

// said reads a line of the client's and gives it decoded.
func (s *scripted) said() string {
	line, _ := s.r.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	b, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return line
	}
	return string(b)
}

// plain reads AUTHENTICATE PLAIN with its initial response, and lets the client in if it says what it should.
func (s *scripted) plain(want string) {
	line, _ := s.r.ReadString('\n')
	f := strings.Fields(line)
	if len(f) != 4 || f[1] != "AUTHENTICATE" || f[2] != "PLAIN" {
		s.t.Errorf("the client said %q", line)
		return
	}
	if got, _ := base64.StdEncoding.DecodeString(f[3]); string(got) != want {
		s.t.Errorf("PLAIN carries %q, wanted %q", got, want)
	}
	s.send("%s OK [CAPABILITY IMAP4rev1] in\n", f[0])
	s.rest()
}

// An admin opens somebody else's mailbox: as servers' documents have it (Exchange, Zimbra), and with separators that
// servers choose (Dovecot, Stalwart).
func TestLoginAsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		greeting      string
		user, authzID string
		want          string
	}{
		"Exchange":  {"AUTH=NTLM AUTH=GSSAPI AUTH=PLAIN SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+", `EXAMPLE\admin\alice`, "", "\x00EXAMPLE\\admin\\alice\x00s3cret"},
		"Zimbra":    {"ACL BINARY CATENATE LITERAL+ MULTIAPPEND QRESYNC SASL-IR AUTH=X-ZIMBRA AUTH=PLAIN", "admin@example.org", "alice@example.org", "alice@example.org\x00admin@example.org\x00s3cret"},
		"Cyrus":     {"LITERAL+ ID ENABLE AUTH=PLAIN AUTH=LOGIN SASL-IR", "cyrus", "alice", "alice\x00cyrus\x00s3cret"},
		"separator": {"SASL-IR AUTH=PLAIN", "alice%admin", "", "\x00alice%admin\x00s3cret"},
		"quotes":    {"SASL-IR AUTH=PLAIN", `al"ice*mas\ter`, "", "\x00al\"ice*mas\\ter\x00s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.send("* OK [CAPABILITY IMAP4rev1 %s] hi\n", c.greeting)
				s.plain(c.want)
			})
			e.User, e.AuthzID, e.Password = c.user, c.authzID, auth.NewSecret("s3cret")
			dialScripted(t, e, imapx.Options{})
		})
	}
}

// What servers do within a SASL exchange, and what becomes of it. Each server is asked once.
func TestExchanges(t *testing.T) {
	password := func(e *imapx.Endpoint) { e.Password = auth.NewSecret("s3cret") }
	token := func(e *imapx.Endpoint) { e.Password, e.Token = auth.Secret{}, fixedToken("tok3n") }
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		caps string
		play func(s *scripted, tag string)
		set  func(*imapx.Endpoint)
		kind imapx.Kind
		text string
		mech auth.Mechanism
	}{
		// Google's and Microsoft's: JSON in a challenge, which must be answered by an empty line before the NO comes.
		"XOAUTH2 refused": {"AUTH=XOAUTH2 SASL-IR", func(s *scripted, tag string) {
			s.send("+ %s\n", b64(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`))
			if got := s.said(); got != "" {
				s.t.Errorf("answered %q", got)
			}
			s.send("%s NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\n", tag)
		}, token, imapx.KindAuth, "Invalid credentials (Failure); status 400, scope wanted: https://mail.google.com/", auth.XOAuth2},
		"OAUTHBEARER refused": {"AUTH=OAUTHBEARER SASL-IR", func(s *scripted, tag string) {
			s.send("+ %s\n", b64(`{"status":"invalid_token"}`))
			if got := s.said(); got != "\x01" {
				s.t.Errorf("answered %q", got)
			}
			s.send("%s NO no\n", tag)
		}, token, imapx.KindAuth, "no; status invalid_token", auth.OAuthBearer},
		"M365 without permission": {"AUTH=PLAIN AUTH=XOAUTH2 SASL-IR", func(s *scripted, tag string) {
			s.send("%s NO AUTHENTICATE failed.\n", tag)
		}, token, imapx.KindAuth, "AUTHENTICATE failed.", auth.XOAuth2},
		"M365 throttles": {"AUTH=XOAUTH2 SASL-IR", func(s *scripted, tag string) {
			s.send("%s BAD User is authenticated but not connected.\n", tag)
		}, token, imapx.KindUnavailable, "not connected", ""},
		// A server that is not ours says OK without the proof that SCRAM owes.
		"unproven": {"AUTH=SCRAM-SHA-256 AUTH=PLAIN SASL-IR", func(s *scripted, tag string) {
			s.send("%s OK in\n", tag)
		}, password, imapx.KindAuth, "without having proven", auth.SCRAMSHA256},
		"no base64": {"AUTH=CRAM-MD5 LOGINDISABLED", func(s *scripted, tag string) {
			s.send("+ !!!\n")
			if got := s.said(); got != "*" {
				s.t.Errorf("it goes on with %q", got)
			}
			s.send("%s BAD given up\n", tag)
		}, password, imapx.KindAuth, "no base64", auth.CRAMMD5},
		"asks for more": {"AUTH=LOGIN LOGINDISABLED", func(s *scripted, tag string) {
			for range 2 {
				s.send("+ %s\n", b64("Tell me"))
				s.said()
			}
			s.send("+ %s\n", b64("Your other password"))
			if got := s.said(); got != "*" {
				s.t.Errorf("it says %q", got)
			}
			s.send("%s BAD given up\n", tag)
		}, password, imapx.KindAuth, "asks for more", auth.LoginSASL},
		"asks for ever": {"AUTH=LOGIN LOGINDISABLED", func(s *scripted, tag string) {
			for range 20 {
				s.send("+ \n")
				s.said()
			}
		}, password, imapx.KindProtocol, "on and on", ""},
		"gone within": {"AUTH=CRAM-MD5 LOGINDISABLED", func(s *scripted, tag string) {
			s.send("+ %s\n", b64("<1@x>"))
			s.said()
			s.send("* BYE s3cret shutting down\n")
		}, password, imapx.KindLost, "[hidden] shutting down", ""},
		// Servers repeat what they refuse, and the base64 of PLAIN is the password to anybody who reads it.
		"repeats the command": {"AUTH=PLAIN SASL-IR LOGINDISABLED", func(s *scripted, tag string) {
			s.send("%s BAD no such command: AUTHENTICATE PLAIN %s\n", tag, b64("\x00u\x00s3cret"))
		}, password, imapx.KindAuth, "AUTHENTICATE PLAIN [hidden]", auth.Plain},
		"repeats an answer": {"AUTH=XOAUTH2", func(s *scripted, tag string) {
			s.send("+ \n")
			s.said()
			s.send("%s NO what is %s?\n", tag, b64("user=u\x01auth=Bearer tok3n\x01\x01"))
		}, token, imapx.KindAuth, "what is [hidden]?", auth.XOAuth2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			e := serve(t, func(s *scripted) {
				asked++
				s.send("* OK [CAPABILITY IMAP4rev1 %s] hi\n", c.caps)
				c.play(s, s.expect("AUTHENTICATE .*"))
			})
			c.set(&e)
			trace := &lockedBuffer{}
			_, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{Trace: trace, DialTimeout: 2 * time.Second})
			var x *imapx.Error
			if !errors.As(err, &x) || x.Kind != c.kind || !strings.Contains(x.Text, c.text) || x.Mechanism != c.mech {
				t.Errorf("%v %+v", err, x)
			}
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			noSecrets(t, trace.String()+fmt.Sprint(err), e)
			for word := range strings.FieldsSeq(trace.String() + fmt.Sprint(err)) {
				if b, _ := base64.StdEncoding.DecodeString(strings.Trim(word, "?.:")); strings.Contains(string(b), "s3cret") || strings.Contains(string(b), "tok3n") {
					t.Errorf("the login is in %q", word)
				}
			}
			if strings.Contains(trace.String(), b64("s3cret")) || strings.Contains(trace.String()+fmt.Sprint(err), "s3cret") {
				t.Errorf("the secret is in\n%s", trace)
			}
		})
	}
}

// What of an answer is quoted is short and fit for a terminal, and never a part of a secret.
func TestQuotedAnswers(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.send("* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR] hi\n")
		tag := s.expect("AUTHENTICATE .*")
		s.send("+ %s\n", base64.StdEncoding.EncodeToString([]byte("\x1b[2J"+strings.Repeat("x", 100_000)+",s=,i=1")))
		s.said()
		s.send("%s BAD given up\n", tag)
	})
	e.Password = auth.NewSecret("hunter2hunter2hunter2")
	_, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{})
	var x *imapx.Error
	if !errors.As(err, &x) || !strings.Contains(x.Text, "SCRAM") || strings.ContainsRune(x.Text, 0x1b) || len(x.Text) > 1000 {
		t.Errorf("%.2000v", err)
	}
	for _, before := range []int{190, 490, 8 << 10} {
		e = serve(t, func(s *scripted) {
			s.send("* OK [CAPABILITY IMAP4rev1] hi\n")
			tag := s.expect("LOGIN .*")
			s.send("*%s%s\n%s OK in\n", strings.Repeat("a", before), "hunter2hunter2hunter2", tag)
			s.rest()
		})
		e.Password = auth.NewSecret("hunter2hunter2hunter2")
		trace, log := &lockedBuffer{}, &lockedBuffer{}
		dialScripted(t, e, imapx.Options{Trace: trace, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if said := trace.String() + log.String(); strings.Contains(said, "hunter2") || !strings.Contains(log.String(), "malformed") {
			t.Errorf("after %d bytes: %s", before, said)
		}
	}
}

// A token may end before its time. One that other logins have had is exchanged for another, once; one that was fetched for
// this login is not.
func TestTokenExchangedOnce(t *testing.T) {
	var seen []string
	e := serve(t, func(s *scripted) {
		s.send("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hi\n")
		line, _ := s.r.ReadString('\n')
		f := strings.Fields(line)
		b, _ := base64.StdEncoding.DecodeString(f[3])
		_, token, _ := strings.Cut(string(b), "Bearer ")
		token = strings.TrimRight(token, "\x01")
		seen = append(seen, token)
		if token == "token 1" && len(seen) > 1 || token == "token 3" {
			s.send("%s NO [AUTHENTICATIONFAILED] over\n", f[0])
			return
		}
		s.send("%s OK [CAPABILITY IMAP4rev1] in\n", f[0])
		s.rest()
	})
	n := 0
	e.Password, e.Token = auth.Secret{}, auth.NewTokens(auth.Secret{}, func(context.Context) (auth.Token, error) {
		n++
		return auth.Token{Value: auth.NewSecret(fmt.Sprint("token ", n)), Expires: time.Now().Add(time.Hour)}, nil
	})
	login := func() error {
		src, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{})
		if err == nil {
			src.Close()
		}
		return err
	}
	for range 2 {
		if err := login(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(seen, ", "); got != "token 1, token 1, token 2" {
		t.Errorf("it was asked with %s", got)
	}
	// A new login's first token is refused: that is the answer.
	n, seen, e.Token = 2, nil, auth.NewTokens(auth.Secret{}, func(context.Context) (auth.Token, error) {
		n++
		return auth.Token{Value: auth.NewSecret(fmt.Sprint("token ", n)), Expires: time.Now().Add(time.Hour)}, nil
	})
	if err := login(); err == nil || len(seen) != 1 {
		t.Errorf("%v, asked with %v", err, seen)
	}
}

// Where no token can be had, no server is asked: for ever or for now, as the token server says.
func TestNoToken(t *testing.T) {
	for _, c := range []struct {
		err   error
		kind  imapx.Kind
		retry imapx.Retry
	}{
		{&auth.TokenError{Text: "invalid_grant", Hint: "log in", Permanent: true}, imapx.KindAuth, imapx.RetryNever},
		{&auth.TokenError{Text: "down", Delay: time.Minute}, imapx.KindUnavailable, imapx.RetryLater},
		{errors.New("odd"), imapx.KindUnavailable, imapx.RetryLater},
	} {
		e := serve(t, func(s *scripted) { s.t.Errorf("the server was asked") })
		e.Token = auth.NewTokens(auth.Secret{}, func(context.Context) (auth.Token, error) { return auth.Token{}, c.err })
		_, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{})
		var x *imapx.Error
		if !errors.As(err, &x) || x.Kind != c.kind || x.Retry != c.retry || !strings.Contains(x.Text, c.err.Error()) {
			t.Errorf("%v: %+v", c.err, x)
		}
	}
}
