package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/auth"
	"mailmove/imapx/auth/oauth"
	"mailmove/imapx/imaptest"
)

func person(s *imaptest.TokenServer) oauth.Person {
	return oauth.Person{Name: "custom", ClientID: imaptest.TokenClient, AuthURL: s.URL() + "/authorize", DeviceURL: s.URL() + "/device",
		TokenURL: s.URL() + "/token", Scopes: []string{"imap", "offline_access"}, RedirectHost: "127.0.0.1"}
}

// browse opens an address as a browser would, and gives the page that is shown in the end.
func browse(t *testing.T, address string) string {
	t.Helper()
	r, err := http.Get(address)
	must(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(t, err)
	return string(b)
}

func TestBrowser(t *testing.T) {
	s := tokenServer(t, time.Hour)
	page := make(chan string, 1)
	r, err := oauth.NewClient(nil).Browser(t.Context(), person(s), "alice@example.org", 0, func(address string) error {
		go func() { page <- browse(t, address) }()
		return nil
	})
	must(t, err)
	if text := <-page; !strings.Contains(text, "can be closed") {
		t.Error(text)
	}
	if r.User != "alice@example.org" || r.Provider != "custom" || r.RefreshToken == "" || r.AccessToken == "" || r.TokenURL != s.URL()+"/token" {
		t.Errorf("%v", r)
	}
	if strings.Contains(r.String(), r.RefreshToken) {
		t.Error("a record prints its token")
	}
}

// Only the browser that carries our state may end the login; its refusal does end it.
func TestBrowserRefused(t *testing.T) {
	s := tokenServer(t, time.Hour)
	_, err := oauth.NewClient(nil).Browser(t.Context(), person(s), "alice@example.org", 0, func(address string) error {
		u, err := url.Parse(address)
		must(t, err)
		back, state := u.Query().Get("redirect_uri"), u.Query().Get("state")
		go func() {
			for _, query := range []string{"", "?code=stolen", "?code=stolen&state=wrong"} {
				if text := browse(t, back+query); !strings.Contains(text, "not the login") {
					t.Errorf("%s: %s", query, text)
				}
			}
			browse(t, back+"?error=access_denied&error_description=no%1b%5b31m&state="+url.QueryEscape(state))
		}()
		return nil
	})
	var e *auth.TokenError
	if !errors.As(err, &e) || !e.Permanent || e.Text != "the login in the browser failed: access_denied: no [31m" || e.Hint == "" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := oauth.NewClient(nil).Browser(ctx, person(s), "u", 0, func(string) error { return nil }); err == nil {
		t.Error("it ends without an answer")
	}
}

func TestDevice(t *testing.T) {
	s := tokenServer(t, time.Hour)
	var asked atomic.Int64
	s.Device = func() string {
		if asked.Add(1) == 1 {
			return "authorization_pending"
		}
		return ""
	}
	shown := ""
	r, err := oauth.NewClient(nil).Device(t.Context(), person(s), "u1", func(address, code string, until time.Time) error {
		shown = address + " " + code
		if until.Before(time.Now()) {
			t.Errorf("until %v", until)
		}
		return nil
	})
	if err != nil || r.RefreshToken == "" || shown != s.URL()+"/enter ABCD-EFGH" || asked.Load() != 2 {
		t.Errorf("%v %v %q %d", err, r, shown, asked.Load())
	}
	s.Device = func() string { return "access_denied" }
	_, err = oauth.NewClient(nil).Device(t.Context(), person(s), "u1", func(string, string, time.Time) error { return nil })
	var e *auth.TokenError
	if !errors.As(err, &e) || !e.Permanent || !strings.Contains(e.Text, "access_denied") {
		t.Errorf("%v", err)
	}
	google, _ := oauth.Known(oauth.Google, "", "id", "")
	if _, err := oauth.NewClient(nil).Device(t.Context(), google, "u", nil); !errors.Is(err, oauth.ErrNoDevice) {
		t.Errorf("Google: %v", err)
	}
}

// A code is good still when the token server is away for a moment: whoever types it does not begin anew.
func TestDeviceWhileTheServerIsAway(t *testing.T) {
	s := tokenServer(t, time.Hour)
	var asked atomic.Int64
	s.Fail = func(string) (int, string, bool) { return 503, "", asked.Add(1) == 1 }
	r, err := oauth.NewClient(nil).Device(t.Context(), person(s), "u1", func(string, string, time.Time) error { return nil })
	if err != nil || r.RefreshToken == "" || asked.Load() != 2 {
		t.Errorf("%v after %d questions", err, asked.Load())
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" && asked.Add(1) == 3 {
			panic(http.ErrAbortHandler)
		}
		_ = r.ParseForm() // a broken one is the server's to refuse
		to, err := http.PostForm(s.URL()+r.URL.Path, r.PostForm)
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Body.Close()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, to.Body)
	}))
	defer cut.Close()
	p := person(s)
	p.DeviceURL, p.TokenURL = cut.URL+"/device", cut.URL+"/token"
	if r, err = oauth.NewClient(nil).Device(t.Context(), p, "u1", func(string, string, time.Time) error { return nil }); err != nil || r.RefreshToken == "" {
		t.Errorf("cut off: %v", err)
	}
}

// Numbers that no server of good will names are no timer of ours.
func TestDeviceOddPauses(t *testing.T) {
	for _, pause := range []string{"-1", "9223372036854775807", "9223372037"} {
		odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"device_code":"x","user_code":"y","verification_uri":"https://example.org","expires_in":9000,"interval":`+pause+`}`)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		_, err := oauth.NewClient(nil).Device(ctx, oauth.Person{DeviceURL: odd.URL, TokenURL: odd.URL}, "u", func(_, _ string, until time.Time) error {
			if time.Until(until) > 20*time.Minute {
				t.Errorf("until %v", until)
			}
			cancel()
			return nil
		})
		var e *auth.TokenError
		if !errors.As(err, &e) || e.Text != "given up" {
			t.Errorf("%s: %v", pause, err)
		}
		odd.Close()
	}
}

func TestKnown(t *testing.T) {
	p, ok := oauth.Known(oauth.Microsoft, "example.org", "id", "")
	if !ok || p.TokenURL != "https://login.microsoftonline.com/example.org/oauth2/v2.0/token" || p.RedirectHost != "localhost" || len(p.Scopes) != 2 {
		t.Errorf("%+v", p)
	}
	if _, ok := oauth.Known("yahoo", "", "", ""); ok {
		t.Error("yahoo is known")
	}
}
