package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx/auth"
	"mailmove/imapx/auth/oauth"
)

const oauthLoginLong = `A person logs in once; what comes of it is kept in the state folder, readable by
its owner only, and --source-oauth PROVIDER takes tokens from it. PROVIDER is
m365, google, or a settings file of type login (docs/oauth.md).

An address is shown, to be opened in a browser on this machine. With --device a
code is shown instead, to be typed in a browser anywhere (not at Google, whose
codes are not for mail). With --key-file the login is encrypted for that key,
which is made where it is not there; it must live outside the state folder.`

type oauthLoginFlags struct {
	oauthFlags
	user       string
	tenant     string
	clientID   string
	secretFile string
	device     bool
	port       int
}

func newOAuthLogin(a *app) *cobra.Command {
	f := &oauthLoginFlags{}
	c := &cobra.Command{
		Use:   "login PROVIDER --user NAME",
		Short: "Log in as a person, in a browser or by a code",
		Long:  oauthLoginLong,
		Example: "  mailmove oauth login m365 --user alice@example.org --client-id … --device\n" +
			"  mailmove oauth login google --user alice@example.org \\\n" +
			"      --client-id … --client-secret-file google.secret",
		Args:                  oneProvider,
		DisableFlagsInUseLine: true,
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.user, "user", "", "`NAME` that the mail server knows, mostly the address")
	set.StringVar(&f.clientID, "client-id", "", "`ID` of the application that is registered with the provider")
	set.StringVar(&f.secretFile, "client-secret-file", "", "`FILE` with the application's secret, if it has one")
	set.StringVar(&f.tenant, "tenant", "organizations", "`TENANT` of Microsoft 365: a domain or an id")
	set.BoolVar(&f.device, "device", false, "show a code to be typed in a browser anywhere")
	set.IntVar(&f.port, "port", 0, "`PORT` of this machine that the browser comes back to (default: any)")
	f.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := f.person(args[0])
		if err != nil {
			return err
		}
		store, err := f.storeFor(a)
		if err != nil {
			return err
		}
		return f.run(c.Context(), a, p, store)
	}
	return c
}

// person is whose application and where, validated.
func (f *oauthLoginFlags) person(provider string) (oauth.Person, error) {
	switch {
	case f.user == "":
		return oauth.Person{}, usagef("for example --user alice@example.org", "no --user")
	case f.port < 0 || f.port > 65535:
		return oauth.Person{}, usagef("a port is a number from 1 to 65535", "--port %d: that is no port", f.port)
	case !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(f.tenant):
		return oauth.Person{}, usagef("a domain such as example.org, or the tenant's id", "--tenant %s: that is no tenant", shown(f.tenant))
	}
	if err := checkUser("--user", f.user); err != nil {
		return oauth.Person{}, err
	}
	if isSettingsFile(provider) {
		return f.personOfFile(provider)
	}
	secret := ""
	if f.secretFile != "" {
		s, err := passwordFlags{file: f.secretFile, flag: "--client-secret-file"}.fromFile()
		if err != nil {
			return oauth.Person{}, err
		}
		secret = s.Reveal()
	}
	p, known := oauth.Known(provider, f.tenant, f.clientID, secret)
	switch {
	case !known:
		return p, usagef("it is m365, google or the path of a settings file, such as ./provider.json", "unknown provider %s", shown(provider))
	case f.clientID == "":
		return p, usagef("register an application with the provider, docs/oauth.md says how", "no --client-id")
	}
	return p, f.checkDevice(p)
}

func (f *oauthLoginFlags) personOfFile(path string) (oauth.Person, error) {
	if f.clientID != "" || f.secretFile != "" {
		return oauth.Person{}, usagef("leave them out", "%s is a settings file, which has client_id and client_secret_file itself", shown(path))
	}
	settings, err := oauth.ReadSettings(path)
	if err != nil {
		return oauth.Person{}, settingsError("settings", path, err)
	}
	p, is, err := settings.ForPerson()
	switch {
	case err != nil:
		return p, settingsError("settings", path, err)
	case !is:
		return p, usagef("use it as it is: --source-oauth "+shellWord(path), "%s needs no login of a person", shown(path))
	}
	return p, f.checkDevice(p)
}

func (f *oauthLoginFlags) checkDevice(p oauth.Person) error {
	switch {
	case f.device && p.DeviceURL == "":
		return usagef("leave out --device; where the browser is on another machine, give --port 8085 and forward it: ssh -L 8085:127.0.0.1:8085",
			"%s has no login by device code for mail", p.Name)
	case !f.device && p.AuthURL == "":
		return usagef("add --device", "%s has a login by device code only", p.Name)
	}
	return nil
}

// storeFor opens the store, and makes a key that is not there yet.
func (f *oauthLoginFlags) storeFor(a *app) (*oauth.Store, error) {
	if f.keyFile == "" {
		return f.place().store()
	}
	dir, err := stateDir(f.stateDir)
	if err != nil {
		return nil, err
	}
	if oauth.OpenStore(dir, nil).Holds(f.keyFile) {
		return nil, usagef("keep it elsewhere: whoever has the one should not have the other", "--key-file %s lies in the state folder", shown(f.keyFile))
	}
	if _, err := os.Stat(f.keyFile); errors.Is(err, fs.ErrNotExist) {
		if _, err := oauth.MakeKey(f.keyFile); err != nil {
			return nil, noInput("--key-file", err)
		}
		fmt.Fprintf(a.err, "made a new key: %s; without it the logins cannot be read\n", ui.Clean(f.keyFile))
	}
	return f.place().store()
}

func (f *oauthLoginFlags) run(ctx context.Context, a *app, p oauth.Person, store *oauth.Store) error {
	record, err := f.login(ctx, a, p)
	if err != nil {
		return oauthError(err)
	}
	if err := store.Keep(ctx, record); err != nil {
		return &failure{code: exitState, what: "the login cannot be kept: " + cause(err).Error(), err: err, hint: "choose another --state-dir"}
	}
	_, err = fmt.Fprintf(a.out, "logged in: %s at %s; use it with --source-oauth %s or --target-oauth %[3]s\n",
		ui.Clean(f.user), ui.Clean(p.Name), ui.Clean(shellWord(p.Name)))
	return err
}

func (f *oauthLoginFlags) login(ctx context.Context, a *app, p oauth.Person) (oauth.Record, error) {
	if f.device {
		return tokenClient().Device(ctx, p, f.user, func(address, code string, until time.Time) error {
			_, err := fmt.Fprintf(a.err, "open %s and enter the code %s (until %s)\n", ui.Clean(address), ui.Clean(code), until.Local().Format("15:04"))
			return err
		})
	}
	return tokenClient().Browser(ctx, p, f.user, f.port, func(address string) error {
		_, err := fmt.Fprintf(a.err, "open this address in a browser on this machine, and log in as %s:\n%s\n", ui.Clean(f.user), ui.Clean(address))
		return err
	})
}

// oauthError gives a login that failed its code: refused like any other login, or not available.
func oauthError(err error) error {
	var t *auth.TokenError
	if !errors.As(err, &t) {
		return err
	}
	code := exitUnavailable
	if t.Permanent {
		code = exitAuthSrc
	}
	return &failure{code: code, what: t.Text, hint: t.Hint, err: err}
}
