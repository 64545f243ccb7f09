package dns

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	miekg "github.com/miekg/dns"
)

// zone is a part of the name space as its parent delegates it. Names end in a dot.
type zone struct {
	name, parent string
	ttl          time.Duration // of the delegation
	hosts        []host
	leftOut      int // name servers beyond mostHosts
}

// host is a name server with the addresses that came along with the delegation.
type host struct {
	name string
	glue []netip.AddrPort
}

// answer is what authoritative servers say of a name and a type, aliases followed.
type answer struct {
	rrs     []miekg.RR
	aliases []string // the CNAMEs' targets, in order
	missing bool     // there is no such name
}

type question struct {
	name  string
	qtype uint16
}

// walk finds its way from the roots, once for a domain. Answers are kept, as far as they are good; two that are asked for
// at once may be asked for twice, for whoever waited for another could wait for itself.
type walk struct {
	*asker
	mu      sync.Mutex
	zones   map[string]*zone
	answers map[question]*answer
	silent  map[netip.AddrPort]bool // gave no answer
}

func newWalk(a *asker) *walk {
	root := &zone{name: ".", hosts: []host{{name: ".", glue: a.config.Roots}}}
	return &walk{asker: a, zones: map[string]*zone{".": root}, answers: make(map[question]*answer), silent: make(map[netip.AddrPort]bool)}
}

// zoneOf finds the zone that a name is in, or begins.
func (w *walk) zoneOf(ctx context.Context, name string, depth int) (*zone, error) {
	name = miekg.CanonicalName(name)
	z := w.nearest(name)
	for range mostReferrals {
		if z.name == name {
			return z, nil
		}
		next, err := w.step(ctx, z, name, depth)
		if err != nil || next == nil {
			return z, err
		}
		w.mu.Lock()
		w.zones[next.name] = next
		w.mu.Unlock()
		z = next
	}
	return nil, fmt.Errorf("%s: the way down from the roots does not end", Name(name))
}

// nearest is the deepest zone above a name that is known.
func (w *walk) nearest(name string) *zone {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, end := 0, false; !end; at, end = miekg.NextLabel(name, at) {
		if z := w.zones[name[at:]]; z != nil {
			return z
		}
	}
	return w.zones["."]
}

// step asks a zone for the next one below it on the way to a name; nil: the name is in this one.
func (w *walk) step(ctx context.Context, z *zone, name string, depth int) (*zone, error) {
	m, err := w.askZone(ctx, z, name, miekg.TypeNS, depth)
	if err != nil {
		return nil, err
	}
	if next := w.referral(m, z, name); next != nil {
		return next, nil
	}
	// A server that has the zone below too answers for that one and refers to nothing.
	below := ""
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		owner := miekg.CanonicalName(rr.Header().Name)
		isApex := rr.Header().Rrtype == miekg.TypeNS || rr.Header().Rrtype == miekg.TypeSOA
		if isApex && owner != z.name && miekg.IsSubDomain(z.name, owner) && miekg.IsSubDomain(owner, name) {
			below = owner
		}
	}
	if below == "" {
		return nil, nil
	}
	if below != name {
		if m, err = w.askZone(ctx, z, below, miekg.TypeNS, depth); err != nil {
			return nil, err
		}
	}
	return w.delegation(m, m.Answer, z, below), nil
}

// referral is the zone that an answer sends us to on the way to a name, nil where it does not.
func (w *walk) referral(m *miekg.Msg, z *zone, name string) *zone {
	if len(m.Answer) > 0 {
		return nil
	}
	for _, rr := range m.Ns {
		owner := miekg.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == miekg.TypeNS && owner != z.name && miekg.IsSubDomain(z.name, owner) && miekg.IsSubDomain(owner, name) {
			return w.delegation(m, m.Ns, z, owner)
		}
	}
	return nil
}

// delegation makes a zone of its NS records. Addresses are believed where the parent may know them: below itself
// (RFC 5452 6); from elsewhere they could be anyone's.
func (w *walk) delegation(m *miekg.Msg, records []miekg.RR, parent *zone, name string) *zone {
	z := &zone{name: name, parent: parent.name}
	for _, rr := range records {
		ns, is := rr.(*miekg.NS)
		if !is || miekg.CanonicalName(ns.Hdr.Name) != name {
			continue
		}
		h := host{name: miekg.CanonicalName(ns.Ns)}
		if slices.ContainsFunc(z.hosts, func(o host) bool { return o.name == h.name }) {
			continue
		}
		if len(z.hosts) == mostHosts {
			z.leftOut++
			continue
		}
		for _, extra := range m.Extra {
			if miekg.CanonicalName(extra.Header().Name) == h.name && miekg.IsSubDomain(parent.name, h.name) && len(h.glue) < mostAddresses {
				if ip, is := addressOf(extra); is {
					h.glue = append(h.glue, netip.AddrPortFrom(ip, w.config.Port))
				}
			}
		}
		z.hosts = append(z.hosts, h)
		z.ttl = max(z.ttl, ttlOf(rr))
	}
	if len(z.hosts) == 0 {
		return nil
	}
	return z
}

// askZone asks the servers of a zone one after the other until one answers as one of its servers does: with authority, or
// with a referral. Addresses that gave no answer before come last: each costs the whole time to wait.
func (w *walk) askZone(ctx context.Context, z *zone, name string, qtype uint16, depth int) (*miekg.Msg, error) {
	if z.name == "." && w.net.none.Load() {
		return nil, errNoRoots
	}
	last := fmt.Errorf("%s has no name server with an address", zoneText(z.name))
	tried, silent := 0, 0
	lame := "" // what was answered, and not as by a server of the zone
	for at := range w.places(ctx, z, depth, &last) {
		m, err := w.ask(ctx, at.addr, name, qtype, false)
		tried++
		switch {
		case err == nil && (authoritative(m) || w.referral(m, z, miekg.CanonicalName(name)) != nil):
			w.net.heard.Store(true)
			return m, nil
		case err == nil:
			lame = orFirst(lame, lameText(m))
			last = fmt.Errorf("name server %s (%s) of %s: %s", at.name, at.addr.Addr(), zoneText(z.name), lameText(m))
		case ctx.Err() != nil, isOver(err):
			return nil, err
		default:
			silent++
			w.mu.Lock()
			w.silent[at.addr] = true
			w.mu.Unlock()
			last = fmt.Errorf("name server %s (%s) of %s: %w", at.name, at.addr.Addr(), zoneText(z.name), err)
		}
	}
	if z.name == "." {
		return nil, w.noRoots(lame)
	}
	if silent == tried && tried > 1 { // which of them was the last says nothing
		last = fmt.Errorf("name servers of %s: %w from any of %d addresses", zoneText(z.name), errNoAnswer, tried)
	}
	return nil, last
}

// noRoots is the error where no root server answered as one: which of them was asked last says nothing. lame is what was
// answered in place of one: some networks answer whatever goes to port 53 themselves.
func (w *walk) noRoots(lame string) error {
	if !w.net.heard.Load() {
		w.net.none.Store(true)
	}
	if lame != "" {
		lame = fmt.Sprintf("; something else answers in their place (%s), so this network keeps port 53 to itself", lame)
	}
	return fmt.Errorf("%w (asked: %d)%s", errNoRoots, len(w.config.Roots), lame)
}

// authoritative tells whether a message is an answer of a server of the zone.
func authoritative(m *miekg.Msg) bool {
	return m.Authoritative && (m.Rcode == miekg.RcodeSuccess || m.Rcode == miekg.RcodeNameError)
}

// place is a name server at an address.
type place struct {
	name string
	addr netip.AddrPort
}

// places gives where a zone's servers are, one after the other, for an address may have to be looked up; those that gave no
// answer last. missing becomes why one has no address.
func (w *walk) places(ctx context.Context, z *zone, depth int, missing *error) iter.Seq[place] {
	return func(yield func(place) bool) {
		var silent []place
		for _, h := range z.hosts {
			addrs, err := w.hostAddrs(ctx, h, depth)
			if err != nil {
				*missing = err
			}
			for _, addr := range addrs {
				at := place{Name(h.name), addr}
				if w.isSilent(addr) {
					silent = append(silent, at)
				} else if !yield(at) {
					return
				}
			}
		}
		for _, at := range silent {
			if !yield(at) {
				return
			}
		}
	}
}

func (w *walk) isSilent(addr netip.AddrPort) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silent[addr]
}

func zoneText(name string) string {
	if name == "." {
		return "the root"
	}
	return Name(name)
}

// hostAddrs gives the addresses of a name server: those that came with the delegation, else it is looked up.
func (w *walk) hostAddrs(ctx context.Context, h host, depth int) ([]netip.AddrPort, error) {
	if len(h.glue) > 0 {
		return h.glue, nil
	}
	if depth >= mostDepth {
		return nil, fmt.Errorf("name server %s: its address hangs on other name servers without end", Name(h.name))
	}
	ips, _, err := w.addresses(ctx, h.name, depth+1)
	var all []netip.AddrPort
	for _, ip := range ips {
		all = append(all, netip.AddrPortFrom(ip, w.config.Port))
	}
	return all, err
}

// addresses gives the addresses of a name, IPv4 first, and the names that its aliases lead to.
func (w *walk) addresses(ctx context.Context, name string, depth int) (ips []netip.Addr, aliases []string, err error) {
	for _, qtype := range []uint16{miekg.TypeA, miekg.TypeAAAA} {
		a, e := w.lookup(ctx, name, qtype, depth)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		aliases = a.aliases
		for _, rr := range a.rrs[:min(len(a.rrs), mostAddresses)] {
			if ip, is := addressOf(rr); is {
				ips = append(ips, ip)
			}
		}
	}
	if len(ips) > 0 {
		err = nil
	}
	return ips, aliases, err
}

// lookup asks for records of a name at the servers of its zone, and follows aliases.
func (w *walk) lookup(ctx context.Context, name string, qtype uint16, depth int) (*answer, error) {
	q := question{miekg.CanonicalName(name), qtype}
	w.mu.Lock()
	known := w.answers[q]
	w.mu.Unlock()
	if known != nil {
		return known, nil
	}
	a := &answer{}
	for at := q.name; ; {
		z, err := w.zoneOf(ctx, at, depth)
		if err != nil {
			return nil, err
		}
		m, err := w.askZone(ctx, z, at, qtype, depth)
		if err != nil {
			return nil, err
		}
		a.missing = m.Rcode == miekg.RcodeNameError
		a.rrs = recordsOf(m, at, qtype)
		alias := recordsOf(m, at, miekg.TypeCNAME)
		if len(a.rrs) > 0 || len(alias) == 0 || qtype == miekg.TypeCNAME {
			break
		}
		at = miekg.CanonicalName(alias[0].(*miekg.CNAME).Target)
		if a.aliases = append(a.aliases, Name(at)); len(a.aliases) > mostAliases {
			return nil, fmt.Errorf("%s: its aliases do not end", Name(name))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[q] = a
	return a, nil
}

// recordsOf gives the records of one name and type in an answer.
func recordsOf(m *miekg.Msg, name string, qtype uint16) (all []miekg.RR) {
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == qtype && rr.Header().Class == miekg.ClassINET && strings.EqualFold(rr.Header().Name, miekg.Fqdn(name)) {
			all = append(all, rr)
		}
	}
	return all
}

func addressOf(rr miekg.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *miekg.A:
		ip, ok := netip.AddrFromSlice(rr.A)
		return ip.Unmap(), ok
	case *miekg.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// ttlOf is a record's TTL. RFC 2181 8: with the highest bit set it is 0.
func ttlOf(rr miekg.RR) time.Duration {
	if ttl := rr.Header().Ttl; ttl < 1<<31 {
		return time.Duration(ttl) * time.Second
	}
	return 0
}

// lameText says of an answer without authority what it was.
func lameText(m *miekg.Msg) string {
	if m.Rcode != miekg.RcodeSuccess {
		return rcodeText(m.Rcode)
	}
	return "answers without authority"
}
