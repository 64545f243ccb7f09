package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
)

// handshake is what comes of a client that trusts t and a server. The server's alerts, if any, are the client's error.
func handshake(t *testing.T, trust Trust, server *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		there, err := l.Accept()
		if err != nil {
			return
		}
		defer there.Close()
		_ = there.SetDeadline(time.Now().Add(10 * time.Second))
		s := tls.Server(there, server)
		if s.Handshake() == nil {
			_, _ = s.Write([]byte("x"))
		}
		_, _ = io.Copy(io.Discard, there) // closed with bytes unread, it would be reset, and its alert lost
	}()
	here, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_ = here.SetDeadline(time.Now().Add(10 * time.Second))
	c := tls.Client(here, trust.Config())
	if err = c.Handshake(); err == nil {
		_, err = c.Read(make([]byte, 1)) // TLS 1.3 refuses a client only now
	}
	here.Close()
	<-done
	return err
}

func issued(t *testing.T, ca *imaptest.CA, kind imaptest.CertKind) tls.Certificate {
	t.Helper()
	c, err := ca.Issue(kind)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newCA(t *testing.T) *imaptest.CA {
	t.Helper()
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// obey takes the flag out of a hint and does what it says: whoever follows a hint gets in.
func obey(t *testing.T, trust Trust, hint string) Trust {
	t.Helper()
	if m := regexp.MustCompile(`--source-tls-pin=(\S+)`).FindStringSubmatch(hint); m != nil {
		pin, err := ParsePin(m[1])
		if err != nil {
			t.Fatal(err)
		}
		trust.Pins = []Pin{pin}
		return trust
	}
	if m := regexp.MustCompile(`--source-tls-name (\S+)`).FindStringSubmatch(hint); m != nil {
		trust.Name = m[1]
		return trust
	}
	if m := regexp.MustCompile(`--source-tls-min 1.0`).FindString(hint); m != "" {
		trust.Oldest = tls.VersionTLS10
		return trust
	}
	t.Fatalf("the hint has no way on: %s", hint)
	return trust
}

// Each thing that can be wrong with a certificate has words of its own, shows names, issuer, dates and SHA-256, and a hint
// that works.
func TestEachCertificateHasItsWords(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	good, changed := issued(t, ca, imaptest.CertGood), issued(t, ca, imaptest.CertGood)
	usual := Trust{Name: "localhost", Roots: ca.Pool()}
	pinned := usual
	pinned.Pins = []Pin{PinOf(good.Leaf)}
	remembered := pinned
	remembered.PinnedAs = "mail.old.example:1993"
	page, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]string)
	for name, c := range map[string]struct {
		trust Trust
		cert  tls.Certificate
		text  string
		hint  string
	}{
		"expired":             {usual, issued(t, ca, imaptest.CertExpired), "expired on ", "--source-tls-pin="},
		"other authority":     {usual, issued(t, other, imaptest.CertGood), "an authority that is not trusted: CN=mailmove test CA", "--source-ca FILE"},
		"self-signed":         {usual, issued(t, ca, imaptest.CertSelf), "self-signed", "--source-tls-pin="},
		"other name":          {usual, issued(t, ca, imaptest.CertForeign), "not for localhost but for mail.elsewhere.example", "--source-tls-name mail.elsewhere.example"},
		"changed":             {pinned, changed, "THE CERTIFICATE HAS CHANGED: it is not the one that was pinned (--source-tls-pin)", "--source-tls-pin="},
		"other name, and who": {usual, issued(t, other, imaptest.CertForeign), "not for localhost", "--source-tls-pin="},
	} {
		err := handshake(t, c.trust, &tls.Config{Certificates: []tls.Certificate{c.cert}})
		if err == nil {
			t.Errorf("%s: it is trusted", name)
			continue
		}
		p := c.trust.Explain(err, "source", time.Now())
		leaf := c.cert.Leaf
		for _, part := range []string{c.text, "for " + Names(leaf), "issued by " + leaf.Issuer.String(), leaf.NotAfter.UTC().Format(time.DateOnly), PinOf(leaf).Fingerprint()} {
			if !strings.Contains(p.Text, part) {
				t.Errorf("%s: %q is not in %q", name, part, p.Text)
			}
		}
		var untrusted *UntrustedError
		if !errors.As(p.Err, &untrusted) || !untrusted.Certificate.Equal(leaf) || untrusted.Changed != (name == "changed") || !errors.Is(p.Err, err) {
			t.Errorf("%s: %#v", name, p.Err)
		}
		if !strings.Contains(p.Hint, c.hint) {
			t.Errorf("%s: %q is not in %q", name, c.hint, p.Hint)
			continue
		}
		if err := handshake(t, obey(t, c.trust, p.Hint), &tls.Config{Certificates: []tls.Certificate{c.cert}}); err != nil {
			t.Errorf("%s: the hint does not help: %v", name, err)
		}
		if begin := regexp.MustCompile(`^[^0-9:]*?( localhost|:| on )`).FindString(p.Text); !bytes.Contains(page, []byte("`"+strings.TrimSuffix(strings.TrimSuffix(begin, "localhost"), ":"))) {
			t.Errorf("%s: docs/tls.md does not have %q", name, begin)
		}
		head, _, _ := strings.Cut(p.Text, ";")
		if was := seen[head]; was != "" && name != "other name, and who" && was != "other name, and who" {
			t.Errorf("%s and %s say the same: %s", name, was, head)
		}
		seen[head] = name
	}
	p := remembered.Explain(handshake(t, remembered, &tls.Config{Certificates: []tls.Certificate{changed}}), "target", time.Now())
	if want := "mailmove trust add --server mail.old.example:1993 --replace --pin=" + PinOf(changed.Leaf).String(); !strings.HasSuffix(p.Hint, want) || !strings.Contains(p.Text, "mailmove trust") {
		t.Errorf("%+v", p)
	}
	for _, trust := range []Trust{usual, pinned, remembered} {
		if err := handshake(t, trust, &tls.Config{Certificates: []tls.Certificate{good}}); err != nil {
			t.Errorf("%+v: %v", trust, err)
		}
	}
}

// Certificates of old servers: by SHA-1, with a short key and without any name but the common one. They can be pinned. One
// that is no sound certificate is in nobody's way, and told as what it is.
func TestOldCertificates(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: "localhost"}, SignatureAlgorithm: x509.SHA1WithRSA,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	above := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of 2009"}, IsCA: true, BasicConstraintsValid: true}
	for name, c := range map[string]struct {
		parent *x509.Certificate
		text   string
	}{
		"its own": {tmpl, "not for localhost but for no name but the old common name localhost; for "},
		"above":   {above, "not for localhost but for no name"},
	} {
		der, err := x509.CreateCertificate(rand.Reader, tmpl, c.parent, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		trust, server := Trust{Name: "localhost"}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		p := trust.Explain(handshake(t, trust, server), "source", time.Now())
		if !strings.Contains(p.Text, c.text) {
			t.Errorf("%s: %s", name, p.Text)
		}
		if err := handshake(t, obey(t, trust, p.Hint), server); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		unknown := &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: x509.UnknownAuthorityError{Cert: leaf}}
		want := map[string]string{"its own": "self-signed", "above": "signed by SHA1-RSA, which proves nothing"}[name]
		if p := trust.Explain(unknown, "source", time.Now()); !strings.Contains(p.Text, want) || !strings.Contains(p.Hint, PinOf(leaf).String()) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	err = handshake(t, Trust{Name: "localhost"}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{[]byte("no certificate")}, PrivateKey: key}}})
	if p := (Trust{}).Explain(err, "source", time.Now()); err == nil || !strings.Contains(p.Text, "no sound one") || !strings.Contains(p.Hint, "no flag") {
		t.Errorf("%v %+v", err, p)
	}
}

// A clock that is behind, or a certificate from the future, is not "expired".
func TestNotYetValid(t *testing.T) {
	ca := newCA(t)
	cert := issued(t, ca, imaptest.CertGood)
	trust := Trust{Name: "localhost", Roots: ca.Pool()}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: trust.Roots, CurrentTime: time.Now().AddDate(0, 0, -10)})
	p := trust.Explain(&tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{cert.Leaf}, Err: err}, "target", time.Now().AddDate(0, 0, -10))
	if !strings.Contains(p.Text, "not valid before") || !strings.Contains(p.Hint, "clock") || !strings.Contains(p.Hint, "--target-tls-pin=") {
		t.Errorf("%+v", p)
	}
}

// What a certificate says of itself is not put into a command that somebody copies, and is never long.
func TestHostileCertificate(t *testing.T) {
	leaf := &x509.Certificate{
		Raw: []byte("x"), DNSNames: []string{"x; rm -rf ~", "$(id).example", "-rf", "`id`", strings.Repeat("a", 1<<20), "ok.example"},
		Subject: pkix.Name{CommonName: "\x1b[31m" + strings.Repeat("b", 1<<20)}, Issuer: pkix.Name{CommonName: strings.Repeat("ü", 1<<20)},
	}
	if name := nameFor(leaf, "mail.old.example"); name != "ok.example" {
		t.Errorf("%q", name)
	}
	leaf.DNSNames = leaf.DNSNames[:5]
	if name := nameFor(leaf, "mail.old.example"); name != "" {
		t.Errorf("%q", name)
	}
	if text := Describe(leaf); len(text) > 3000 {
		t.Errorf("%d bytes", len(text))
	}
	leaf.DNSNames = []string{"*.hoster.example"}
	if name := nameFor(leaf, "imap.customer.example"); name != "imap.hoster.example" {
		t.Errorf("of a wildcard: %q", name)
	}
	if name := nameFor(leaf, "192.0.2.1"); name != "mail.hoster.example" {
		t.Errorf("of a wildcard, for an address: %q", name)
	}
}

// A server that wants our certificate is given it, whatever authorities it names; without one its alert says so, in TLS 1.3
// after the handshake.
func TestOwnCertificate(t *testing.T) {
	ca, clients := newCA(t), newCA(t)
	own := issued(t, clients, imaptest.CertGood)
	trust := Trust{Name: "localhost", Roots: ca.Pool()}
	for _, newest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		// No ExtKeyUsage for clients is in it, so the server only asks that there is one.
		server := &tls.Config{Certificates: []tls.Certificate{issued(t, ca, imaptest.CertGood)}, ClientAuth: tls.RequireAnyClientCert, ClientCAs: ca.Pool(), MaxVersion: newest}
		err := handshake(t, trust, server)
		if err == nil {
			t.Fatal("nothing was asked for")
		}
		if p := trust.Explain(err, "source", time.Now()); !strings.Contains(p.Hint, "--source-tls-cert FILE") || newest == tls.VersionTLS13 && !strings.Contains(p.Text, "certificate required") {
			t.Errorf("version %x: %v %+v", newest, err, p)
		}
		with := trust
		with.Own = &own
		if err := handshake(t, with, server); err != nil {
			t.Errorf("version %x: %v", newest, err)
		}
	}
	with := trust
	with.Own = &own
	err := handshake(t, with, &tls.Config{Certificates: []tls.Certificate{issued(t, ca, imaptest.CertGood)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MaxVersion: tls.VersionTLS12})
	if p := with.Explain(err, "source", time.Now()); err == nil || !strings.Contains(p.Hint, "does not take the certificate of --source-tls-cert") {
		t.Errorf("%v %+v", err, p)
	}
}
