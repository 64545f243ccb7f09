package auth

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// Trust says which certificate a server must show, and what is spoken with it.
type Trust struct {
	Name     string           // that the certificate must have
	Roots    *x509.CertPool   // nil: the system's
	Pins     []Pin            // where there are any, the certificate is one of them, and nothing else is asked of it
	PinnedAs string           // under which name of a server the pins are remembered; empty: they were given
	Oldest   uint16           // TLS version; 0: TLS 1.2, for anything older is not safe (RFC 8996)
	Own      *tls.Certificate // what we show to a server that asks; nil: nothing
}

// Config is for one connection. Sessions are not resumed, so each handshake is judged.
func (t Trust) Config() *tls.Config {
	c := &tls.Config{ServerName: t.Name, RootCAs: t.Roots, MinVersion: tls.VersionTLS12}
	if t.Oldest != 0 {
		c.MinVersion = t.Oldest
	}
	if t.old() {
		c.CipherSuites = everyCipher()
		// The hybrid key exchange makes a first message of two packets, which such servers were never tried with.
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
	if own := t.Own; own != nil {
		// Whatever authorities the server names: it says no itself, which is better than a login that fails without a reason.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	if len(t.Pins) > 0 {
		c.InsecureSkipVerify = true // VerifyConnection asks for more: this very certificate
		c.VerifyConnection = t.pinned
	}
	return c
}

// old: versions are wanted that are not safe any more, and with them the ciphers of their time.
func (t Trust) old() bool { return t.Oldest != 0 && t.Oldest < tls.VersionTLS12 }

// everyCipher is what Go still speaks below TLS 1.3, with RC4, 3DES, CBC with SHA-256, and RSA key exchange.
func everyCipher() (ids []uint16) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (t Trust) pinned(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0] // a TLS server always has one (RFC 8446 section 4.4.2)
	if !slices.Contains(t.Pins, PinOf(leaf)) {
		return &ChangedError{Want: t.Pins, Got: leaf}
	}
	return nil
}

// holds tells whether a chain is trusted at a time, under any name.
func (t Trust) holds(chain []*x509.Certificate, now time.Time) bool {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: between, CurrentTime: now})
	return err == nil
}
