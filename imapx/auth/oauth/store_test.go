package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/auth"
	"mailmove/imapx/auth/oauth"
	"mailmove/imapx/imaptest"
)

func record(s *imaptest.TokenServer, user string) oauth.Record {
	return oauth.Record{Version: 1, Provider: "custom", User: user, ClientID: imaptest.TokenClient, TokenURL: s.URL() + "/token",
		RefreshToken: s.Refresh(user), LoggedIn: time.Now(), Renewed: time.Now()}
}

func key(t *testing.T) (string, *oauth.Key) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	_, err := oauth.MakeKey(path)
	must(t, err)
	k, err := oauth.ReadKey(path)
	must(t, err)
	return path, k
}

// everything that lies in a folder, in one piece.
func everything(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	}))
	return all
}

func TestStore(t *testing.T) {
	s := tokenServer(t, time.Hour)
	_, k := key(t)
	for name, k := range map[string]*oauth.Key{"plain": nil, "encrypted": k} {
		dir := t.TempDir()
		store := oauth.OpenStore(dir, k)
		r := record(s, "../Alice/ü@example.org")
		must(t, store.Keep(t.Context(), r))
		got, err := store.Load("custom", "../alice/ü@example.org") // users are one in any case of ASCII
		if err != nil || got.RefreshToken != r.RefreshToken {
			t.Errorf("%s: %v", name, err)
		}
		if has := bytes.Contains(everything(t, dir), []byte(r.RefreshToken)); has != (k == nil) {
			t.Errorf("%s: the refresh token is readable: %v", name, has)
		}
		all, err := store.List()
		if err != nil || len(all) != 1 || all[0].Record.User != r.User || all[0].Record.RefreshToken != "" || all[0].Sealed != (k != nil) {
			t.Errorf("%s: %+v %v", name, all, err)
		}
		if filepath.Dir(all[0].Path) != filepath.Join(dir, oauth.Folder) {
			t.Errorf("it lies in %s", all[0].Path)
		}
		must(t, store.Forget(t.Context(), "custom", r.User))
		if _, err := store.Load("custom", r.User); !errors.Is(err, oauth.ErrNotKept) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStoreKilled: what a kill left while a login was written is gone with the next one, whatever kind it was, and with Forget.
func TestStoreKilled(t *testing.T) {
	s, dir := tokenServer(t, time.Hour), t.TempDir()
	_, k := key(t)
	plain, sealed := oauth.OpenStore(dir, nil), oauth.OpenStore(dir, k)
	r := record(s, "alice")
	must(t, plain.Keep(t.Context(), r))
	all, err := plain.List()
	must(t, err)
	left := all[0].Path + ".new"
	for name, next := range map[string]func() error{
		"login":           func() error { return plain.Keep(t.Context(), r) },
		"encrypted login": func() error { return sealed.Keep(t.Context(), r) },
		"forget":          func() error { return sealed.Forget(t.Context(), "custom", "alice") },
	} {
		must(t, sealed.Keep(t.Context(), r))
		must(t, os.WriteFile(left, []byte(`{"refresh_token": "a piece of a tok`), 0o600))
		must(t, next())
		if bytes.Contains(everything(t, dir), []byte("a piece of a tok")) {
			t.Errorf("%s: a piece of a token is still there", name)
		}
	}
}

func TestStoreProblems(t *testing.T) {
	s := tokenServer(t, time.Hour)
	dir := t.TempDir()
	path, k := key(t)
	_, other := key(t)
	r := record(s, "alice")
	must(t, oauth.OpenStore(dir, k).Keep(t.Context(), r))
	if _, err := oauth.OpenStore(dir, nil).Load("custom", "alice"); !errors.Is(err, oauth.ErrKeyNeeded) {
		t.Errorf("no key: %v", err)
	}
	if _, err := oauth.OpenStore(dir, other).Load("custom", "alice"); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	if all, err := oauth.OpenStore(dir, nil).List(); err != nil || len(all) != 1 || !errors.Is(all[0].Err, oauth.ErrKeyNeeded) {
		t.Errorf("list: %+v %v", all, err)
	}
	sealed, err := filepath.Glob(filepath.Join(dir, oauth.Folder, "*.age"))
	must(t, err)
	must(t, os.WriteFile(sealed[0], []byte("age-encryption.org/v1\nrubbish"), 0o600))
	if _, err := oauth.OpenStore(dir, k).Load("custom", "alice"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
	// A new login replaces a broken one, also by one of the other kind.
	must(t, oauth.OpenStore(dir, nil).Keep(t.Context(), r))
	if left, _ := filepath.Glob(filepath.Join(dir, oauth.Folder, "*.age")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if !oauth.OpenStore(dir, nil).Holds(filepath.Join(dir, "sub", "key")) || oauth.OpenStore(dir, nil).Holds(path) {
		t.Error("Holds")
	}
	if _, err := oauth.MakeKey(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key is overwritten: %v", err)
	}
	must(t, os.Chmod(path, 0o644))
	if _, err := oauth.ReadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable key: %v", err)
	}
	if _, err := oauth.ReadKey(file(t, dir, "nokey", "AGE-SECRET-KEY-1NONSENSE")); err == nil || strings.Contains(err.Error(), "NONSENSE") {
		t.Errorf("%v", err)
	}
}

// The token server takes each refresh token once. Many processes share a login: none loses it, and a token that is good is
// fetched once for all.
func TestRotation(t *testing.T) {
	s := tokenServer(t, 2*time.Second)
	dir := t.TempDir()
	must(t, oauth.OpenStore(dir, nil).Keep(t.Context(), record(s, "alice")))
	var all []*auth.Tokens
	for range 4 {
		tokens, err := oauth.NewClient(nil).Kept(oauth.OpenStore(dir, nil), "custom", "alice") // as in a process of its own
		must(t, err)
		all = append(all, tokens)
	}
	for range 2 {
		var wg sync.WaitGroup
		for _, tokens := range all {
			wg.Go(func() {
				token, _, err := tokens.Get(t.Context())
				if err != nil || time.Until(token.Expires) < 0 {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		time.Sleep(2100 * time.Millisecond)
	}
	if n := s.Asked("refresh_token"); n != 2 {
		t.Errorf("%d times asked, want 2", n)
	}
	kept, err := oauth.OpenStore(dir, nil).Load("custom", "alice")
	must(t, err)
	if kept.RefreshToken != "" && strings.Contains(s.Last().Get("refresh_token"), kept.RefreshToken) {
		t.Error("the used refresh token is still there")
	}
}

// A run with a key renews logins that were kept without one, too, and leaves them in their kind: with the used refresh token in
// one file and the next in another, the login would be lost.
func TestRenewalKeepsTheKind(t *testing.T) {
	s := tokenServer(t, time.Hour)
	_, k := key(t)
	for _, how := range []*oauth.Key{nil, k} {
		dir := t.TempDir()
		must(t, oauth.OpenStore(dir, how).Keep(t.Context(), record(s, "alice")))
		for run := range 3 {
			store := oauth.OpenStore(dir, k)
			tokens, err := oauth.NewClient(nil).Kept(store, "custom", "alice")
			must(t, err)
			first, _, err := tokens.Get(t.Context())
			must(t, err)
			if _, err := tokens.Renew(t.Context(), first); err != nil {
				t.Errorf("run %d: %v", run, err)
			}
			if all, err := store.List(); err != nil || len(all) != 1 || all[0].Sealed != (how != nil) {
				t.Errorf("run %d: %+v %v", run, all, err)
			}
		}
	}
}

// A pass that is stopped while a login is renewed: the server has taken the refresh token, so its answer must not be lost.
func TestRenewalOutlivesAStop(t *testing.T) {
	s := tokenServer(t, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	first := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a broken one is the server's to refuse
		said, err := http.PostForm(s.URL()+"/token", r.PostForm)
		if err != nil {
			t.Error(err)
			return
		}
		defer said.Body.Close()
		if asked.Add(1) == 1 {
			defer close(first)
			cancel()
			time.Sleep(200 * time.Millisecond) // a client that goes has gone by then
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(said.StatusCode)
		_, _ = io.Copy(w, said.Body)
	}))
	defer slow.Close()
	store, r := oauth.OpenStore(t.TempDir(), nil), record(s, "alice")
	r.TokenURL = slow.URL
	must(t, store.Keep(t.Context(), r))
	tokens, err := oauth.NewClient(nil).Kept(store, "custom", "alice")
	must(t, err)
	_, _, _ = tokens.Get(ctx) // who gives up may get what came, or not
	<-first
	token, err := tokens.Renew(t.Context(), auth.Token{Value: auth.NewSecret("refused")})
	if err != nil {
		t.Fatal(err)
	}
	if token, err = tokens.Renew(t.Context(), token); err != nil { // and the next refresh token is known
		t.Error(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	before := s.Asked("refresh_token")
	if _, err := tokens.Renew(over, token); err == nil || s.Asked("refresh_token") != before {
		t.Errorf("a token is asked for when all is over: %v", err)
	}
}

// A kill between two steps of Keep leaves two files: the later one counts, and both are forgotten.
func TestTwoKinds(t *testing.T) {
	s := tokenServer(t, time.Hour)
	_, k := key(t)
	for _, kinds := range [][2]*oauth.Key{{nil, k}, {k, nil}} {
		dirs, logins := [2]string{t.TempDir(), t.TempDir()}, [2]oauth.Record{record(s, "alice"), record(s, "alice")}
		for i, dir := range dirs {
			must(t, oauth.OpenStore(dir, kinds[i]).Keep(t.Context(), logins[i]))
		}
		old, err := filepath.Glob(filepath.Join(dirs[0], oauth.Folder, "*alice.[ja]*"))
		must(t, err)
		past := time.Now().Add(-time.Minute)
		must(t, os.Chtimes(old[0], past, past))
		must(t, os.Rename(old[0], filepath.Join(dirs[1], oauth.Folder, filepath.Base(old[0]))))
		store := oauth.OpenStore(dirs[1], k)
		if got, err := store.Load("custom", "alice"); err != nil || got.RefreshToken != logins[1].RefreshToken {
			t.Errorf("%v %v", got, err)
		}
		must(t, store.Forget(t.Context(), "custom", "alice"))
		if all, err := store.List(); err != nil || len(all) > 0 {
			t.Errorf("left: %+v %v", all, err)
		}
	}
}

// A refresh token that is refused stays as it is, and the error says what to do.
func TestRefreshRefused(t *testing.T) {
	s := tokenServer(t, time.Hour)
	store := oauth.OpenStore(t.TempDir(), nil)
	r := record(s, "alice")
	r.RefreshToken = "stale"
	must(t, store.Keep(t.Context(), r))
	tokens, err := oauth.NewClient(nil).Kept(store, "custom", "alice")
	must(t, err)
	_, _, err = tokens.Get(t.Context())
	var e *auth.TokenError
	if !errors.As(err, &e) || !e.Permanent || !strings.Contains(e.Hint, "mailmove oauth login custom --user alice") || strings.Contains(e.Text, "stale") {
		t.Errorf("%#v", err)
	}
	if kept, err := store.Load("custom", "alice"); err != nil || kept.RefreshToken != "stale" {
		t.Errorf("%v %v", kept, err)
	}
	if _, err := oauth.NewClient(nil).Kept(store, "custom", "bob"); !errors.Is(err, oauth.ErrNotKept) {
		t.Errorf("%v", err)
	}
}

// A refused access token is not taken from the file again.
func TestRefusedKeptToken(t *testing.T) {
	s := tokenServer(t, time.Hour)
	store := oauth.OpenStore(t.TempDir(), nil)
	r := record(s, "alice")
	r.AccessToken, r.Expires = "kept", time.Now().Add(time.Hour)
	must(t, store.Keep(t.Context(), r))
	tokens, err := oauth.NewClient(nil).Kept(store, "custom", "alice")
	must(t, err)
	first, again, err := tokens.Get(t.Context())
	if err != nil || !again || first.Value.Reveal() != "kept" || s.Asked("refresh_token") != 0 {
		t.Fatalf("%v, asked %d", err, s.Asked("refresh_token"))
	}
	second, err := tokens.Renew(t.Context(), first)
	if err != nil || second.Value == first.Value || s.Asked("refresh_token") != 1 {
		t.Errorf("%v, asked %d", err, s.Asked("refresh_token"))
	}
}

func TestSetup(t *testing.T) {
	m := oauth.Setup{Tenant: "example.org", ClientID: "1-2-3", Users: []string{"o'neil@example.org"}}
	text := m.Microsoft365()
	for _, want := range []string{"IMAP.AccessAsApp", "New-ServicePrincipal -AppId '1-2-3'", "ENTERPRISE", "-Identity 'o''neil@example.org'", `"tenant": "example.org"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	dir := t.TempDir()
	settings(t, file(t, dir, "m365.json", m.Settings())) // what is printed is taken
	m.Certificate = true
	settings(t, file(t, dir, "m365.json", m.Settings()))
	g := oauth.Setup{ClientID: "123456", KeyFile: "k.json"}.Workspace()
	for _, want := range []string{"123456", oauth.GoogleAdminScope, "k.json"} {
		if !strings.Contains(g, want) {
			t.Errorf("%q is missing in\n%s", want, g)
		}
	}
	for line := range strings.Lines(text + m.Microsoft365() + g) {
		if len([]rune(line)) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
