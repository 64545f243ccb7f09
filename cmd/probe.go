package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/discover"
	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
)

const probeLong = `Connects to one IMAP server and says what it is, what it can do, and whether
mail will move fast. Without a user it tells what can be seen before a login.
Of a mail address the servers are searched: SRV records, the domain's autoconfig
file, common names; never in clear text. A server outside the domain that only
the DNS names gets no password.`

// probeFlags are what "mailmove probe" takes.
type probeFlags struct {
	endpoint endpointFlags
	write    bool
	json     bool
}

func newProbe(a *app) *cobra.Command {
	f := &probeFlags{}
	c := &cobra.Command{
		Use:     "probe ENDPOINT [flags]",
		Short:   "Say what a server is, and whether mail will move fast",
		Long:    probeLong,
		Example: "  mailmove probe alice@old.example\n  mailmove probe mail.old.example --user alice --json",
		Args:    cobra.ArbitraryArgs,

		ValidArgsFunction:     cobra.NoFileCompletions,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.endpoint.bind(c.Flags())
	c.Flags().BoolVar(&f.write, "write", false, "store three messages in a folder made for it, and remove both")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object (docs/probe.md)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkGiven(c.Flags()); err != nil {
			return err
		}
		if len(args) != 1 {
			return usagef("for example mailmove probe mail.old.example", "give one mail address, host or URL")
		}
		return f.run(c.Context(), a, args[0])
	}
	return c
}

func (f *probeFlags) run(ctx context.Context, a *app, where string) error {
	servers, err := f.servers(ctx, a, where)
	if err != nil {
		return err
	}
	var first error
	for _, s := range servers {
		p, err := f.try(ctx, a, s)
		var x *imapx.Error
		next := errors.As(err, &x) && (x.Kind == imapx.KindConnect || x.Kind == imapx.KindTLS) && p == nil && ctx.Err() == nil
		if !next {
			return errors.Join(f.print(a, p), err)
		}
		if first == nil || x.Kind == imapx.KindTLS {
			first = err
		}
	}
	return first
}

// servers are what is tried in turn, with the user to log in as in User.
func (f *probeFlags) servers(ctx context.Context, a *app, where string) ([]discover.Server, error) {
	if !strings.Contains(where, "://") && strings.Contains(where, "@") {
		found, err := discover.Look(ctx, discover.Config{}, where)
		if err != nil {
			return nil, usagef("for example alice@old.example", "%s: %v", shown(where), err)
		}
		for _, note := range found.Notes {
			if _, err := io.WriteString(a.err, ui.Clean(note)+"\n"); err != nil {
				return nil, err
			}
		}
		return found.Servers, nil
	}
	at, err := parseAddress("ENDPOINT", where)
	if err != nil {
		return nil, err
	}
	one := discover.Server{Host: at.Host, Port: at.Port, StartTLS: at.TLS == imapx.TLSStartTLS, User: at.User, Vouched: true}
	all := []discover.Server{one}
	if !strings.Contains(where, "://") && at.Port == 0 && !f.endpoint.tls.set {
		one.Port, one.StartTLS = 143, true
		all = append(all, one)
	}
	return all, nil
}

// try examines one server. It logs in where a user is given and the server is vouched for.
func (f *probeFlags) try(ctx context.Context, a *app, s discover.Server) (*imapx.Probe, error) {
	flags, user := f.endpoint, orElse(f.endpoint.user, s.User)
	scheme := "imaps://"
	if s.StartTLS {
		scheme = "imap://"
	}
	flags.url, flags.user = scheme+s.Host, orElse(user, "nobody")
	if strings.Contains(s.Host, ":") {
		flags.url = scheme + "[" + s.Host + "]"
	}
	if s.Port != 0 {
		flags.url = scheme + net.JoinHostPort(s.Host, itoa(s.Port))
	}
	ep, err := flags.endpoint()
	if err != nil {
		return nil, err
	}
	o := imapx.ExamineOptions{LogIn: user != "" && s.Vouched, Write: f.write}
	o.DialTimeout = 15 * time.Second
	if o.LogIn {
		if ep, err = flags.login(ctx, ep, terminal{a.in, a.err}); err != nil {
			return nil, err
		}
	}
	p, err := imapx.Examine(ctx, ep, o)
	return p, ofUser(user, err)
}

// jsonProbe is the object of "probe --json".
type jsonProbe struct {
	Type     string   `json:"type"`
	Server   string   `json:"server"`
	Greeting string   `json:"greeting"`
	TLS      string   `json:"tls"`
	Cipher   string   `json:"cipher"`
	Cert     string   `json:"certificate"`
	Before   []string `json:"capabilities_before"`
	After    []string `json:"capabilities_after"`
	Provider string   `json:"provider"`
	Folders  int      `json:"folders"`
	RTT      int64    `json:"round_trip_us"`
	Limit    uint64   `json:"append_limit"`
	Slow     []string `json:"slow"`
	Problems []string `json:"problems"`
}

func probeObject(p *imapx.Probe) jsonProbe {
	j := jsonProbe{Type: "probe", Server: p.Server, Greeting: ui.Clean(p.Greeting), Before: p.Before, After: p.After,
		Provider: p.Provider.Name, Folders: len(p.Listing.Folders), RTT: p.RTT.Microseconds(), Limit: p.Limits.Append, Slow: p.Slow()}
	if p.TLS != nil {
		j.TLS, j.Cipher = tls.VersionName(p.TLS.Version), tls.CipherSuiteName(p.TLS.CipherSuite)
		j.Cert = ui.Clean(auth.Describe(p.TLS.PeerCertificates[0]))
	}
	for _, err := range p.Problems {
		j.Problems = append(j.Problems, ui.Clean(errorWords(err)))
	}
	return j
}

func (f *probeFlags) print(a *app, p *imapx.Probe) error {
	if p == nil {
		return nil
	}
	j := probeObject(p)
	if f.json {
		return printJSON(a.out, j)
	}
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-14s %s\n", name, ui.Clean(text))
		}
	}
	line("server", j.Server)
	line("greeting", j.Greeting)
	line("TLS", strings.TrimSpace(j.TLS+" "+j.Cipher))
	line("certificate", j.Cert)
	line("before login", strings.Join(j.Before, " "))
	line("after login", strings.Join(j.After, " "))
	line("provider", j.Provider)
	for _, n := range p.Listing.Personal {
		line("namespace", fmt.Sprintf("%q, separator %q", n.Prefix, n.Delim))
	}
	for _, folder := range p.Listing.Folders {
		if folder.SpecialUse != "" {
			line("special", string(folder.SpecialUse)+" "+folder.Name)
		}
	}
	for _, q := range p.Quota {
		line("quota", fmt.Sprintf("%d of %d bytes", q.Bytes.Used, q.Bytes.Limit))
	}
	line("round trip", p.RTT.Round(10*time.Microsecond).String())
	if h := p.Write; h != nil {
		line("write", fmt.Sprintf("%d stored; dates kept: %t, keywords kept: %t, bytes kept: %t, UIDs told: %t, removed: %t", h.Stored, h.Dates, h.Keywords, h.Bytes, h.UIDsTold, h.Removed))
	}
	for _, problem := range j.Problems {
		line("problem", problem)
	}
	line("verdict", orElse(strings.Join(prefixed("slow, because ", j.Slow), "; "), "fast"))
	_, err := io.WriteString(a.out, b.String())
	return err
}

// prefixed puts words before the first of a list.
func prefixed(words string, list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return append([]string{words + list[0]}, list[1:]...)
}
