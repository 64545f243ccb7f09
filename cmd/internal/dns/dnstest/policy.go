package dnstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Policy is a web server that has one MTA-STS policy.
type Policy struct {
	Port   uint16
	PEM    []byte // its certificate, which is its own authority
	server *http.Server
	ended  chan struct{}
}

// StartPolicy starts one at an address, for the host that its certificate names. Whatever else is asked for is not found;
// a text "" leads elsewhere.
func StartPolicy(ip, host, text string) (*Policy, error) {
	cert, err := selfSigned(host)
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(ip, "0"), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/mta-sts.txt", func(w http.ResponseWriter, r *http.Request) {
		if text == "" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(text)) // who asked may be gone
	})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // who does not trust it says so itself
	p := &Policy{
		Port: netip.MustParseAddrPort(l.Addr().String()).Port(), PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}, ended: make(chan struct{}),
	}
	go func() {
		defer close(p.ended)
		_ = p.server.Serve(l) // it ends by Close
	}()
	return p, nil
}

// Close stops it.
func (p *Policy) Close() {
	_ = p.server.Close() // a listener that is closed already
	<-p.ended
}

func selfSigned(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
