package auth

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Problem is what is wrong with a TLS handshake, in words for an admin.
type Problem struct {
	Text string
	Hint string
	Err  error // an *UntrustedError where it is the certificate, else what Explain was given
}

// Explain words a failed handshake. side is "source" or "target", for the flags it names; now is the clock the
// certificate was checked with. What a certificate says of itself is shortened, and comes from outside all the same.
func (t Trust) Explain(err error, side string, now time.Time) Problem {
	flag := func(part string) string { return "--" + strings.TrimPrefix(side+part, "-") } // one endpoint alone has no side
	var (
		changed    *ChangedError
		unverified *tls.CertificateVerificationError
		record     tls.RecordHeaderError
		alert      *net.OpError // crypto/tls wraps the server's alert in one
	)
	switch {
	case errors.As(err, &changed):
		p := t.changed(changed, flag, now)
		p.Err = &UntrustedError{Certificate: changed.Got, Changed: true, Err: err}
		return p
	case errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		p := t.untrusted(unverified, flag, now)
		p.Err = &UntrustedError{Certificate: unverified.UnverifiedCertificates[0], Err: err}
		return p
	case errors.As(err, &record):
		return firstBytes(record, flag, err)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return Problem{"the server refused the TLS handshake: " + alert.Err.Error(), t.afterAlert(alert.Err.Error(), flag), err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		// A Dovecot that shares no version with us goes without a word; so does a server that is busy.
		return Problem{"the server closed the connection in the middle of the TLS handshake", "it may be busy; " + t.olderHint(flag), err}
	case strings.Contains(err.Error(), "failed to parse certificate"):
		return Problem{"the server's certificate is no sound one: " + short(err.Error()), "it has to be replaced, no flag lets it in (docs/tls.md)", err}
	case strings.Contains(err.Error(), "unsupported protocol version"):
		return Problem{"the server speaks only TLS versions that are no longer safe", t.olderHint(flag), err}
	}
	return Problem{Text: err.Error(), Err: err}
}

// untrusted words a certificate that the authorities do not vouch for. There is a way on for each: the pin says that it is
// this one, whatever else is wrong with it.
func (t Trust) untrusted(e *tls.CertificateVerificationError, flag func(string) string, now time.Time) Problem {
	var (
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		chain     = e.UnverifiedCertificates
		leaf      = chain[0]
		what      = "; " + Describe(leaf)
		pin       = "add " + flag("-tls-pin=") + PinOf(leaf).String()
		compare   = "compare the SHA-256 with the server's own; where it is the same, " + pin
	)
	switch {
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return Problem{Text: "the certificate is not valid before " + day(invalid.Cert.NotBefore) + of(invalid.Cert, leaf) + what,
			Hint: "check this machine's clock, or have the server's certificate replaced; to go on all the same, " + compare}
	case errors.As(e, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return Problem{Text: "the certificate expired on " + day(invalid.Cert.NotAfter) + of(invalid.Cert, leaf) + what,
			Hint: "have it renewed; to go on all the same, " + compare}
	case errors.As(e, &hostname):
		text := "the certificate is not for " + t.Name + " but for " + names(leaf) + what
		if name := nameFor(leaf, t.Name); name != "" && t.holds(chain, now) {
			return Problem{Text: text, Hint: "if that is the right server, add " + flag("-tls-name ") + name}
		}
		return Problem{Text: text, Hint: compare}
	case selfSigned(leaf):
		return Problem{Text: "the certificate is self-signed: nobody vouches for it but the server itself" + what, Hint: compare}
	case errors.As(e, &authority) && weak(chain) != "":
		return Problem{Text: "the certificate is signed by " + weak(chain) + ", which proves nothing any more, so no authority vouches for it" + what, Hint: compare}
	case errors.As(e, &authority):
		issuer := "an unknown authority"
		if text := short(chain[len(chain)-1].Issuer.String()); text != "" {
			issuer = text
		}
		return Problem{Text: "the certificate is signed by an authority that is not trusted: " + issuer + what,
			Hint: "if it is your own authority, give its certificate with " + flag("-ca FILE") + "; else " + compare}
	}
	return Problem{Text: "the certificate is not trusted: " + short(e.Err.Error()) + what, Hint: compare}
}

// changed words the one case that may be an attack and never looks like anything else.
func (t Trust) changed(e *ChangedError, flag func(string) string, now time.Time) Problem {
	where, next := flag("-tls-pin"), "give the new one: "+flag("-tls-pin=")+PinOf(e.Got).String()
	if t.PinnedAs != "" {
		where = "mailmove trust"
		next = "mailmove trust add --server " + t.PinnedAs + " --replace --pin=" + PinOf(e.Got).String()
	}
	return Problem{
		Text: "THE CERTIFICATE HAS CHANGED: it is not the one that was pinned (" + where + "), and somebody may be between this machine and the server; it is now one " +
			Describe(e.Got) + "; pinned: " + e.Want[0].Fingerprint() + more(len(e.Want)-1),
		Hint: "no password was sent. Ask who runs the server whether the certificate was replaced, and compare the SHA-256; only if it is the same, " + next,
	}
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// of says that it is not the server's own certificate that is meant.
func of(c, leaf *x509.Certificate) string {
	if c.Equal(leaf) {
		return ""
	}
	return " (that of the authority " + short(c.Subject.String()) + ")"
}

// alertHint is what to do after an alert (RFC 8446 section 6.2), by the words crypto/tls has for it.
type alertHint struct {
	words string
	hint  func(t Trust, flag func(string) string) string
}

func alertHints() []alertHint {
	own := func(t Trust, flag func(string) string) string {
		if t.Own == nil {
			return "the server wants a certificate of yours: give it with " + flag("-tls-cert FILE") + " and " + flag("-tls-key FILE")
		}
		return "the server does not take the certificate of " + flag("-tls-cert") + ": ask which authority it wants"
	}
	older := Trust.olderHint
	return []alertHint{
		{"protocol version", older},
		{"handshake failure", func(t Trust, flag func(string) string) string { // so OpenSSL asks for a certificate, too
			if t.Own != nil || t.old() {
				return older(t, flag)
			}
			return older(t, flag) + "; where it wants a certificate of yours: " + flag("-tls-cert FILE")
		}},
		{"insufficient security", older},
		{"certificate required", own},
		{"bad certificate", own},
		{"unknown certificate authority", own},
		{"unsupported certificate", own},
		{"expired certificate", own},
		{"unrecognized name", func(_ Trust, flag func(string) string) string {
			return "the server has no certificate for that name: give the one it has with " + flag("-tls-name")
		}},
	}
}

func (t Trust) afterAlert(words string, flag func(string) string) string {
	for _, a := range alertHints() {
		if strings.Contains(words, a.words) {
			return a.hint(t, flag)
		}
	}
	return "the server may speak only TLS versions that are no longer safe, or expect another name"
}

func (t Trust) olderHint(flag func(string) string) string {
	if t.old() {
		return "it wants versions or ciphers that are spoken no more (docs/tls.md), or a certificate of yours (" + flag("-tls-cert") + ")"
	}
	return "where it is an old server, and a way that is weakly protected is better than none: " + flag("-tls-min 1.0") + " (docs/tls.md)"
}

// Describe says in one line what a certificate says of itself, and its SHA-256.
func Describe(c *x509.Certificate) string {
	issuer := short(c.Issuer.String())
	if issuer == "" {
		issuer = "nobody"
	}
	return fmt.Sprintf("for %s, issued by %s, valid from %s to %s, SHA-256 %s", Names(c), issuer,
		c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), PinOf(c).Fingerprint())
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// Names are the names that a certificate is for, as many as are worth a look. They come from outside.
func Names(c *x509.Certificate) string { return names(c) }

const (
	mostNames = 5
	longest   = 200 // bytes of a text out of a certificate; it may have a megabyte
)

func names(c *x509.Certificate) string {
	var all []string
	for _, name := range c.DNSNames {
		all = append(all, short(name))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 && c.Subject.CommonName != "" {
		return "no name but the old common name " + short(c.Subject.CommonName)
	}
	if len(all) == 0 {
		return "no name at all"
	}
	if n := len(all); n > mostNames {
		all = append(all[:mostNames], fmt.Sprintf("%d more", n-mostNames))
	}
	return strings.Join(all, ", ")
}

func short(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// nameFor finds a name to ask the certificate for, empty where it has none that is safe to put into a command. A wildcard is
// asked for with the host's own first label.
func nameFor(c *x509.Certificate, host string) string {
	first, _, _ := strings.Cut(host, ".")
	if !plainName(first) || net.ParseIP(host) != nil {
		first = "mail"
	}
	for _, name := range c.DNSNames {
		if rest, is := strings.CutPrefix(name, "*."); is {
			name = first + "." + rest
		}
		if plainName(name) && c.VerifyHostname(name) == nil {
			return name
		}
	}
	for _, ip := range c.IPAddresses {
		return ip.String()
	}
	return ""
}

// plainName: nothing that a shell or a terminal takes for something else.
func plainName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}

// selfSigned: its issuer is itself, and its own key made the signature.
func selfSigned(c *x509.Certificate) bool {
	var unchecked x509.InsecureAlgorithmError // by MD5
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	return bytes.Equal(c.RawIssuer, c.RawSubject) && (err == nil || errors.As(err, &unchecked))
}

// weak finds a certificate below the root that is signed in a way that proves nothing any more. crypto/x509 only says that it
// knows no authority.
func weak(chain []*x509.Certificate) (method string) {
	old := []x509.SignatureAlgorithm{x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1}
	for _, c := range chain {
		if slices.Contains(old, c.SignatureAlgorithm) && !bytes.Equal(c.RawIssuer, c.RawSubject) {
			return c.SignatureAlgorithm.String()
		}
	}
	return ""
}

// firstBytes tells a mail server's greeting from other noise, and what is no mail server.
func firstBytes(e tls.RecordHeaderError, flag func(string) string, err error) Problem {
	p := Problem{"the server does not speak TLS on this port",
		"use " + flag("-tls") + " starttls (port 143), or the port for implicit TLS (993)", err}
	switch first := string(e.RecordHeader[:]); {
	case strings.HasPrefix(first, "* "):
		p.Text += ": it greeted in clear text"
	case OtherProtocol(first) != "":
		p.Text += ": it greeted with " + OtherProtocol(first) + ", not IMAP"
		p.Hint = OtherPort
	}
	return p
}

// OtherPort says what to do where a port is not for IMAP at all.
const OtherPort = "check the port: IMAP has 993 (implicit TLS) and 143 (STARTTLS)"

// OtherProtocol names the protocol whose server begins like this, "" where that is none that is known: SMTP (RFC 5321 4.2:
// 220), POP3 (RFC 1939 3: +OK), SSH (RFC 4253 4.2), HTTP. Five bytes are enough.
func OtherProtocol(first string) string {
	for prefix, name := range map[string]string{"220 ": "SMTP", "220-": "SMTP", "+OK": "POP3", "-ERR": "POP3", "SSH-": "SSH", "HTTP/": "HTTP"} {
		if strings.HasPrefix(first, prefix) {
			return name
		}
	}
	return ""
}
