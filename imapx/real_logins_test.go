package imapx_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/xdg-go/scram"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

var updateLogins = flag.Bool("update-logins", false, "write the tables of docs/logins.md anew")

const (
	loginsDocument = "../docs/logins.md"
	storedPassword = "Käse, süß" // with umlauts, of users whose password the server keeps in a form of its own
	storedNFD      = "Ka\u0308se, su\u0308ß"
)

// loginServer is a column of the tables.
type loginServer struct {
	name    string
	addr    string
	tls     func(*imapx.Endpoint)               // nil: clear text
	user    func(m auth.Mechanism) string       // whose password the server can check by this mechanism
	fill    func(*imapx.Endpoint, string) error // the credential of a user, for the mechanism in the endpoint
	admins  []string                            // who may open u1 by authorization identity
	masters bool                                // "u1*master" is a login
}

// naming is how the mailbox is named.
type naming struct {
	title  string
	logins func(s loginServer, m auth.Mechanism) []login // all have to end alike; none: this server has no such thing
}

// login is who logs in, and as whom.
type login struct{ user, authzID string }

func namings() []naming {
	return []naming{
		{"as oneself", func(s loginServer, m auth.Mechanism) []login { return []login{{user: s.user(m)}} }},
		{"`user*master`", func(s loginServer, m auth.Mechanism) []login {
			if !s.masters || byToken(m) || m == auth.External {
				return nil
			}
			return []login{{user: "u1*" + real.MasterUser}}
		}},
		{"`--source-authzid`", func(s loginServer, m auth.Mechanism) (all []login) {
			for _, admin := range s.admins {
				if !byToken(m) {
					all = append(all, login{admin, "u1"})
				}
			}
			return all
		}},
	}
}

func byToken(m auth.Mechanism) bool { return m == auth.OAuthBearer || m == auth.XOAuth2 }

// TestE2ELogins logs in to each real server with each mechanism, as oneself and as another, and holds what came against
// the tables of docs/logins.md; -update-logins writes them. Where a login worked, a wrong credential must be refused with
// the mechanism's name, the mailbox must be the right one, and no secret may be in the trace.
func TestE2ELogins(t *testing.T) {
	tokens, err := imaptest.NewTokenServer(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	servers := []loginServer{dovecotLogins(t, tokens), cyrusLogins(t), courierLogins(t)}
	var b strings.Builder
	for _, w := range namings() {
		fmt.Fprintf(&b, "\n%s:\n\n| mechanism |", w.title)
		for _, s := range servers {
			b.WriteString(" " + s.name + " |")
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(servers)) + "\n")
		for _, word := range auth.Mechanisms() {
			m, err := auth.ParseMechanism(word)
			if err != nil {
				t.Fatal(err)
			}
			cells := ""
			for _, s := range servers {
				cell := "-"
				t.Run(strings.Join([]string{s.name, word, w.title}, "/"), func(t *testing.T) { cell = s.cell(t, w, m) })
				cells += " " + cell + " |"
			}
			fmt.Fprintf(&b, "| `%s` |%s\n", word, cells)
		}
	}
	holdTables(t, b.String())
}

// holdTables compares with the part of the page that is made here.
func holdTables(t *testing.T, want string) {
	t.Helper()
	const begin, end = "<!-- made by -update-logins -->\n", "\n<!-- until here -->"
	text, err := os.ReadFile(loginsDocument)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	have, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the tables", loginsDocument)
	}
	if *updateLogins {
		if err := os.WriteFile(loginsDocument, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		have = want
	}
	if have != want {
		t.Errorf("%s does not say what happened; run go test ./imapx -run E2ELogins -update-logins; it was:\n%s", loginsDocument, want)
	}
}

// cell is what a naming's logins come to: yes, not offered, or refused.
func (s loginServer) cell(t *testing.T, w naming, m auth.Mechanism) string {
	cell := "-"
	for i, l := range w.logins(s, m) {
		came := s.login(t, l, m)
		if i > 0 && came != cell {
			t.Errorf("%s: %s, the one before: %s", l.user, came, cell)
		}
		cell = came
	}
	return cell
}

func (s loginServer) login(t *testing.T, l login, m auth.Mechanism) string {
	t.Helper()
	e := endpoint(t, s.addr, l.user)
	e.Auth, e.AuthzID = m, l.authzID
	if s.tls != nil {
		s.tls(&e)
	}
	if err := s.fill(&e, e.User); err != nil {
		t.Fatal(err)
	}
	trace := &lockedBuffer{}
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Trace: trace})
	noSecrets(t, trace.String(), e)
	var x *imapx.Error
	switch {
	case err == nil:
		defer src.Close()
		s.rightMailbox(t, src, e)
		s.wrongCredential(t, e)
		return "yes"
	case errors.Is(err, auth.ErrNotOffered):
		return "not offered"
	case errors.Is(err, auth.ErrNoCertificate): // it counts within TLS only
		return "-"
	case errors.Is(err, auth.ErrNoAuthzID):
		return "carries none"
	case errors.As(err, &x) && x.Kind == imapx.KindAuth && x.Mechanism == m:
		t.Logf("refused: %v", err)
		return "refused"
	}
	t.Errorf("%v", err)
	return "?"
}

// rightMailbox finds the folder that only the mailbox has which was meant.
func (s loginServer) rightMailbox(t *testing.T, src *imapx.Source, e imapx.Endpoint) {
	t.Helper()
	owner, _, _ := strings.Cut(e.User, "*")
	if e.AuthzID != "" {
		owner = e.AuthzID
	}
	list, err := src.List(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Folders {
		if strings.HasSuffix(f.Name, "of-"+owner) {
			return
		}
	}
	t.Errorf("that is not the mailbox of %s: %+v", owner, list.Folders)
}

// wrongCredential is refused at once, with the mechanism named; so is the right one of who may not open others' mailboxes.
func (s loginServer) wrongCredential(t *testing.T, e imapx.Endpoint) {
	t.Helper()
	if e.AuthzID != "" && e.Auth == auth.Plain {
		other := e
		other.User, other.Password = "u2", auth.NewSecret(real.Password)
		s.refused(t, other)
	}
	switch {
	case e.Token != nil:
		e.Token = fixedToken("wrong")
	case e.Auth == auth.External: // of one who may not open this mailbox
		if err := s.fill(&e, "u2"); err != nil {
			t.Fatal(err)
		}
	default:
		e.Password = auth.NewSecret("wrong")
	}
	s.refused(t, e)
}

func (s loginServer) refused(t *testing.T, e imapx.Endpoint) {
	t.Helper()
	trace := &lockedBuffer{}
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Trace: trace})
	if err == nil {
		src.Close()
		t.Fatal("a wrong credential is taken")
	}
	var x *imapx.Error
	if !errors.As(err, &x) || x.Kind != imapx.KindAuth || x.Mechanism != e.Auth || x.Retry != imapx.RetryNever || x.Hint == "" {
		t.Fatalf("a wrong credential: %v", err)
	}
	if told := strings.Contains(x.Hint, "must let "+e.User+" open other people's mailboxes"); told != (e.AuthzID != "") {
		t.Errorf("the hint for %q: %s", e.AuthzID, x.Hint)
	}
	if n := strings.Count(trace.String(), "AUTHENTICATE ") + strings.Count(trace.String(), " LOGIN "); n != 1 {
		t.Errorf("%d logins were sent:\n%s", n, trace)
	}
	noSecrets(t, trace.String()+err.Error(), e)
}

// noSecrets looks for a credential as it is, and in base64.
func noSecrets(t *testing.T, text string, e imapx.Endpoint) {
	t.Helper()
	secrets := []string{e.Password.Reveal()}
	if e.Token != nil {
		token, _, err := e.Token.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, token.Value.Reveal())
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if len(secret) > 4 && strings.Contains(text, form) { // "pass" is in other words too
				t.Errorf("a secret is in %q", text)
			}
		}
	}
	for line := range strings.Lines(text) {
		if _, said, ok := strings.Cut(line, "S: + "); ok && strings.TrimSpace(said) != "[challenge]" {
			t.Errorf("a challenge is shown: %q", line)
		}
	}
}

func fixedToken(value string) *auth.Tokens {
	return auth.NewTokens(auth.Secret{}, func(context.Context) (auth.Token, error) {
		return auth.Token{Value: auth.NewSecret(value)}, nil
	})
}

// dovecotLogins: u1 has a password that is kept as it is, so that every mechanism can check it; for SCRAM there are users
// of whom the server has nothing else.
func dovecotLogins(t *testing.T, tokens *imaptest.TokenServer) loginServer {
	t.Helper()
	d := real.Dovecot(t, real.Options{Logins: real.Logins{
		Mechanisms: "cram-md5 scram-sha-1 scram-sha-256 external xoauth2 oauthbearer", Introspect: tokens.URL() + "/introspect",
		Passwords: map[string]string{"u-scram-1": storedSCRAM(t, scram.SHA1, "SCRAM-SHA-1"), "u-scram-256": storedSCRAM(t, scram.SHA256, "SCRAM-SHA-256")},
	}})
	for _, user := range []string{"u1", "u-scram-1", "u-scram-256"} {
		markMailbox(t, d.Addr(), user+"*"+real.MasterUser, real.MasterPassword, "of-"+user)
	}
	secure := func(e *imapx.Endpoint) { e.TLS, e.Roots = imapx.TLSImplicit, d.CertPool() }
	return loginServer{name: "Dovecot 2.3", addr: d.TLSAddr(), tls: secure, masters: true, admins: []string{real.MasterUser},
		user: func(m auth.Mechanism) string {
			switch m {
			case auth.SCRAMSHA1:
				return "u-scram-1"
			case auth.SCRAMSHA256:
				return "u-scram-256"
			}
			return "u1"
		},
		fill: func(e *imapx.Endpoint, user string) error {
			switch {
			case byToken(e.Auth):
				e.Token, e.Password = fixedToken(tokens.Issue(user)), auth.Secret{}
			case e.Auth == auth.External:
				return byCertificate(e, user, d.ClientCertificate)
			case strings.HasSuffix(user, real.MasterUser):
				e.Password = auth.NewSecret(real.MasterPassword)
			case e.Auth == auth.SCRAMSHA1:
				e.Password = auth.NewSecret(storedPassword)
			case e.Auth == auth.SCRAMSHA256:
				e.Password = auth.NewSecret(storedNFD)
			}
			return nil
		}}
}

func byCertificate(e *imapx.Endpoint, user string, issue func(string) (tls.Certificate, error)) error {
	cert, err := issue(user)
	e.ClientCert, e.Password = &cert, auth.Secret{}
	return err
}

// storedSCRAM is what "doveadm pw -s SCHEME" would print.
func storedSCRAM(t *testing.T, hash scram.HashGeneratorFcn, scheme string) string {
	t.Helper()
	c, err := hash.NewClient("", storedPassword, "")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "0123456789abcdef", Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("{%s}%d,%s,%s,%s", scheme, kept.Iters, b64([]byte(kept.Salt)), b64(kept.StoredKey), b64(kept.ServerKey))
}

// courierLogins are those of a server in clear text, which knows passwords only.
func courierLogins(t *testing.T) loginServer {
	t.Helper()
	c := real.Courier(t)
	markMailbox(t, c.Addr(), "u1", real.Password, c.Prefix()+"of-u1")
	return loginServer{name: "Courier 5.0", addr: c.Addr(),
		user: func(auth.Mechanism) string { return "u1" },
		fill: func(e *imapx.Endpoint, user string) error {
			if byToken(e.Auth) || e.Auth == auth.External {
				e.Token, e.Password = fixedToken("token of "+user), auth.Secret{}
			}
			return nil
		}}
}

// markMailbox makes a folder by which a mailbox is known.
func markMailbox(t *testing.T, addr, login, password, folder string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(nc, nil)
	defer c.Close()
	if err := errors.Join(c.Login(login, password).Wait(), c.Create(folder, nil).Wait()); err != nil {
		t.Fatal(err)
	}
}
