package cmd

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/auth/oauth"
)

// authFlags say how one side is logged in to, other than by a password.
type authFlags struct {
	side         string
	mechanism    mechanism
	tokenFile    string
	tokenCommand string
	oauth        string
	place        tokenPlace
}

// mechanism is a flag value such as plain or xoauth2.
type mechanism struct{ auth.Mechanism }

func (m *mechanism) Set(text string) (err error) {
	m.Mechanism, err = auth.ParseMechanism(text)
	return err
}

func (m *mechanism) String() string {
	if m.Mechanism == auth.Command {
		return "command"
	}
	return strings.ToLower(string(m.Mechanism))
}

func (*mechanism) Type() string { return "MECHANISM" }

func (f *authFlags) bind(set *pflag.FlagSet, side string) {
	f.side = side
	name := func(part string) string { return strings.TrimPrefix(side+part, "-") }
	set.Var(&f.mechanism, name("-auth"), "how to log in, instead of the strongest that both sides have (docs/logins.md)")
	set.StringVar(&f.oauth, name("-oauth"), "", "access tokens of a login that is kept under this `NAME`, or by a settings file (docs/oauth.md)")
	set.StringVar(&f.tokenFile, name("-token-file"), "", "`FILE` whose first line is an access token, read at each login")
	set.StringVar(&f.tokenCommand, name("-token-command"), "", "shell `COMMAND` whose first line of output is an access token")
}

func (f *authFlags) flag(part string) string { return "--" + strings.TrimPrefix(f.side+part, "-") }

// tokens tells whether the login is by access tokens.
func (f *authFlags) tokens() bool { return f.oauth != "" || f.tokenFile != "" || f.tokenCommand != "" }

// check finds flags that do not go together.
func (f *authFlags) check(p passwordFlags) error {
	var ways []string
	for _, w := range []struct{ part, value string }{{"-oauth", f.oauth}, {"-token-file", f.tokenFile}, {"-token-command", f.tokenCommand},
		{"-password-file", p.file}, {"-password-command", p.command}} {
		if w.value != "" {
			ways = append(ways, f.flag(w.part))
		}
	}
	wantsToken := f.mechanism.Mechanism == auth.OAuthBearer || f.mechanism.Mechanism == auth.XOAuth2
	switch {
	case f.tokens() && len(ways) > 1:
		return usagef("give one of them", "both %s and %s", ways[0], ways[1])
	case wantsToken && !f.tokens():
		return usagef("give "+f.flag("-oauth")+", "+f.flag("-token-file")+" or "+f.flag("-token-command"),
			"%s %s: that takes an access token", f.flag("-auth"), f.mechanism.String())
	case f.mechanism.Mechanism != "" && !wantsToken && f.tokens():
		return usagef("leave it out, or write xoauth2 or oauthbearer", "%s %s with %s: that takes no access token",
			f.flag("-auth"), f.mechanism.String(), ways[0])
	case f.mechanism.Mechanism == auth.External && len(ways) > 0:
		return usagef("give one of them", "%s external with %s: EXTERNAL is the certificate alone", f.flag("-auth"), ways[0])
	}
	return nil
}

// withoutPassword tells whether the login needs none.
func (e *endpointFlags) withoutPassword(ep imapx.Endpoint) bool {
	switch {
	case e.auth.tokens() || e.auth.mechanism.Mechanism == auth.External:
		return true
	case ep.ClientCert == nil || e.auth.mechanism.Mechanism != "" || e.pass.file != "" || e.pass.command != "":
		return false
	}
	return os.Getenv(e.pass.env()) == "" // a certificate is enough where nobody has said that there is a password too
}

// credential fills in what takes the place of a password, if anything does.
func (e *endpointFlags) credential(ctx context.Context, ep *imapx.Endpoint) (filled bool, err error) {
	if !e.withoutPassword(*ep) {
		return false, nil
	}
	f := &e.auth
	switch {
	case f.oauth != "":
		ep.Token, err = f.place.tokens(f.flag("-oauth"), f.oauth, mailboxName(*ep), ep.User)
	case f.tokenFile != "":
		ep.Token, err = f.fromFile()
	case f.tokenCommand != "":
		ep.Token = f.fromCommand()
	}
	return true, err
}

// fromFile reads the file now, so that a missing one is found before anything is connected, and again at each login. Another
// token in it is another credential.
func (f *authFlags) fromFile() (*auth.Tokens, error) {
	read := passwordFlags{side: f.side, file: f.tokenFile, flag: f.flag("-token-file")}.fromFile
	first, err := read()
	if err != nil {
		return nil, err
	}
	return auth.NewTokens(first, func(context.Context) (auth.Token, error) { return ofOthers(read()) }), nil
}

// fromCommand runs the command when a token is wanted. What can be corrected is the command.
func (f *authFlags) fromCommand() *auth.Tokens {
	p := passwordFlags{side: f.side, command: f.tokenCommand, flag: f.flag("-token-command")}
	return auth.NewTokens(auth.NewSecret(f.tokenCommand), func(ctx context.Context) (auth.Token, error) { return ofOthers(p.fromCommand(ctx)) })
}

// ofOthers makes a token of what others have fetched.
func ofOthers(value auth.Secret, err error) (auth.Token, error) {
	if err != nil {
		_, hint := describe(err)
		return auth.Token{}, &auth.TokenError{Text: err.Error(), Hint: hint, Permanent: true, Err: err}
	}
	return auth.Token{Value: value}, nil
}

// tokenPlace is where tokens come from in a run.
type tokenPlace struct {
	stateDir string // as the flag has it
	keyFile  string
	shelf    *tokenShelf // of the process; nil: none
}

// tokenShelf shares the tokens of an application over all accounts of a run: they are the same.
type tokenShelf struct {
	mu   sync.Mutex
	kept map[string]*auth.Tokens
}

// get gives what is on the shelf, or puts there what make makes.
func (s *tokenShelf) get(key string, make func() (*auth.Tokens, error)) (*auth.Tokens, error) {
	if s == nil {
		return make()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.kept[key]; t != nil {
		return t, nil
	}
	t, err := make()
	if err == nil {
		if s.kept == nil {
			s.kept = map[string]*auth.Tokens{}
		}
		s.kept[key] = t
	}
	return t, err
}

func tokenClient() *oauth.Client { return oauth.NewClient(http.ProxyFromEnvironment) }

// tokens understands --source-oauth: the path of a settings file, or the name of a provider where somebody has logged in.
func (p tokenPlace) tokens(flag, value, mailbox, user string) (*auth.Tokens, error) {
	if !isSettingsFile(value) {
		return p.kept(flag, value, user)
	}
	settings, err := oauth.ReadSettings(value)
	if err != nil {
		return nil, settingsError(flag, value, err)
	}
	person, is, err := settings.ForPerson()
	switch {
	case err != nil:
		return nil, settingsError(flag, value, err)
	case is:
		return p.kept(flag, person.Name, user)
	}
	path, err := filepath.Abs(value)
	if err != nil {
		return nil, settingsError(flag, value, err)
	}
	key := path
	if settings.PerMailbox() {
		key += "\x00" + mailbox
	}
	t, err := p.shelf.get(key, func() (*auth.Tokens, error) { return tokenClient().Tokens(settings, mailbox) })
	if err != nil {
		return nil, settingsError(flag, value, err)
	}
	return t, nil
}

// isSettingsFile tells a path from a name.
func isSettingsFile(value string) bool {
	return strings.ContainsRune(value, filepath.Separator) || strings.HasSuffix(value, ".json")
}

// settingsError is a settings file that is not there or not right, or a key of it.
func settingsError(flag, path string, err error) error {
	what := flag + " " + shown(path) + ": " + cause(err).Error()
	var of *os.PathError
	if errors.As(err, &of) && of.Path != path {
		what = flag + " " + shown(path) + ": " + shown(of.Path) + ": " + of.Err.Error()
	}
	return &failure{code: exitNoInput, what: what, err: err, hint: "docs/oauth.md shows such files; mailmove oauth setup prints one"}
}

// kept gives the tokens of a login by mailmove oauth login.
func (p tokenPlace) kept(flag, provider, user string) (*auth.Tokens, error) {
	store, err := p.store()
	if err != nil {
		return nil, err
	}
	t, err := p.shelf.get(provider+"\x00"+user, func() (*auth.Tokens, error) { return tokenClient().Kept(store, provider, user) })
	switch {
	case errors.Is(err, oauth.ErrNotKept):
		hint := fmt.Sprintf("log in first: mailmove oauth login %s --user %s", shellWord(provider), shellWord(user))
		if provider != oauth.Google && provider != oauth.Microsoft {
			hint += "; a settings file is named by its path, such as ./tenant.json"
		}
		return nil, &failure{code: exitNoInput, what: fmt.Sprintf("%s %s: no login of %s is kept", flag, shown(provider), shown(user)), hint: hint, err: err}
	case err != nil:
		return nil, storeError(err)
	}
	return t, nil
}

// store opens the store of logins.
func (p tokenPlace) store() (*oauth.Store, error) {
	dir, err := stateDir(p.stateDir)
	if err != nil {
		return nil, err
	}
	if p.keyFile == "" {
		return oauth.OpenStore(dir, nil), nil
	}
	key, err := oauth.ReadKey(p.keyFile)
	if err != nil {
		return nil, noInput("--key-file", err)
	}
	return oauth.OpenStore(dir, key), nil
}

// storeError words what is wrong with a kept login.
func storeError(err error) error {
	f := &failure{code: exitNoInput, what: "kept login " + err.Error(), err: err}
	var path *os.PathError
	if errors.As(err, &path) {
		f.what = "kept login " + ui.Clean(path.Path) + ": " + path.Err.Error()
	}
	switch {
	case errors.Is(err, oauth.ErrKeyNeeded):
		f.hint = "give the --key-file that it was made with"
	case errors.Is(err, fs.ErrPermission):
		f.code = exitState
	}
	return f
}

// shellWord quotes a word for a command that is shown.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@._-+:/=%,", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// credentialOf is what somebody would change after a refusal.
func credentialOf(ep imapx.Endpoint) auth.Secret {
	switch {
	case ep.Token != nil:
		return ep.Token.Credential()
	case ep.Password.Empty() && ep.ClientCert != nil && len(ep.ClientCert.Certificate) > 0:
		sum := sha256.Sum256(ep.ClientCert.Certificate[0])
		return auth.NewSecret(string(sum[:]))
	}
	return ep.Password
}

// bindKeyFile declares the flag of all commands that read kept logins.
func bindKeyFile(set *pflag.FlagSet, file *string) {
	set.StringVar(file, "key-file", "", "`FILE` with the key that kept logins are encrypted with (docs/oauth.md)")
}

// placeTokens tells both sides where tokens are.
func (f *syncFlags) placeTokens() {
	place := tokenPlace{stateDir: f.stateDir, keyFile: f.keyFile, shelf: f.shelf}
	f.source.auth.place, f.target.auth.place = place, place
}
