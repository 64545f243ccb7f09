package cmd

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
	"github.com/rogpeppe/go-internal/testscript"

	"mailmove/imapx/imaptest"
)

// startTokens is the script command
//
//	tokens [-user NAME] [-life TIME]
//
// It starts a token server where NAME agrees to every login by device code, and writes the settings file login.json and the
// secret of its application. Servers with the flag -oauth take its tokens.
func startTokens(ts *testscript.TestScript, neg bool, args []string) {
	set := flag.NewFlagSet("tokens", flag.ContinueOnError)
	user := set.String("user", "alice", "")
	life := set.Duration("life", time.Hour, "")
	if neg {
		ts.Fatalf("usage: tokens [flags]")
	}
	ts.Check(set.Parse(args))
	s, err := imaptest.NewTokenServer(*life)
	ts.Check(err)
	s.DeviceUser = *user
	ts.Defer(s.Close)
	*ts.Value(tokensKey{}).(*tokenSlot) = tokenSlot{s}
	b, err := json.Marshal(map[string]any{"type": "login", "client_id": imaptest.TokenClient, "client_secret_file": "client.secret",
		"device_url": s.URL() + "/device", "token_url": s.URL() + "/token", "scopes": []string{"imap"}})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("login.json"), b, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("client.secret"), []byte(imaptest.TokenSecret+"\n"), 0o600))
}

type tokensKey struct{}

// tokenSlot is the token server of a script.
type tokenSlot struct{ *imaptest.TokenServer }

// issueToken is the script command "token USER FILE": it writes an access token.
func issueToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: token USER FILE")
	}
	token := ts.Value(tokensKey{}).(*tokenSlot).Issue(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(token+"\n"), 0o600))
}

// untold is the script command "untold DIR": no token that was asked for or given may be in what the last command said.
func untold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: untold DIR")
	}
	said := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.json"))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no logins in %s", args[0])
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		ts.Check(err)
		var kept map[string]any
		ts.Check(json.Unmarshal(b, &kept))
		for _, field := range []string{"refresh_token", "access_token", "client_secret"} {
			if value, _ := kept[field].(string); value != "" && strings.Contains(said, value) {
				ts.Fatalf("the %s is in the output: %s", field, said)
			}
		}
	}
}

// tokenSession takes access tokens, beside passwords.
type tokenSession struct {
	imapserver.SessionIMAP4rev2
	tokens   *tokenSlot
	password string // of all users
}

var _ imapserver.SessionSASL = tokenSession{}

func (tokenSession) AuthenticateMechanisms() []string { return []string{sasl.Plain, sasl.OAuthBearer} }

func (s tokenSession) Authenticate(mechanism string) (sasl.Server, error) {
	if mechanism == sasl.Plain {
		return sasl.NewPlainServer(func(_, user, password string) error { return s.Login(user, password) }), nil
	}
	return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if user, good := s.tokens.Whose(o.Token); !good || user != o.Username || s.Login(user, s.password) != nil {
			return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
		}
		return nil
	}), nil
}
