package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/auth"
	"mailmove/imapx/auth/oauth"
	"mailmove/imapx/imaptest"
)

func tokenServer(t *testing.T, life time.Duration) *imaptest.TokenServer {
	t.Helper()
	s, err := imaptest.NewTokenServer(life)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file writes a file of a settings folder and gives its path.
func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func settings(t *testing.T, path string) *oauth.Settings {
	t.Helper()
	s, err := oauth.ReadSettings(path)
	must(t, err)
	return s
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

// rsaKey gives a key, and it and a certificate of it as PEM.
func rsaKey(t *testing.T) (key *rsa.PrivateKey, keyPEM, certPEM string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailmove"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(t, err)
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return key, encode("PRIVATE KEY", der), encode("CERTIFICATE", cert)
}

// machines are settings for tokens that nobody logs in for.
func machines(t *testing.T, s *imaptest.TokenServer) map[string]string {
	t.Helper()
	dir := t.TempDir()
	key, private, cert := rsaKey(t)
	s.Trust("mover@project.example", &key.PublicKey)
	s.Trust("app-1", &key.PublicKey)
	file(t, dir, "secret", imaptest.TokenSecret+"\nmore\n")
	file(t, dir, "app.crt", cert)
	file(t, dir, "app.key", private)
	return map[string]string{
		"service account": file(t, dir, "google.json", asJSON(t, map[string]string{"type": "service_account", "client_email": "mover@project.example",
			"private_key": private, "private_key_id": "k1", "client_id": "1234567890", "token_uri": s.URL() + "/token", "universe_domain": "googleapis.com"})),
		"secret": file(t, dir, "secret.json", asJSON(t, map[string]any{"type": "client_credentials", "client_id": imaptest.TokenClient,
			"client_secret_file": "secret", "token_url": s.URL() + "/token", "scopes": []string{"imap"}})),
		"certificate": file(t, dir, "cert.json", asJSON(t, map[string]string{"type": "client_credentials", "client_id": "app-1",
			"certificate": "app.crt", "key": "app.key", "token_url": s.URL() + "/token"})),
	}
}

func TestMachines(t *testing.T) {
	s := tokenServer(t, time.Hour)
	for name, path := range machines(t, s) {
		before := asked(s)
		tokens, err := oauth.NewClient(nil).Tokens(settings(t, path), "alice@example.org")
		must(t, err)
		if n := asked(s); n != before {
			t.Error("a token was fetched before anybody wanted one")
		}
		token, _, err := tokens.Get(t.Context())
		if err != nil || token.Value.Empty() || time.Until(token.Expires) < 50*time.Minute {
			t.Errorf("%s: %v", name, err)
		}
		if again, _, _ := tokens.Get(t.Context()); again.Value != token.Value {
			t.Errorf("%s: another token though the first is good", name)
		}
		if second, err := tokens.Renew(t.Context(), token); err != nil || second.Value == token.Value {
			t.Errorf("%s: %v", name, err)
		}
		form := s.Last()
		if name == "certificate" && (form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Get("client_secret") != "") {
			t.Errorf("%v", form)
		}
		if name == "secret" && form.Get("scope") != "imap" {
			t.Errorf("%v", form)
		}
	}
}

func asked(s *imaptest.TokenServer) int {
	return s.Asked("client_credentials") + s.Asked("urn:ietf:params:oauth:grant-type:jwt-bearer")
}

// What a token server says is sorted: for ever or for now; and no secret comes back in an error.
func TestRefusals(t *testing.T) {
	s := tokenServer(t, time.Hour)
	paths := machines(t, s)
	echo := `{"error":"invalid_client","error_description":"bad \u001b[31m` + imaptest.TokenSecret[:0] + `secret"}`
	for name, x := range map[string]struct {
		status    int
		body      string
		text      string
		permanent bool
	}{
		"wrong":       {400, `{"error":"invalid_grant","error_description":"gone"}`, "refuses: invalid_grant: gone", true},
		"cleaned":     {401, echo, "invalid_client: bad [31msecret", true},
		"down":        {503, "<html>" + strings.Repeat("x", 2<<20), "not available now (HTTP 503)", false},
		"busy":        {429, "", "not available now (HTTP 429)", false},
		"server":      {400, `{"error":"temporarily_unavailable"}`, "not available", false},
		"odd":         {404, "nothing here", "refuses (HTTP 404)", true},
		"no token":    {200, `{"token_type":"Bearer"}`, "", true},
		"redirect":    {302, "", "refuses (HTTP 302)", true},
		"no bearer":   {200, `{"access_token":"x","token_type":"mac"}`, "no bearer token", true},
		"no JSON":     {200, "hello", "", true},
		"long answer": {400, `{"error":"` + strings.Repeat("e", 5000) + `"}`, "…", true},
	} {
		s.Fail = func(string) (int, string, bool) { return x.status, x.body, true }
		for kind, path := range paths {
			tokens, err := oauth.NewClient(nil).Tokens(settings(t, path), "alice@example.org")
			must(t, err)
			_, _, err = tokens.Get(t.Context())
			var e *auth.TokenError
			if !errors.As(err, &e) || e.Permanent != x.permanent || !strings.Contains(e.Text, x.text) || len(e.Text) > 700 {
				t.Errorf("%s, %s: %#v", name, kind, err)
			} else if strings.Contains(e.Text+e.Hint, imaptest.TokenSecret) || strings.ContainsRune(e.Text, 0x1b) || strings.Contains(e.Text, "<html") {
				t.Errorf("%s, %s: %s", name, kind, e.Text)
			}
		}
	}
}

// A way that fails is no refusal, whichever package asked: another time it works. Nobody waits for it longer than he wants.
func TestUnreachable(t *testing.T) {
	s := tokenServer(t, time.Hour)
	paths := machines(t, s)
	s.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"access_token":"s3cret`))
	}))
	defer cut.Close()
	enough := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-enough }))
	defer func() { close(enough); silent.Close() }()
	for name, path := range paths {
		for where, url := range map[string]string{"gone": s.URL(), "cut": cut.URL} {
			e := unreached(t, t.Context(), moved(t, path, s.URL(), url))
			if e == nil || e.Permanent || !strings.Contains(e.Text, "cannot be reached") || strings.Contains(e.Text, "s3cret") {
				t.Errorf("%s, %s: %#v", name, where, e)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		if e := unreached(t, ctx, moved(t, path, s.URL(), silent.URL)); e == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %#v after %v", name, e, time.Since(start))
		}
	}
}

// moved is a settings file with another token server.
func moved(t *testing.T, path, from, to string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return file(t, filepath.Dir(path), "moved.json", strings.ReplaceAll(string(b), from, to))
}

func unreached(t *testing.T, ctx context.Context, path string) (e *auth.TokenError) {
	t.Helper()
	tokens, err := oauth.NewClient(nil).Tokens(settings(t, path), "alice@example.org")
	must(t, err)
	_, _, err = tokens.Get(ctx)
	errors.As(err, &e)
	return e
}

// Settings that cannot work are refused before anything is asked, and their errors hold no key.
func TestSettingsProblems(t *testing.T) {
	dir := t.TempDir()
	_, private, _ := rsaKey(t)
	for text, want := range map[string]string{
		`{`:                          "no JSON",
		`[]`:                         "no JSON object",
		`{}`:                         `"type" is missing`,
		`{"type":"azure"}`:           "unknown",
		`{"type":7}`:                 "wrong type",
		`{"type":"m365"}`:            "tenant",
		`{"type":"service_account"}`: "client_email",
		`{"type":"m365","tenant":"t/../x","client_id":"c","client_secret_file":"f"}`:                                                         "tenant",
		`{"type":"m365","tenant":"t","client_id":"c"}`:                                                                                       "client_secret_file",
		`{"type":"m365","tenant":"t","client_id":"c","certificate":"x"}`:                                                                     "belong together",
		`{"type":"m365","tenant":"t","client_id":"c","client_secret_file":"f","certificate":"x","key":"y"}`:                                  "either",
		`{"type":"m365","tenant":"t","client_id":"c","client_secret":"hunter2"}`:                                                             "unknown field",
		`{"type":"client_credentials","client_id":"c","client_secret_file":"f","token_url":"http://login.example/t"}`:                        "https",
		`{"type":"client_credentials","client_id":"c","client_secret_file":"f","token_url":"https://u:p@login.example/t"}`:                   "no https",
		`{"type":"login","client_id":"c","token_url":"https://login.example/t"}`:                                                             "auth_url",
		`{"type":"login","client_id":"c","token_url":"https://x.example/t","auth_url":"https://x.example/a","redirect_host":"evil.example"}`: "this machine",
		`{"type":"login","client_id":"c","token_url":"https://x.example/t","auth_url":"https://x.example/a","redirect_host":"::1"}`:          "this machine",
	} {
		_, err := oauth.ReadSettings(file(t, dir, "s.json", text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, key := range []string{"none", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", private[:200]} {
		s := settings(t, file(t, dir, "g.json", asJSON(t, map[string]string{"type": "service_account", "client_email": "e", "private_key": key})))
		if _, err := oauth.NewClient(nil).Tokens(s, "u"); err == nil || !strings.Contains(err.Error(), "private_key") || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%v", err)
		}
	}
	if _, err := oauth.ReadSettings(file(t, dir, "big.json", strings.Repeat(" ", 65<<10))); err == nil || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("%v", err)
	}
}
