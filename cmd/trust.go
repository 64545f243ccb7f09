package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state/fleet"
)

const trustLong = `Certificates that somebody trusts a server to have, though no authority vouches
for them. A server that has one here must show it: any other is refused. On a
terminal the passes ask, and a yes is kept here.`

func newTrust(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Servers' certificates that are trusted by themselves",
		Long:  trustLong,
		Example: "  mailmove trust list\n" +
			"  mailmove trust remove --server mail.old.example",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	c.AddCommand(newTrustList(a), newTrustAdd(a), newTrustRemove(a))
	return c
}

// trustSelection is which certificates are meant.
type trustSelection struct {
	server   string
	pins     pinList
	replace  bool
	json     bool
	stateDir string
}

// command binds what all of them have, and runs the work on the open file.
func (s *trustSelection) command(c *cobra.Command, bind func(*pflag.FlagSet), work func(context.Context, *fleet.Fleet) error) *cobra.Command {
	c.Args, c.DisableFlagsInUseLine = noArguments, true
	c.Flags().SortFlags = false
	bind(c.Flags())
	bindStateDir(c.Flags(), &s.stateDir)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if c.Flags().Lookup("server") != nil {
			if s.server, err = trustedServer(s.server); err != nil {
				return err
			}
		}
		dir, err := stateDir(s.stateDir)
		if err != nil {
			return err
		}
		f, err := fleet.Open(c.Context(), dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		return work(c.Context(), f)
	}
	return c
}

// trustedServer is the name under which a server's certificates are kept. The standard ports belong to one server.
func trustedServer(text string) (string, error) {
	if text == "" {
		return "", usagef("for example --server mail.old.example", "no --server")
	}
	host, port, err := parseHostPort("--server", text)
	if port == 0 {
		port = defaultPort(imapx.TLSImplicit)
	}
	return loginServer(imapx.Endpoint{Host: host, Port: port}), err
}

func (s *trustSelection) bindServer(set *pflag.FlagSet) {
	set.StringVar(&s.server, "server", "", "`HOST` that is dialled: as in --source, or in --source-address where that is given; with its port, if not 993 or 143")
}

func newTrustList(a *app) *cobra.Command {
	s := &trustSelection{}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the certificates that are trusted by themselves",
		Long:    "Lists the certificates that are trusted by themselves. No server is asked.",
		Example: "  mailmove trust list\n  mailmove trust list --json",
		Args:    noArguments,
	}
	c.Flags().SortFlags = false
	bindStateDir(c.Flags(), &s.stateDir)
	c.Flags().BoolVar(&s.json, "json", false, "print one JSON object a line (docs/tls.md)")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		dir, err := stateDir(s.stateDir)
		if err != nil {
			return err
		}
		a.warnNoState(s.stateDir, dir)
		var all []fleet.TrustedCertificate
		if exists(filepath.Join(dir, fleet.FileName)) { // who only looks makes no file
			f, err := fleet.Open(c.Context(), dir)
			if err != nil {
				return err
			}
			all, err = f.Trusted(c.Context(), "")
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
		return s.list(a.out, all)
	}
	return c
}

func (s *trustSelection) list(out io.Writer, all []fleet.TrustedCertificate) error {
	if s.json {
		return trustJSON(out, all)
	}
	if len(all) == 0 {
		_, err := io.WriteString(out, "no certificate is trusted by itself; an authority's need no entry\n")
		return err
	}
	for _, t := range all {
		_, err := fmt.Fprintf(out, "%s\n  %s\n  added on %s%s\n", ui.Clean(t.Server), auth.Pin(t.SHA256), t.Added.Local().Format(time.DateOnly), ui.Clean(saidOfItself(t)))
		if err != nil {
			return err
		}
	}
	return nil
}

// saidOfItself is what the certificate said, empty where nobody saw it.
func saidOfItself(t fleet.TrustedCertificate) string {
	if t.Ends.IsZero() {
		return ""
	}
	return fmt.Sprintf(", for %s, issued by %s, valid until %s", t.Names, orElse(t.Issuer, "nobody"), t.Ends.UTC().Format(time.DateOnly))
}

// jsonTrusted is a line of trust list --json.
type jsonTrusted struct {
	Server string  `json:"server"`
	Pin    string  `json:"pin"`
	Names  string  `json:"names"`
	Issuer string  `json:"issuer"`
	Until  *string `json:"until"` // null: nobody saw it
	Added  string  `json:"added"`
}

func trustJSON(out io.Writer, all []fleet.TrustedCertificate) error {
	for _, t := range all {
		line := jsonTrusted{Server: t.Server, Pin: auth.Pin(t.SHA256).String(), Names: t.Names, Issuer: t.Issuer, Added: t.Added.UTC().Format(time.RFC3339)}
		if !t.Ends.IsZero() {
			until := t.Ends.UTC().Format(time.RFC3339)
			line.Until = &until
		}
		text, err := json.Marshal(line)
		if err == nil {
			_, err = out.Write(append(text, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newTrustAdd(a *app) *cobra.Command {
	s := &trustSelection{}
	return s.command(&cobra.Command{
		Use:   "add --server HOST --pin SHA256",
		Short: "Trust a certificate that a server has",
		Long: `Trusts a certificate that a server has, beside those that are trusted already.
The server is not asked: what it says is no proof. Compare with what
"openssl x509 -in FILE -noout -fingerprint -sha256" prints on the server.`,
		Example: "  mailmove trust add --server mail.old.example --pin sha256:9f86d081…",
	}, func(set *pflag.FlagSet) {
		s.bindServer(set)
		set.Var(&s.pins, "pin", "the certificate: sha256: and 64 hex digits, with or without colons")
		set.BoolVar(&s.replace, "replace", false, "trust the server's other certificates no more")
	}, func(ctx context.Context, f *fleet.Fleet) error { return s.add(ctx, a.out, f) })
}

func (s *trustSelection) add(ctx context.Context, out io.Writer, f *fleet.Fleet) error {
	if len(s.pins) == 0 {
		return usagef("the message that refuses a certificate shows it", "no --pin")
	}
	for i, pin := range s.pins {
		t, keep := fleet.TrustedCertificate{Server: s.server, SHA256: pin, Added: time.Now()}, f.Trust
		if s.replace && i == 0 {
			keep = f.TrustOnly
		}
		if err := keep(ctx, t); errors.Is(err, fleet.ErrTooManyTrusted) {
			return &failure{code: exitUsage, what: s.server + ": " + err.Error(), hint: "remove those that are gone: mailmove trust remove", err: err}
		} else if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", ui.Clean(s.server), countText(int64(len(s.pins)), "certificate is trusted now", "certificates are trusted now"))
	return err
}

func newTrustRemove(a *app) *cobra.Command {
	s := &trustSelection{}
	return s.command(&cobra.Command{
		Use:   "remove --server HOST [--pin SHA256]",
		Short: "Trust a certificate no more",
		Long:  "Trusts a server's certificates no more: the authorities are asked again.",
		Example: "  mailmove trust remove --server mail.old.example\n" +
			"  mailmove trust remove --server mail.old.example --pin sha256:9f86d081…",
	}, func(set *pflag.FlagSet) {
		s.bindServer(set)
		set.Var(&s.pins, "pin", "this one only (default: all of the server)")
	}, func(ctx context.Context, f *fleet.Fleet) error { return s.remove(ctx, a.out, f) })
}

func (s *trustSelection) remove(ctx context.Context, out io.Writer, f *fleet.Fleet) (err error) {
	var removed int64
	if len(s.pins) == 0 {
		removed, err = f.Distrust(ctx, s.server, nil)
	}
	for _, pin := range s.pins {
		n, e := f.Distrust(ctx, s.server, (*[32]byte)(&pin))
		removed, err = removed+n, errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	if removed == 0 {
		return &failure{code: exitNoInput, what: "no such certificate of " + s.server + " is trusted", hint: "mailmove trust list shows what is"}
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", ui.Clean(s.server), countText(removed, "certificate is trusted no more", "certificates are trusted no more"))
	return err
}
