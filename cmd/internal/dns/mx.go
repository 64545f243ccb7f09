package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// mx is an MX record.
type mx struct {
	preference uint16
	host       string // "": the null MX, "this domain has no mail" (RFC 7505)
}

func (m mx) String() string { return fmt.Sprintf("%d %s", m.preference, orDot(m.host)) }

func orDot(name string) string {
	if name == "" {
		return "."
	}
	return name
}

// mxHosts are the names in values of MX records, the first preference first; the null MX is left out.
func mxHosts(values []string) (hosts []string) {
	ordered := slices.Clone(values)
	preference := func(v string) int {
		text, _, _ := strings.Cut(v, " ")
		n, _ := strconv.Atoi(text) // our own text: always a number
		return n
	}
	slices.SortStableFunc(ordered, func(a, b string) int { return preference(a) - preference(b) })
	for _, v := range ordered {
		if _, host, _ := strings.Cut(v, " "); host != "." && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// mxNow are the mail servers that the name servers give, of any version; mxAll has those that are expected too.
func (l *looker) mxNow() (hosts []string) {
	for _, r := range l.d.Records {
		if r.Type == "MX" && r.Name == l.d.Name {
			for _, v := range r.Versions() {
				hosts = append(hosts, mxHosts(v)...)
			}
		}
	}
	return unique(hosts)
}

func (l *looker) mxAll() []string { return unique(append(l.mxNow(), l.c.ExpectMX...)) }

// unique keeps the first of each.
func unique(all []string) (kept []string) {
	for _, s := range all {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// lookMX looks at each mail server that an MX names: it must have an address, and not be an alias.
func lookMX(ctx context.Context, l *looker) {
	l.nullMX()
	hosts := l.mxAll()
	if len(hosts) > mostMX {
		l.find("mx", Warning, "", "%d of %d mail servers were not looked at", len(hosts)-mostMX, len(hosts))
		hosts = hosts[:mostMX]
	}
	for _, host := range hosts {
		ips, aliases, err := l.addresses(ctx, host, 0)
		_, literal := netip.ParseAddr(host)
		switch {
		case literal == nil:
			l.find("mx", Failed, "name the server, not its address", "the MX is the address %s: an MX has a name (RFC 1035 3.3.9)", host)
		case err != nil:
			l.find("mx", Failed, "have its zone looked at", "the address of the MX %s cannot be found: %s", host, short(err.Error()))
		case len(aliases) > 0 && len(ips) == 0:
			l.find("mx", Failed, "no mail arrives there: name a server that there is", "the MX %s is an alias (CNAME) of %s, which has no address", host, list(aliases[len(aliases)-1:]))
		case len(aliases) > 0:
			l.find("mx", Warning, "name the server's own name in the MX: some servers do not deliver to an alias",
				"the MX %s is an alias (CNAME) of %s, which must not be (RFC 2181 10.3)", host, list(aliases[len(aliases)-1:]))
		case len(ips) == 0:
			l.find("mx", Failed, "no mail arrives there: correct the name, or give it an address", "the MX %s has no address", host)
		default:
			l.find("mx", OK, "", "%s has %s", host, list(texts(ips)))
		}
	}
}

// nullMX tells of a domain that says it has no mail.
func (l *looker) nullMX() {
	for _, r := range l.d.Records {
		for _, v := range r.Versions() {
			if r.Type == "MX" && slices.ContainsFunc(v, func(s string) bool { return strings.HasSuffix(s, " .") }) {
				l.find("mx", Warning, "is it the right domain?", "%s says that it has no mail: a null MX (RFC 7505)", r.Name)
			}
		}
	}
}

func texts(ips []netip.Addr) (all []string) {
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all
}
