package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// rsaServer is a certificate with an RSA key, which the old key exchange needs.
func rsaServer(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// A server that has only an old version, or a new one with old ciphers only, is refused with the flag that lets it in, and
// reached with it: with each cipher that docs/tls.md names, and no other.
func TestOldServers(t *testing.T) {
	cert := rsaServer(t)
	usual := Trust{Name: "localhost", Pins: []Pin{PinOf(cert.Leaf)}}
	text, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	old := func(version, suite uint16) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite}}
	}
	spoken := 0
	for _, id := range everyCipher() {
		name := tls.CipherSuiteName(id)
		if strings.Contains(name, "ECDSA") {
			continue // another key; the documents name them with their RSA sisters
		}
		versions := []uint16{tls.VersionTLS12}
		if onlyNew := strings.Contains(name, "GCM") || strings.Contains(name, "SHA256"); !onlyNew {
			versions = []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12}
		}
		spoken++
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/tls.md does not name %s", name)
		}
		for _, version := range versions {
			server := old(version, id)
			err := handshake(t, usual, server)
			if err == nil {
				if version < tls.VersionTLS12 {
					t.Errorf("%s of %x is spoken without a flag", name, version)
				}
				continue
			}
			p := usual.Explain(err, "source", time.Now())
			if err := handshake(t, obey(t, usual, p.Hint), server); err != nil {
				t.Errorf("%s of %x: %v, and then %v", name, version, p.Text, err)
			}
		}
	}
	if spoken < 10 {
		t.Errorf("%d ciphers were tried", spoken)
	}
	within := usual
	within.Oldest = tls.VersionTLS11
	if err := handshake(t, within, old(tls.VersionTLS10, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA)); err == nil {
		t.Error("TLS 1.0 is spoken with 1.1 as the oldest")
	}
	strict := usual
	strict.Oldest = tls.VersionTLS13
	if err := handshake(t, strict, old(tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)); err == nil {
		t.Error("TLS 1.2 is spoken with 1.3 as the oldest")
	}
}

// The ways in which old servers say no to a new client: an alert, or an answer in their own version.
func TestWordsForOldServers(t *testing.T) {
	trust := Trust{Name: "localhost"}
	for name, c := range map[string]struct {
		say  []byte
		text string
		hint string
	}{
		"alert":     {[]byte{21, 3, 1, 0, 2, 2, 70}, "protocol version", "--source-tls-min 1.0"},
		"handshake": {[]byte{21, 3, 1, 0, 2, 2, 40}, "handshake failure", "--source-tls-min 1.0"},
		"name":      {[]byte{21, 3, 1, 0, 2, 2, 112}, "unrecognized name", "--source-tls-name"},
		"another":   {[]byte{21, 3, 1, 0, 2, 2, 80}, "internal error", "no longer safe"},
		"hello":     {append([]byte{22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1}, append(make([]byte, 33), 0, 47, 0)...), "TLS versions that are no longer safe", "--source-tls-min 1.0"},
		"noise":     {[]byte("* OK hello\r\n"), "greeted in clear text", "--source-tls starttls"},
	} {
		here, there := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, there) }()
		go func() { _, _ = there.Write(c.say) }()
		_ = here.SetDeadline(time.Now().Add(10 * time.Second))
		err := tls.Client(here, trust.Config()).Handshake()
		here.Close()
		if err == nil {
			t.Fatalf("%s: a handshake", name)
		}
		if p := trust.Explain(err, "source", time.Now()); !strings.Contains(p.Text, c.text) || !strings.Contains(p.Hint, c.hint) {
			t.Errorf("%s: %v: %+v", name, err, p)
		}
	}
}
