package imapx_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest/real"
)

// cyrusLogins: an admin and u8 may log in for others. The umlauts are u9's.
func cyrusLogins(t *testing.T) loginServer {
	t.Helper()
	const umlauts, proxy = "u9", "u8"
	kept := map[string]string{"u1": real.Password, "u2": real.Password, real.CyrusAdmin: real.MasterPassword, proxy: real.MasterPassword, umlauts: storedPassword}
	c := real.Cyrus(t, real.CyrusOptions{Kept: kept, Extra: "proxyservers: " + proxy})
	markMailbox(t, c.Addr(), "u1", kept["u1"], "of-u1")
	markMailbox(t, c.Addr(), umlauts, kept[umlauts], "of-"+umlauts)
	secure := func(e *imapx.Endpoint) { e.TLS, e.Roots = imapx.TLSImplicit, c.CertPool() }
	return loginServer{name: "Cyrus 3.6", addr: c.TLSAddr(), tls: secure, admins: []string{real.CyrusAdmin, proxy},
		user: func(m auth.Mechanism) string {
			if m == auth.SCRAMSHA1 || m == auth.SCRAMSHA256 {
				return umlauts
			}
			return "u1"
		},
		fill: func(e *imapx.Endpoint, user string) error {
			e.Password = auth.NewSecret(kept[user])
			switch {
			case byToken(e.Auth):
				e.Token, e.Password = fixedToken("token of "+user), auth.Secret{}
			case e.Auth == auth.External:
				return byCertificate(e, user, c.ClientCertificate)
			case user == umlauts && e.Auth == auth.SCRAMSHA256:
				e.Password = auth.NewSecret(storedNFD)
			}
			return nil
		}}
}

// TestE2ELoginsCyrusPlugin: where another daemon checks Cyrus's passwords, its admin logs in as another only with a SASL plugin
// for properties of users, as docs/logins.md and the hint say.
func TestE2ELoginsCyrusPlugin(t *testing.T) {
	for _, plugin := range []bool{false, true} {
		s := real.Cyrus(t, real.CyrusOptions{Plugin: plugin})
		markMailbox(t, s.Addr(), "u1", real.Password, "of-u1")
		e := endpoint(t, s.Addr(), real.CyrusAdmin)
		e.AuthzID, e.Auth = "u1", auth.Plain
		src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{})
		if err == nil {
			loginServer{}.rightMailbox(t, src, e)
			src.Close()
		}
		var x *imapx.Error
		told := errors.As(err, &x) && x.Kind == imapx.KindAuth && strings.Contains(x.Text, "no mechanism available") &&
			strings.Contains(x.Hint, "libsasl2-modules-db") && strings.Contains(x.Hint, "--source-authzid")
		if plugin != (err == nil) || !plugin && !told {
			t.Errorf("with the plugin: %v; %v; %+v", plugin, err, x)
		}
	}
}

// TestE2ELoginsCyrusChoice: of what a Cyrus offers the strongest is taken that fits the credential, and what it offers after
// STARTTLS counts: EXTERNAL is not there before.
func TestE2ELoginsCyrusChoice(t *testing.T) {
	c := real.Cyrus(t, real.CyrusOptions{Kept: map[string]string{"u1": real.Password}})
	markMailbox(t, c.Addr(), "u1", real.Password, "of-u1")
	for _, way := range []struct {
		tls         imapx.TLSMode
		certificate bool
		takes       string
	}{{imapx.TLSNone, false, "SCRAM-SHA-256"}, {imapx.TLSStartTLS, false, "SCRAM-SHA-256"}, {imapx.TLSStartTLS, true, "EXTERNAL"}} {
		e := endpoint(t, c.Addr(), "u1")
		e.TLS, e.Roots = way.tls, c.CertPool()
		if way.certificate {
			if err := byCertificate(&e, "u1", c.ClientCertificate); err != nil {
				t.Fatal(err)
			}
		}
		trace := &lockedBuffer{}
		src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Trace: trace})
		if err != nil {
			t.Fatalf("%v: %v", way, err)
		}
		loginServer{}.rightMailbox(t, src, e)
		src.Close()
		if !strings.Contains(trace.String(), "AUTHENTICATE "+way.takes) {
			t.Errorf("%v:\n%s", way, trace)
		}
	}
}
