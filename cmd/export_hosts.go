package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/coexist"
	"mailmove/cmd/internal/spelling"
	"mailmove/imapx"
)

// A question to the DNS takes at most lookupTimeout, with all its retries; after mostSilent that were not answered no more
// are asked.
const (
	lookupTimeout = 10 * time.Second
	mostSilent    = 3
)

// hostBook is what DNS says of the hosts of a run, each asked once.
type hostBook struct {
	resolver *net.Resolver
	known    map[string][]netip.Addr
	failed   map[string]error
	own      []netip.Addr
}

// newHostBook asks the name server at an address, or those of the system where that is empty.
func newHostBook(server string) *hostBook {
	b := &hostBook{resolver: &net.Resolver{}, known: make(map[string][]netip.Addr), failed: make(map[string]error)}
	if host, port, err := parseHostPort("--resolver", server); server != "" && err == nil {
		if port == 0 {
			port = 53
		}
		address := net.JoinHostPort(host, itoa(port))
		b.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}}
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return b // then only loopback is known to be this machine
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			b.own = append(b.own, prefix.Addr())
		}
	}
	return b
}

// addresses of a host, IPv4 first and in order, so that two runs say the same.
func (b *hostBook) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	host = normalHost(host)
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if b.known[host] != nil || b.failed[host] != nil {
		return b.known[host], b.failed[host]
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := b.resolver.LookupNetIP(ctx, "ip", host+".") // no search list: the map is for another machine
	if host == "localhost" {
		found, err = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, func(x, y netip.Addr) int { return x.Compare(y) }) // IPv4 comes before IPv6
	found = slices.Compact(found)
	if err == nil && len(found) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	b.known[host], b.failed[host] = found, err
	return found, err
}

// backend is the address of the server behind a proxy. lookThrough has asked for it before.
func (b *hostBook) backend(ep imapx.Endpoint) (netip.AddrPort, error) {
	host, port := dialledAddress(ep)
	found, err := b.addresses(context.Background(), host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(found[0], uint16(port)), nil
}

// exists tells whether DNS knows a domain that mail could go to: it has an MX, an address, or name servers.
func (b *hostBook) exists(ctx context.Context, domain string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	mx, err := b.resolver.LookupMX(ctx, domain+".")
	if len(mx) > 0 {
		return true, nil
	}
	for _, next := range []func() error{
		func() error { _, err := b.addresses(ctx, domain); return err },
		func() error { _, err := b.resolver.LookupNS(ctx, domain+"."); return err },
	} {
		if !isUnknown(err) {
			return err == nil, err
		}
		err = next()
	}
	if isUnknown(err) {
		return false, nil
	}
	return err == nil, err
}

// isUnknown tells a name that there is not from a name server that does not answer.
func isUnknown(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// lookThrough finds loops and slips, before anything is written.
func (x *export) lookThrough(ctx context.Context) error {
	seen := make(map[string]bool)
	for _, m := range x.moved {
		host, port, old := m.relay, m.port, m.source
		if x.format.Proxy {
			host, port = dialledAddress(m.target)
		}
		oldHost, oldPort := dialledAddress(old)
		key := fmt.Sprint(host, port, oldHost, oldPort)
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := x.judge(ctx, host, port, oldHost, oldPort); err != nil {
			return err
		}
	}
	if x.domains {
		return nil
	}
	return x.judgeDomains(ctx)
}

// judge asks whether what is sent to a host would come back.
func (x *export) judge(ctx context.Context, host string, port int, oldHost string, oldPort int) error {
	what := "logins of moved accounts go"
	if !x.format.Proxy {
		what = "mail for moved accounts goes"
	}
	to, err := x.hosts.addresses(ctx, host)
	if err != nil {
		return x.noAddress(host, err)
	}
	old, err := x.hosts.addresses(ctx, oldHost)
	if err != nil && !isUnknown(err) {
		return x.noAddress(oldHost, err)
	}
	ports := coexist.Ports(x.format)
	if x.format.Proxy {
		ports = append(ports, uint16(oldPort))
	}
	for _, addr := range to {
		place := netip.AddrPortFrom(addr, uint16(port))
		switch coexist.Judge(place, old, x.hosts.own, ports) {
		case coexist.SamePort:
			return &failure{code: exitCheck, what: fmt.Sprintf("a loop: %s to %s (%s), which is the old server itself or this machine", what, host, place),
				hint: "give the new server's own name or address; while its name still leads to the old server, --target-address (or --relay with an address)"}
		case coexist.NoPlace:
			return &failure{code: exitCheck, what: fmt.Sprintf("%s to %s (%s), which is nobody's address", what, host, addr)}
		case coexist.OldHost, coexist.OwnHost:
			x.a.warn("%s to %s: that is the old server's machine or this one; make sure that another server listens on that port", what, place)
		}
	}
	return nil
}

func (x *export) noAddress(host string, err error) error {
	if isUnknown(err) {
		hint := "is it spelt right? DNS does not know it"
		if !strings.Contains(host, ".") {
			hint = "give its whole name, with the domain: this machine's search list may not be the one of the machine that reads the map"
		}
		return &failure{code: exitCheck, err: err, what: "the host " + shown(host) + " has no address", hint: hint}
	}
	return &failure{code: exitUnavailable, err: err, what: "the host " + shown(host) + " cannot be looked up: " + err.Error(),
		hint: "run it again when DNS answers; nothing was written"}
}

// judgeDomains refuses domains that do not exist: mail never comes for them, so a line with one is a slip.
func (x *export) judgeDomains(ctx context.Context) error {
	first := make(map[string]movedAccount)
	var domains []string
	for _, m := range x.moved {
		_, domain, has := strings.Cut(coexist.Key(m.key), "@")
		if _, there := first[domain]; has && !there {
			first[domain] = m
			domains = append(domains, domain)
		}
	}
	silent := 0
	for i, domain := range domains {
		if silent == mostSilent {
			x.a.warn("DNS does not answer: %s not looked up", countText(int64(len(domains)-i), "domain is", "domains are"))
			return nil
		}
		is, err := x.hosts.exists(ctx, domain)
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			silent++
			x.a.warn("the domain %s cannot be looked up: %v", shown(domain), err)
		case !is:
			hint := "is it spelt right? --any-domain takes it all the same"
			if near := spelling.Nearest(domain, slices.Delete(slices.Clone(domains), i, i+1), 2); near != "" {
				hint = "did you mean " + near + "? --any-domain takes it all the same"
			}
			m := first[domain]
			return &failure{code: exitCheck, what: fmt.Sprintf("%s:%d: account %s: DNS does not know the domain %s", x.list.list.Name, m.row.Line, shown(m.account), shown(domain)), hint: hint}
		}
	}
	return nil
}
