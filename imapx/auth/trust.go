package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TLSConfig verifies the certificate against name and roots (nil: the system's). TLS 1.2 is the oldest version
// spoken (RFC 8996).
func TLSConfig(name string, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// Problem is what is wrong with a TLS handshake, in words for an admin.
type Problem struct {
	Text string
	Hint string
}

// Explain words a failed handshake. side is "source" or "target", for the flags it names; now is the clock the
// certificate was checked with.
func Explain(err error, side, name string, now time.Time) Problem {
	var (
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		c := invalid.Cert
		if now.Before(c.NotBefore) {
			return Problem{"the certificate is not valid before " + day(c.NotBefore),
				"check this machine's clock, or have the server's certificate replaced"}
		}
		return Problem{fmt.Sprintf("the certificate expired on %s (valid from %s)", day(c.NotAfter), day(c.NotBefore)),
			fmt.Sprintf("have it renewed, or name a server with a valid one; a certificate given with --%s-ca FILE must be valid too", side)}
	case errors.As(err, &hostname) && hostname.Certificate != nil:
		return Problem{fmt.Sprintf("the certificate is not for %s but for %s", name, names(hostname.Certificate)),
			fmt.Sprintf("if that is the right server, give its name with --%s-tls-name", side)}
	case errors.As(err, &authority):
		issuer := "an unknown authority"
		if authority.Cert != nil && authority.Cert.Issuer.String() != "" {
			issuer = authority.Cert.Issuer.String()
		}
		return Problem{"the certificate is signed by an authority that is not trusted: " + issuer,
			fmt.Sprintf("if it is your own, give its certificate with --%s-ca FILE", side)}
	case errors.As(err, &record):
		return Problem{"the server does not speak TLS on this port" + firstBytes(record),
			fmt.Sprintf("use --%s-tls starttls (port 143), or the port for implicit TLS (993)", side)}
	case errors.As(err, &alert):
		return Problem{"the server refused the TLS handshake: " + alert.Error(),
			"the server may speak only TLS versions that are no longer safe, or expect another name"}
	}
	return Problem{Text: err.Error()}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	if len(all) > 5 {
		all = append(all[:5], fmt.Sprintf("%d more", len(all)-5))
	}
	return strings.Join(all, ", ")
}

// firstBytes tells a mail server's greeting from other noise.
func firstBytes(e tls.RecordHeaderError) string {
	if e.RecordHeader[0] == '*' && e.RecordHeader[1] == ' ' {
		return ": it greeted in clear text"
	}
	return ""
}
