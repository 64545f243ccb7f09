package cmd

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/dns"
)

// mostDomains is how many domains one run looks at.
const mostDomains = 10_000

// dnsLook is a validated "mailmove dns".
type dnsLook struct {
	config  dns.Config
	domains []string
	dir     string
	wait    time.Duration // 0: look once
	limit   time.Duration // 0: none
	print   func(*app, dns.Report) error
}

// validate checks everything that needs no network, and reads the list.
func (f *dnsFlags) validate(ctx context.Context, a *app, args []string) (*dnsLook, error) {
	k := &dnsLook{wait: time.Duration(f.wait), limit: time.Duration(f.timeLimit), print: dnsTable}
	if f.json {
		k.print = dnsJSON
	}
	if k.limit > 0 && k.wait == 0 {
		return nil, usagef("add --wait", "--time-limit without --wait")
	}
	var err error
	if k.config, err = f.config(); err != nil {
		return nil, err
	}
	if k.dir, err = stateDir(f.stateDir); err != nil {
		return nil, err
	}
	if k.domains, err = f.domains(ctx, a, args); err != nil {
		return nil, err
	}
	return k, nil
}

// config is what the flags say of what is looked at.
func (f *dnsFlags) config() (c dns.Config, err error) {
	c = dns.Config{
		Hosts: f.hosts, ExpectMX: f.expectMX, Source: f.source, Selectors: f.selectors, LowTTL: time.Duration(f.ttl), OldTTL: time.Duration(f.oldTTL),
		HTTPSPort: f.httpsPort, ExpectAddr: make(map[string][]netip.Addr), ExpectTXT: make(map[string][]string),
	}
	for flag, names := range map[string][]string{"host": f.hosts, "expect-mx": f.expectMX, "dkim-selector": f.selectors} {
		for _, name := range names {
			if !dns.ValidName(name) {
				return c, noName("--"+flag, name)
			}
		}
	}
	if f.source != "" && !dns.ValidName(f.source) {
		return c, noName("--source", f.source)
	}
	for _, text := range f.expect {
		name, value, _ := strings.Cut(text, "=")
		ip, err := netip.ParseAddr(value)
		if err != nil || !dns.ValidName(name) {
			return c, usagef("for example --expect mail.example.org=192.0.2.7", "--expect %s: write a host name, = and an address", shown(text))
		}
		c.ExpectAddr[name] = append(c.ExpectAddr[name], ip)
	}
	for _, text := range f.expectTXT {
		name, value, found := strings.Cut(text, "=")
		if !found || value == "" || !dns.ValidName(name) {
			return c, usagef("for example --expect-txt example.org=provider-verification=1234", "--expect-txt %s: write a name, = and a text", shown(text))
		}
		c.ExpectTXT[name] = append(c.ExpectTXT[name], value)
	}
	for _, text := range f.resolvers {
		at, err := nameServer(text)
		if err != nil {
			return c, usagef("for example --resolver 9.9.9.9", "--resolver %s: write an IP address, or address:port", shown(text))
		}
		c.Resolvers = append(c.Resolvers, at)
	}
	if f.root != "" {
		at, err := nameServer(f.root)
		if err != nil {
			return c, usagef("for example --root 192.0.2.53:53", "--root %s: write an IP address, or address:port", shown(f.root))
		}
		c.Roots, c.Port = []netip.AddrPort{at}, at.Port()
	}
	return c, nil
}

// nameServer reads an address, with a port or without.
func nameServer(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip, 53), nil
	}
	return netip.ParseAddrPort(text)
}

func noName(where, name string) error {
	if strings.TrimSpace(name) == "" { // "$DOMAIN" of a script that has not set it
		return usagef("for example example.org; is a variable of the shell empty?", "%s is blank", where)
	}
	return usagef("write a name such as example.org; in other scripts its form in ASCII, xn--…", "%s %s is no domain name", where, shown(name))
}

// domains are those of the command line, or of the list; each once, in their order.
func (f *dnsFlags) domains(ctx context.Context, a *app, args []string) (all []string, err error) {
	switch {
	case f.file != "" && len(args) > 0:
		return nil, usagef("give one of them", "both --accounts and a domain")
	case f.file == "" && (f.encoding != "" || len(f.groups) > 0):
		return nil, usagef("add --accounts FILE", "--group and --encoding are for a list")
	case f.file == "" && len(args) == 0:
		return nil, usagef("for example mailmove dns example.org", "no domain is given")
	case f.file != "":
		args, err = f.listDomains(ctx, a)
		if err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool)
	for _, arg := range args {
		if !dns.ValidName(arg) {
			return nil, noName("the domain", arg)
		}
		if err := f.noTime(arg); err != nil {
			return nil, err
		}
		if name := dns.Name(arg); !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	if len(all) > mostDomains {
		return nil, usagef("look at them by --group", "%d domains: at most %d at once", len(all), mostDomains)
	}
	return all, nil
}

// noTime refuses the word behind a --wait that may stand alone: a time, or a number that was meant as one. No top-level
// domain is all digits (RFC 3696 2), so that one would be waited for without end.
func (f *dnsFlags) noTime(arg string) error {
	unit := ""
	if strings.Trim(arg, "0123456789") == "" {
		unit = "s"
	}
	if _, err := time.ParseDuration(arg + unit); err != nil || f.wait == 0 {
		return nil
	}
	return usagef("write --wait="+arg+unit, "%s is no domain", shown(arg))
}

// listDomains are the domains of a list's accounts.
func (f *dnsFlags) listDomains(ctx context.Context, a *app) (all []string, err error) {
	l, err := readList(ctx, a, "--accounts", f.file, f.encoding, true)
	if err != nil {
		return nil, err
	}
	without := 0
	for _, r := range l.Rows {
		if len(f.groups) > 0 && !slices.Contains(f.groups, r.Group) {
			continue
		}
		if domain := rowDomain(r); domain != "" {
			all = append(all, domain)
		} else {
			without++
		}
	}
	if without > 0 {
		a.warn("%s: %s without a domain in the user's name: not looked at", l.Name, howMany(int64(without), "account", "accounts"))
	}
	if len(all) == 0 {
		return nil, usagef("give the domains instead: mailmove dns example.org", "%s: no account has a domain to look at", l.Name)
	}
	return all, nil
}

// rowDomain is the domain of the mail address that a row is about: that of the source's user, else of the target's. A user may
// be followed by a master user (alice@example.org*master).
func rowDomain(r accounts.Row) string {
	for _, column := range []string{"source_user", "target_user"} {
		user := r.Fields[column]
		at := strings.LastIndexByte(user, '@')
		if at < 0 {
			continue
		}
		domain, _, _ := strings.Cut(user[at+1:], "*")
		if strings.Contains(domain, ".") && dns.ValidName(domain) {
			return domain
		}
	}
	return ""
}
