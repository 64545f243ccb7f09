package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	miekg "github.com/miekg/dns"
)

// Bounds of RFC 7208 4.6.4. A receiver ends with an error beyond them, and may refuse the mail.
const (
	spfLookups  = 10
	spfVoids    = 2
	spfMX       = 10
	spfWalkMost = 40 // look-ups after which it is not counted on
)

// spfTree is an SPF record with what its look-ups lead to.
type spfTree struct {
	terms []spfNode
	fault string // why a receiver gives up: "" for none
}

// spfNode is a mechanism with the networks that it stands for, or the record that it leads to.
type spfNode struct {
	spfTerm
	networks []netip.Prefix
	below    *spfTree
	unknown  bool // it hangs on the sender: macros, ptr, exists
}

// spfWalk follows a record and counts.
type spfWalk struct {
	l       *looker
	lookups int
	voids   int
	path    []string // the records that led here: a loop is none of them again
}

// lookSPF looks at a domain's SPF record: that there is one, that it stays in its bounds, and what it says of the old and of
// the new mail servers. Mail is often sent from other addresses than those; that is said.
func lookSPF(ctx context.Context, l *looker) {
	w := &spfWalk{l: l}
	text, found, err := w.record(ctx, l.d.Name)
	switch {
	case err != nil:
		l.find("spf", Warning, "have the record looked at: receivers may refuse mail for it", "%s: %s", l.d.Name, short(err.Error()))
		return
	case !found:
		l.find("spf", Warning, "publish one that names the new side, and the old until it is off", "%s has no SPF record", l.d.Name)
		return
	}
	tree := w.follow(ctx, l.d.Name, text)
	before := len(l.d.Findings)
	next := "receivers end with an error (permerror) there, and may refuse mail: take out what is not needed any more"
	if w.lookups > spfLookups {
		l.find("spf", Warning, next, "the SPF record of %s takes %d look-ups, %d are allowed (RFC 7208 4.6.4)", l.d.Name, w.lookups, spfLookups)
	}
	if w.voids > spfVoids {
		l.find("spf", Warning, next, "the SPF record of %s makes %d look-ups that find nothing, %d are allowed (RFC 7208 4.6.4)", l.d.Name, w.voids, spfVoids)
	}
	if tree.fault != "" {
		l.find("spf", Warning, "correct the record: receivers end with an error (permerror)", "the SPF record of %s: %s", l.d.Name, short(tree.fault))
	}
	if len(l.d.Findings) == before {
		l.find("spf", OK, "", "%s: %d of %d look-ups: %s", l.d.Name, w.lookups, spfLookups, short(text))
	}
	l.spfSides(ctx, tree)
}

// spfSides says what the record says of mail from the mail servers of now and of those that are expected.
func (l *looker) spfSides(ctx context.Context, tree *spfTree) {
	now := l.mxNow()
	for _, host := range l.mxAll() {
		ips, _, _ := l.addresses(ctx, host, 0) // lookMX tells of an error
		side := "mail server"
		if !slices.Contains(now, host) {
			side = "new mail server"
		}
		l.spfOf(tree, side+" "+host, ips)
	}
	for _, host := range sorted(l.c.ExpectAddr) {
		if within(host, l.d.Name) {
			l.spfOf(tree, "new address of "+host, l.c.ExpectAddr[host])
		}
	}
}

func (l *looker) spfOf(tree *spfTree, who string, ips []netip.Addr) {
	for _, ip := range ips {
		switch result := tree.result(ip); result {
		case "pass":
			l.find("spf", OK, "", "mail from the %s (%s) passes", who, ip)
		case "unknown":
			l.find("spf", OK, "", "whether mail from the %s (%s) passes hangs on more than the address", who, ip)
		default:
			l.find("spf", Warning, "add it, if it sends mail itself", "mail from the %s (%s) does not pass SPF (%s)", who, ip, result)
		}
	}
}

// record finds the one SPF record of a domain (RFC 7208 4.5).
func (w *spfWalk) record(ctx context.Context, domain string) (text string, found bool, err error) {
	a, err := w.l.lookup(ctx, domain, miekg.TypeTXT, 0)
	if err != nil {
		return "", false, err
	}
	if len(a.rrs) == 0 && domain != w.l.d.Name {
		w.voids++
	}
	for _, rr := range a.rrs {
		if t, is := rr.(*miekg.TXT); is && isSPF(textOf(t)) {
			if found {
				return "", false, fmt.Errorf("%s has more than one SPF record", domain)
			}
			text, found = textOf(t), true
		}
	}
	return text, found, nil
}

// follow looks up what a record leads to.
func (w *spfWalk) follow(ctx context.Context, domain, text string) *spfTree {
	w.path = append(w.path, domain)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	tree := &spfTree{}
	for _, t := range parseSPF(text) {
		if t.bad != "" {
			tree.fault = domain + ": " + t.bad
			return tree
		}
		n := spfNode{spfTerm: t}
		if spfMechanisms()[t.name] {
			if w.lookups++; w.lookups > spfWalkMost {
				tree.fault = fmt.Sprintf("more than %d look-ups", spfWalkMost)
				return tree
			}
		}
		target := t.domain
		if target == "" {
			target = domain
		}
		if n.unknown = strings.Contains(target, "%") || t.name == "ptr" || t.name == "exists"; !n.unknown {
			tree.fault = orFirst(tree.fault, w.expand(ctx, &n, target))
		}
		tree.terms = append(tree.terms, n)
	}
	return tree
}

func orFirst(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// expand finds the networks of a mechanism, or the record below it. It gives the fault that ends an evaluation, "" without.
func (w *spfWalk) expand(ctx context.Context, n *spfNode, target string) (fault string) {
	switch n.name {
	case "ip4", "ip6":
		n.networks = []netip.Prefix{n.prefix.Masked()}
	case "a":
		n.networks = w.networks(ctx, n, target)
		if len(n.networks) == 0 {
			w.voids++
		}
	case "mx":
		return w.mailServers(ctx, n, target)
	case "include", "redirect":
		if slices.Contains(w.path, target) {
			return "it leads back to " + target
		}
		text, found, err := w.record(ctx, target)
		switch {
		case err != nil:
			return target + ": " + err.Error()
		case !found:
			return fmt.Sprintf("%s leads to %s, which has no SPF record", n.name, target)
		}
		n.below = w.follow(ctx, target, text)
		return n.below.fault
	}
	return ""
}

// mailServers are the networks of mx.
func (w *spfWalk) mailServers(ctx context.Context, n *spfNode, target string) (fault string) {
	a, err := w.l.lookup(ctx, target, miekg.TypeMX, 0)
	if err != nil {
		return target + ": " + err.Error()
	}
	if len(a.rrs) == 0 {
		w.voids++
	}
	for i, rr := range a.rrs {
		if i == spfMX {
			return fmt.Sprintf("mx of %s stands for more than %d names", target, spfMX)
		}
		if m, is := rr.(*miekg.MX); is {
			n.networks = append(n.networks, w.networks(ctx, n, Name(m.Mx))...)
		}
	}
	return ""
}

// networks are the addresses of a name, with the lengths of a mechanism.
func (w *spfWalk) networks(ctx context.Context, n *spfNode, name string) (all []netip.Prefix) {
	ips, _, _ := w.l.addresses(ctx, name, 0) // none found is a void look-up, whatever the reason
	for _, ip := range ips {
		bits := n.bits6
		if ip.Is4() {
			bits = n.bits4
		}
		if bits < 0 {
			bits = ip.BitLen()
		}
		all = append(all, netip.PrefixFrom(ip, bits).Masked())
	}
	return all
}

// result is what a record says of an address: pass, fail, softfail, neutral, permerror, or unknown where that hangs on more
// than the address (RFC 7208 2.6).
func (t *spfTree) result(ip netip.Addr) string {
	unknown := false
	give := func(result string) string {
		if unknown && result != "pass" {
			return "unknown"
		}
		return result
	}
	for _, n := range t.terms {
		switch {
		case n.unknown:
			unknown = true
		case n.name == "all", slices.ContainsFunc(n.networks, func(p netip.Prefix) bool { return p.Contains(ip) }):
			return give(spfResult(n.qualifier))
		case n.below != nil && n.name == "redirect":
			return give(n.below.result(ip))
		case n.below != nil:
			switch n.below.result(ip) {
			case "pass":
				return give(spfResult(n.qualifier))
			case "unknown":
				unknown = true
			}
		}
	}
	if t.fault != "" {
		return give("permerror")
	}
	return give("neutral")
}

func spfResult(qualifier byte) string {
	return map[byte]string{'+': "pass", '-': "fail", '~': "softfail", '?': "neutral"}[qualifier]
}
