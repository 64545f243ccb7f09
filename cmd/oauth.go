package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx/auth/oauth"
)

const oauthLong = `Logins by access tokens, where a provider takes no passwords: a person logs in
once in a browser, or the tenant's admin allows an application (docs/oauth.md).`

func newOAuth(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "oauth",
		Short: "Log in where passwords are not taken",
		Long:  oauthLong,
		Example: "  mailmove oauth setup m365 --tenant example.org\n" +
			"  mailmove oauth login google --user alice@example.org --client-id …\n" +
			"  mailmove oauth list",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	c.AddCommand(newOAuthLogin(a), newOAuthSetup(a), newOAuthList(a), newOAuthForget(a))
	return c
}

// oauthFlags are where kept logins are.
type oauthFlags struct {
	stateDir string
	keyFile  string
}

func (f *oauthFlags) bind(c *cobra.Command) {
	c.Flags().SortFlags = false
	bindKeyFile(c.Flags(), &f.keyFile)
	bindStateDir(c.Flags(), &f.stateDir)
}

func (f *oauthFlags) place() tokenPlace { return tokenPlace{stateDir: f.stateDir, keyFile: f.keyFile} }

func newOAuthList(a *app) *cobra.Command {
	f := &oauthFlags{}
	asJSON := false
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the logins that are kept",
		Long: "The logins that are kept, without their tokens. Of one that is encrypted only\n" +
			"the file is shown, unless --key-file is given.",
		Example: "  mailmove oauth list",
		Args:    noArguments,
	}
	f.bind(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each login")
	c.RunE = func(*cobra.Command, []string) error {
		store, err := f.place().store()
		if err != nil {
			return err
		}
		all, err := store.List()
		if err != nil {
			return storeError(err)
		}
		a.warnNoState(f.stateDir, f.stateDir)
		if asJSON {
			return listLoginsJSON(a, all)
		}
		return listLogins(a, all)
	}
	return c
}

type keptLogin struct {
	Provider  string     `json:"provider"`
	User      string     `json:"user"`
	File      string     `json:"file"`
	Encrypted bool       `json:"encrypted"`
	LoggedIn  *time.Time `json:"logged_in"`
	Renewed   *time.Time `json:"renewed"`
	Error     string     `json:"error"`
}

func listLoginsJSON(a *app, all []oauth.Entry) error {
	for _, e := range all {
		k := keptLogin{Provider: e.Record.Provider, User: e.Record.User, File: e.Path, Encrypted: e.Sealed,
			LoggedIn: moment(e.Record.LoggedIn), Renewed: moment(e.Record.Renewed)}
		if e.Err != nil {
			k.Error = cause(e.Err).Error()
		}
		if err := printJSON(a.out, k); err != nil {
			return err
		}
	}
	return nil
}

func listLogins(a *app, all []oauth.Entry) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.out, "no logins are kept")
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROVIDER\tLOGGED IN\tRENEWED\tENCRYPTED\tUSER")
	for _, e := range all {
		sealed := "no"
		if e.Sealed {
			sealed = "yes"
		}
		if e.Err != nil {
			fmt.Fprintf(t, "-\t-\t-\t%s\t%s: %s\n", sealed, ui.Clean(e.Path), ui.Clean(cause(e.Err).Error()))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", ui.Clean(e.Record.Provider), stamp(e.Record.LoggedIn), stamp(e.Record.Renewed), sealed, ui.Clean(e.Record.User))
	}
	return t.Flush()
}

func newOAuthForget(a *app) *cobra.Command {
	f := &oauthFlags{}
	user := ""
	c := &cobra.Command{
		Use:   "forget PROVIDER --user NAME",
		Short: "Remove a login that is kept",
		Long: "Removes a kept login from this machine. The provider still knows it: take\n" +
			"mailmove's access back in the account's settings there.",
		Example:               "  mailmove oauth forget google --user alice@example.org",
		Args:                  oneProvider,
		DisableFlagsInUseLine: true,
	}
	c.Flags().StringVar(&user, "user", "", "`NAME` who has logged in")
	bindStateDir(c.Flags(), &f.stateDir)
	c.RunE = func(c *cobra.Command, args []string) error {
		if user == "" {
			return usagef("mailmove oauth list shows them", "no --user")
		}
		store, err := f.place().store()
		if err != nil {
			return err
		}
		return forgetLogin(c.Context(), a, store, args[0], user)
	}
	return c
}

func forgetLogin(ctx context.Context, a *app, store *oauth.Store, provider, user string) error {
	err := store.Forget(ctx, provider, user)
	switch {
	case errors.Is(err, oauth.ErrNotKept):
		return &failure{code: exitNoInput, what: fmt.Sprintf("no login of %s at %s is kept", shown(user), shown(provider)), err: err,
			hint: "mailmove oauth list shows them"}
	case err != nil:
		return storeError(err)
	}
	_, err = fmt.Fprintf(a.out, "forgotten: %s at %s\n", ui.Clean(user), ui.Clean(provider))
	return err
}

// oneProvider is for commands that take a provider's name, or a settings file.
func oneProvider(c *cobra.Command, args []string) error {
	if err := checkGiven(c.Flags()); err != nil {
		return err
	}
	if len(args) == 1 && strings.TrimSpace(args[0]) != "" {
		return nil
	}
	return usagef("for example "+c.CommandPath()+" google", "%s takes one provider: m365, google or a settings file", c.CommandPath())
}
