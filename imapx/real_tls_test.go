package imapx_test

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// opens logs in and lists, or ends the test.
func opens(t *testing.T, e imapx.Endpoint) *imapx.Source {
	t.Helper()
	src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Trace: traceTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	if _, err := src.List(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	return src
}

// refuses wants an error of TLS that is not tried again, before any password is sent.
func refuses(t *testing.T, e imapx.Endpoint) *imapx.Error {
	t.Helper()
	trace := &lockedBuffer{}
	_, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Trace: trace})
	var x *imapx.Error
	if cut := "in the middle of the TLS handshake"; !errors.As(err, &x) || x.Kind != imapx.KindTLS ||
		x.Retry != imapx.RetryNever && !strings.Contains(x.Text, cut) { // which may as well be a server that is busy
		t.Fatalf("%+v", err)
	}
	if s := trace.String(); strings.Contains(s, "LOGIN \"") || strings.Contains(s, "AUTHENTICATE") {
		t.Errorf("it logged in: %s", s)
	}
	return x
}

// Whatever is wrong with a certificate, its pin lets it in, with TLS from the start and by STARTTLS; another certificate of
// the same server is refused.
func TestPinsOnRealServers(t *testing.T) {
	other, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]imaptest.CertKind{
		"good": imaptest.CertGood, "expired": imaptest.CertExpired, "foreign": imaptest.CertForeign, "self-signed": imaptest.CertSelf,
	} {
		server := real.Dovecot(t, real.Options{Certificate: kind})
		for mode, addr := range map[imapx.TLSMode]string{imapx.TLSImplicit: server.TLSAddr(), imapx.TLSStartTLS: server.Addr()} {
			t.Run(name, func(t *testing.T) {
				e := endpoint(t, addr, "u1")
				e.TLS, e.Roots = mode, other.Pool()
				var untrusted *auth.UntrustedError
				if x := refuses(t, e); !errors.As(x, &untrusted) || untrusted.Changed {
					t.Fatalf("%#v", x)
				}
				pin := auth.PinOf(untrusted.Certificate)
				e.Pins = []auth.Pin{{1}, pin}
				src := opens(t, e)
				if !src.CertificatePinned() || !src.CertificateEnds().IsZero() {
					t.Errorf("pinned %v until %v", src.CertificatePinned(), src.CertificateEnds())
				}
				e.Pins[1][31]++
				e.PinnedAs = "the.server"
				x := refuses(t, e)
				if !errors.As(x, &untrusted) || !untrusted.Changed || !strings.Contains(x.Text, "HAS CHANGED") || !strings.HasSuffix(x.Hint, "--server the.server --replace --pin="+pin.String()) {
					t.Errorf("%v, %s", x, x.Hint)
				}
			})
		}
	}
}

// A Dovecot that has nothing newer than TLS 1.0 is refused with the flag that lets it in.
func TestServerWithTLS10Only(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "openssl.cnf")
	text := "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n[old]\n" +
		"MinProtocol = TLSv1\nMaxProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	server := real.Dovecot(t, real.Options{Extra: "import_environment = LD_LIBRARY_PATH TZ OPENSSL_CONF=" + conf +
		"\nssl_min_protocol = TLSv1\nssl_cipher_list = ALL:@SECLEVEL=0"})
	for mode, addr := range map[imapx.TLSMode]string{imapx.TLSImplicit: server.TLSAddr(), imapx.TLSStartTLS: server.Addr()} {
		e := endpoint(t, addr, "u1")
		e.TLS, e.Roots = mode, server.CertPool()
		if x := refuses(t, e); !strings.Contains(x.Hint, "--source-tls-min 1.0") {
			t.Errorf("%v, %s", x, x.Hint)
		}
		e.OldestTLS = tls.VersionTLS11
		refuses(t, e)
		e.OldestTLS = tls.VersionTLS10
		opens(t, e)
	}
}

// A Dovecot that wants a certificate of the client's says so, and takes the one that is given.
func TestServerWantsOurCertificate(t *testing.T) {
	clients, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(file, clients.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	server := real.Dovecot(t, real.Options{Extra: "ssl_ca = <" + file + "\nssl_verify_client_cert = yes\nssl_require_crl = no\nauth_ssl_require_client_cert = yes"})
	e := endpoint(t, server.TLSAddr(), "u1")
	e.TLS, e.Roots = imapx.TLSImplicit, server.CertPool()
	if _, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{}); err == nil {
		t.Fatal("nothing was asked for")
	} else {
		t.Log(err)
	}
	own, err := clients.Issue(imaptest.CertClient)
	if err != nil {
		t.Fatal(err)
	}
	e.ClientCert = &own
	opens(t, e)
}
