package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

func begin(t *testing.T, m Mechanism, c Credentials) Exchange {
	t.Helper()
	c.Force = m
	l, err := Choose(Offer{Mechanisms: []string{string(m)}, Secure: true}, c)
	if err != nil {
		t.Fatal(err)
	}
	return l.Exchange
}

// What is said at once, byte by byte.
func TestInitialResponses(t *testing.T) {
	password := Credentials{User: "u,=x", AuthzID: "a", Password: NewSecret("p"), Token: NewSecret("tok"), Certificate: true}
	for m, want := range map[Mechanism]string{
		Plain:       "a\x00u,=x\x00p",
		External:    "a",
		OAuthBearer: "n,a=a,\x01auth=Bearer tok\x01\x01",
	} {
		got, err := begin(t, m, password).Initial()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v", m, got, err)
		}
	}
	password.AuthzID = ""
	for m, want := range map[Mechanism]string{
		OAuthBearer: "n,a=u=2C=3Dx,\x01auth=Bearer tok\x01\x01",
		XOAuth2:     "user=u,=x\x01auth=Bearer tok\x01\x01",
		External:    "u,=x",
	} {
		got, err := begin(t, m, password).Initial()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v", m, got, err)
		}
	}
	for _, m := range []Mechanism{LoginSASL, CRAMMD5} {
		if got, err := begin(t, m, password).Initial(); got != nil || err != nil {
			t.Errorf("%s speaks first: %q %v", m, got, err)
		}
	}
}

// The example of RFC 2195 section 2.
func TestCRAMMD5(t *testing.T) {
	x := begin(t, CRAMMD5, Credentials{User: "tim", Password: NewSecret("tanstaaftanstaaf")})
	if x.Done() == nil {
		t.Error("done without a proof")
	}
	got, err := x.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if err != nil || string(got) != "tim b913a602c7eda7a495b4e6e7334d3890" || x.Done() != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := x.Next(nil); !errors.Is(err, errMore) {
		t.Errorf("a second challenge: %v", err)
	}
}

func TestLoginPrompts(t *testing.T) {
	x := begin(t, LoginSASL, Credentials{User: "u", Password: NewSecret("p")})
	for _, want := range []string{"u", "p"} {
		got, err := x.Next([]byte("whatever\x00"))
		if err != nil || string(got) != want {
			t.Errorf("%q %v, want %s", got, err, want)
		}
	}
	if _, err := x.Next(nil); err == nil {
		t.Error("it answers a third prompt")
	}
}

// A refused token comes as a challenge that must be answered: RFC 7628 section 3.2.3 by ^A, Google's XOAUTH2 by nothing.
func TestBearerRefused(t *testing.T) {
	for m, dummy := range map[Mechanism]string{OAuthBearer: "\x01", XOAuth2: ""} {
		x := begin(t, m, Credentials{User: "u", Token: NewSecret("tok")})
		got, err := x.Next([]byte(`{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}`))
		if err != nil || string(got) != dummy || x.Done() == nil {
			t.Errorf("%s: %q %v", m, got, err)
		}
		if want := "status 401, scope wanted: https://mail.google.com/"; x.Refusal() != want {
			t.Errorf("%s: %q", m, x.Refusal())
		}
		if _, err := x.Next(nil); err == nil {
			t.Errorf("%s answers on", m)
		}
	}
	x := begin(t, XOAuth2, Credentials{User: "u", Token: NewSecret("tok")})
	if _, err := x.Next([]byte("not JSON")); err != nil || x.Refusal() != "" {
		t.Errorf("%v %q", err, x.Refusal())
	}
}

// A password with an umlaut is the same whichever way it was typed: SASLprep composes it.
func TestSCRAM(t *testing.T) {
	hashes := map[Mechanism]scram.HashGeneratorFcn{SCRAMSHA1: scram.SHA1, SCRAMSHA256: scram.SHA256}
	for m, hash := range hashes {
		x := begin(t, m, Credentials{User: "u", AuthzID: "a", Password: NewSecret("Mu\u0308ller")})
		keeper, err := hash.NewClient("u", "M\u00fcller", "")
		if err != nil {
			t.Fatal(err)
		}
		server, err := hash.NewServer(func(string) (scram.StoredCredentials, error) {
			return keeper.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
		})
		if err != nil {
			t.Fatal(err)
		}
		talk := server.NewConversation()
		said, err := x.Initial()
		if err != nil || !strings.HasPrefix(string(said), "n,a=a,n=u,r=") {
			t.Fatalf("%q %v", said, err)
		}
		for range 2 {
			answer, err := talk.Step(string(said))
			if err != nil {
				t.Fatal(err)
			}
			if x.Done() == nil {
				t.Error("done before the server's proof")
			}
			if said, err = x.Next([]byte(answer)); err != nil {
				t.Fatal(err)
			}
		}
		if !talk.Valid() || talk.AuthzID() != "a" || x.Done() != nil || len(said) != 0 {
			t.Errorf("%s: %v %q %v %q", m, talk.Valid(), talk.AuthzID(), x.Done(), said)
		}
	}
}

// A server that is not the one that knows the password gets no further, and cannot make us work for ever.
func TestSCRAMHostile(t *testing.T) {
	first := func(nonce string, rounds string) string {
		return fmt.Sprintf("r=%sserver,s=%s,i=%s", nonce, base64.StdEncoding.EncodeToString([]byte("salt")), rounds)
	}
	for name, x := range map[string]struct {
		first func(nonce string) string
		final string
		err   string // of the first answer, or ""
	}{
		"forged proof":    {func(n string) string { return first(n, "4096") }, "v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), ""},
		"many rounds":     {func(n string) string { return first(n, "2000001") }, "", "rounds"},
		"endless rounds":  {func(n string) string { return first(n, "99999999999999999999999") }, "", "rounds"},
		"signed rounds":   {func(n string) string { return first(n, "+2000001") }, "", "rounds"},
		"few rounds":      {func(n string) string { return first(n, "1") }, "", "too few"},
		"another nonce":   {func(string) string { return first("x", "4096") }, "", "nonce"},
		"error":           {func(n string) string { return first(n, "4096") }, "e=invalid-proof", ""},
		"nothing at all":  {func(string) string { return "" }, "", "SCRAM"},
		"not even base64": {func(n string) string { return "r=" + n + "x,s=!,i=4096" }, "", "SCRAM"},
	} {
		e := begin(t, SCRAMSHA256, Credentials{User: "u", Password: NewSecret("p")})
		said, err := e.Initial()
		if err != nil {
			t.Fatal(err)
		}
		_, nonce, _ := strings.Cut(string(said), "r=")
		_, err = e.Next([]byte(x.first(nonce)))
		if x.err != "" {
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = e.Next([]byte(x.final))
		if e.Done() == nil {
			t.Errorf("%s: it believes (%v)", name, err)
		}
		if name == "error" && e.Refusal() != "invalid-proof" {
			t.Errorf("refusal %q", e.Refusal())
		}
	}
}
