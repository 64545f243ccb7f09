package cmd

import (
	"context"
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
	"mailmove/state/fleet"
)

const probeLong = `Connects to one IMAP server and says what it is, what it can do, and whether
mail will move fast. Without a user it tells what can be seen before a login.
Of a mail address the servers are searched: SRV records, the domain's autoconfig
file, common names; never in clear text. A server outside the domain that only
the DNS names gets no password.`

// Patience of a probe: of one wait, and of one server.
const (
	probeConnect = 15 * time.Second
	probeWait    = 30 * time.Second
	probeServer  = 2 * time.Minute
)

// probeFlags are what "mailmove probe" takes.
type probeFlags struct {
	endpoint endpointFlags
	write    bool
	json     bool
	loginNow bool
	stateDir string
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
	c.Flags().BoolVar(&f.loginNow, "login-now", false, "log in although it failed before and the time to wait is not over")
	bindStateDir(c.Flags(), &f.stateDir)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkGiven(c.Flags()); err != nil {
			return err
		}
		if len(args) != 1 {
			return usagef("for example mailmove probe mail.old.example", "give one mail address, host or URL")
		}
		return (&probing{probeFlags: f, a: a}).run(c.Context(), args[0])
	}
	return c
}

// probing is one run of the command.
type probing struct {
	*probeFlags
	a      *app
	notes  []string        // of the search
	usual  string          // the mail address, where one was given: to log in as where nothing else is known
	filled *imapx.Endpoint // the credential, once it is known: one question is enough
	fleet  *fleet.Fleet    // what passes remember; nil: there is nothing
	pinned bool            // the server that answered has a certificate that is remembered
}

// run finds the servers and examines one.
func (p *probing) run(ctx context.Context, where string) (err error) {
	servers, err := p.servers(ctx, where)
	if err != nil {
		return err
	}
	p.endpoint.auth.place.stateDir = p.stateDir // of kept tokens
	closed, err := p.remember(ctx)
	if err != nil {
		return err
	}
	defer func() { closed(&err) }()
	return p.tryAll(ctx, servers)
}

// tryAll examines the first server that answers.
func (p *probing) tryAll(ctx context.Context, servers []discover.Server) error {
	var tried, over []*imapx.Error
	for _, s := range servers {
		found, err := p.try(ctx, s)
		var x *imapx.Error
		next := errors.As(err, &x) && (x.Kind == imapx.KindConnect || x.Kind == imapx.KindTLS) && found == nil && ctx.Err() == nil
		if !next {
			return errors.Join(p.print(found), p.passedOver(over), p.without(s, found), err)
		}
		if tried = append(tried, x); worthTelling(s, x) {
			over = append(over, x)
		}
	}
	return p.nobody(tried)
}

// without says why there was no login, or nothing written, where somebody asked for that.
func (p *probing) without(s discover.Server, found *imapx.Probe) error {
	if found == nil || found.LoggedIn {
		return nil
	}
	text := ""
	switch {
	case !s.Vouched:
		at := net.JoinHostPort(s.Host, itoa(s.Port))
		text = fmt.Sprintf("no login at %s: only the DNS names this server, which anybody could forge; to log in, name it yourself: mailmove probe %s --user NAME", at, at)
	case p.write:
		text = "nothing was written: there was no login"
	default:
		return nil
	}
	_, err := io.WriteString(p.a.err, hanging("", ui.Clean(text), max(p.a.width, 40)))
	return err
}

// servers are what is tried in turn, with the user to log in as in User.
func (p *probing) servers(ctx context.Context, where string) ([]discover.Server, error) {
	if !strings.Contains(where, "://") && strings.Contains(where, "@") {
		return p.search(ctx, where)
	}
	at, err := parseAddress("ENDPOINT", where)
	if err != nil {
		return nil, err
	}
	one := discover.Server{Host: at.Host, Port: at.Port, StartTLS: at.TLS == imapx.TLSStartTLS, User: at.User, Vouched: true}
	all := []discover.Server{one}
	if !strings.Contains(where, "://") && at.Port == 0 && !p.endpoint.tls.set {
		one.Port, one.StartTLS = 143, true
		all = append(all, one)
	}
	return all, nil
}

// search finds the servers of a mail address.
func (p *probing) search(ctx context.Context, where string) ([]discover.Server, error) {
	if p.endpoint.tls.set && p.endpoint.tls.mode == imapx.TLSNone {
		return nil, usagef("name the server that is to be spoken to in clear text", "--tls none and a mail address: the password would go to whatever server is found")
	}
	if err := p.searchable(where[strings.LastIndexByte(where, '@')+1:]); err != nil {
		return nil, err
	}
	found, err := discover.Look(ctx, discover.Config{}, where)
	if err != nil {
		return nil, usagef("for example alice@old.example", "%s: %v", shown(where), err)
	}
	p.notes, p.usual = found.Notes, where
	for _, note := range found.Notes {
		if _, err := io.WriteString(p.a.err, ui.Clean(note)+"\n"); err != nil {
			return nil, err
		}
	}
	return found.Servers, nil
}

// searchable refuses a search where connections go through a proxy: the DNS and the web are asked directly, and a proxy may be
// there to keep anything from going out like that.
func (p *probing) searchable(domain string) error {
	host := "imap." + domain
	if !isHostName(host) {
		return nil // the search says what is wrong with it
	}
	ep, err := p.at(discover.Server{Host: host}, "")
	if err == nil && ep.Proxy != nil {
		err = usagef("name the server: mailmove probe HOST --user NAME; or search without the proxy: --proxy none",
			"a mail address, and a proxy: the search for its server would go out directly")
	}
	return err
}

// try examines one server. It logs in where a user is known and the server is vouched for.
func (p *probing) try(ctx context.Context, s discover.Server) (*imapx.Probe, error) {
	asked := orElse(p.endpoint.user, s.User)
	user := orElse(asked, p.usual)
	ep, err := p.at(s, user)
	if err != nil {
		return nil, err
	}
	if err := rememberedPins(ctx, p.fleet, &ep); err != nil {
		return nil, err
	}
	p.pinned = ep.PinnedAs != ""
	o := imapx.ExamineOptions{LogIn: user != "" && s.Vouched, Write: p.write}
	o.DialTimeout, o.Timeout = probeConnect, probeWait
	if o.LogIn {
		ep, err = p.login(ctx, ep)
		var none *failure
		switch {
		case err == nil:
		case p.usual != "" && p.endpoint.user == "" && errors.As(err, &none) && none.code == exitNoInput && !p.endpoint.given():
			o.LogIn = false // nobody asked for a login
		default:
			return nil, err
		}
	}
	within, cancel := context.WithTimeout(ctx, probeServer) // of which who types a password takes nothing
	defer cancel()
	found, err := p.examine(within, ep, o)
	return found, ofUser(user, err)
}

// at is the endpoint of a server.
func (p *probing) at(s discover.Server, user string) (imapx.Endpoint, error) {
	flags, scheme := p.endpoint, "imaps://"
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
	return flags.endpoint()
}

// login adds the credential, which is read once for all servers.
func (p *probing) login(ctx context.Context, ep imapx.Endpoint) (imapx.Endpoint, error) {
	if p.filled == nil {
		with, err := p.endpoint.login(ctx, ep, terminal{p.a.in, p.a.err})
		if err != nil {
			return ep, err
		}
		p.filled = &with
	}
	ep.Password, ep.Token, ep.Auth = p.filled.Password, p.filled.Token, p.filled.Auth
	return ep, nil
}

// given tells whether a credential was named, wherever it is.
func (e *endpointFlags) given() bool {
	return e.pass.file != "" || e.pass.command != "" || e.auth.tokens()
}
