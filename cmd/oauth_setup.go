package cmd

import (
	"errors"
	"io"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx/auth/oauth"
)

const oauthSetupLong = `Prints what the admin of a tenant has to do once, so that mailboxes can be
opened without their passwords, filled in with what is given. Nothing is changed
and nobody is asked.`

type oauthSetupFlags struct {
	tenant      string
	clientID    string
	certificate bool
	users       []string
	key         string
}

func newOAuthSetup(a *app) *cobra.Command {
	f := &oauthSetupFlags{}
	c := &cobra.Command{
		Use:   "setup m365|google",
		Short: "Print what the tenant's admin has to do",
		Long:  oauthSetupLong,
		Example: "  mailmove oauth setup m365 --tenant example.org --user alice@example.org\n" +
			"  mailmove oauth setup google --key google.json",
		Args:                  oneProvider,
		DisableFlagsInUseLine: true,
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.tenant, "tenant", "", "`TENANT` of Microsoft 365: a domain or an id")
	set.StringVar(&f.clientID, "client-id", "", "`ID` of the application, where it is there already")
	set.BoolVar(&f.certificate, "certificate", false, "the application proves itself by a certificate, not by a secret")
	set.StringArrayVar(&f.users, "user", nil, "`ADDRESS` of a mailbox to be opened (repeatable)")
	set.StringVar(&f.key, "key", "", "key `FILE` of Google's service account, where it is there already")
	c.RunE = func(_ *cobra.Command, args []string) error {
		text, err := f.text(args[0])
		if err != nil {
			return err
		}
		_, err = io.WriteString(a.out, text)
		return err
	}
	return c
}

func (f *oauthSetupFlags) text(provider string) (string, error) {
	for flag, value := range map[string]string{"--tenant": f.tenant, "--client-id": f.clientID} {
		if value != "" && !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(value) {
			return "", usagef("it is made of letters, digits, dots and dashes", "%s %s: that is none", flag, shown(value))
		}
	}
	for _, u := range f.users {
		if u == "" || ui.Clean(u) != u {
			return "", usagef("for example --user alice@example.org", "--user %s: that is no address", shown(u))
		}
	}
	s := oauth.Setup{Tenant: f.tenant, ClientID: f.clientID, Certificate: f.certificate, Users: f.users, KeyFile: f.key}
	switch provider {
	case oauth.Microsoft:
		if f.key != "" {
			return "", usagef("leave it out", "--key is for google")
		}
		return s.Microsoft365(), nil
	case oauth.Google:
		if f.tenant != "" || f.certificate {
			return "", usagef("leave them out", "--tenant and --certificate are for m365")
		}
		if f.key != "" {
			id, err := serviceAccountID(f.key)
			if err != nil {
				return "", settingsError("--key", f.key, err)
			}
			s.ClientID = orElse(s.ClientID, id)
		}
		return s.Workspace(), nil
	}
	return "", usagef("it is m365 or google", "no instructions for %s", shown(provider))
}

// serviceAccountID reads the number that the admin has to enter out of a key file.
func serviceAccountID(path string) (string, error) {
	s, err := oauth.ReadSettings(path)
	switch {
	case err != nil:
		return "", err
	case s.ClientID == "":
		return "", &os.PathError{Op: "read", Path: path, Err: errors.New(`its field "client_id" is missing`)}
	case !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(s.ClientID):
		return "", &os.PathError{Op: "read", Path: path, Err: errors.New(`its field "client_id" is none`)}
	}
	return s.ClientID, nil
}
