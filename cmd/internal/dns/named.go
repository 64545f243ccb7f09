package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	miekg "github.com/miekg/dns"
)

// txtOf gives the texts of a name that begin like a kind of record. ok is false where that could not be asked for, which
// is told.
func (l *looker) txtOf(ctx context.Context, check, name, begin string) (all []string, ok bool) {
	a, err := l.lookup(ctx, name, miekg.TypeTXT, 0)
	if err != nil {
		l.find(check, Warning, "", "%s: %s", name, short(err.Error()))
		return nil, false
	}
	for _, rr := range a.rrs {
		if t, is := rr.(*miekg.TXT); is && len(textOf(t)) >= len(begin) && strings.EqualFold(textOf(t)[:len(begin)], begin) {
			all = append(all, textOf(t))
		}
	}
	return all, true
}

// lookDKIM looks for the keys of the given selectors (RFC 6376 3.6.1). The tag v may be left out, so what counts is the key.
func lookDKIM(ctx context.Context, l *looker) {
	for _, selector := range l.c.Selectors {
		name := selector + "._domainkey." + l.d.Name
		all, ok := l.txtOf(ctx, "dkim", name, "")
		keys := slices.DeleteFunc(all, func(s string) bool { return !hasTag(s, "p") })
		switch {
		case !ok:
		case len(keys) == 0:
			l.find("dkim", Warning, "publish the key that the new side signs with, before it signs", "there is no DKIM key %s", name)
		case tag(keys[0], "p") == "":
			l.find("dkim", Warning, "publish a key, or sign with another selector", "the DKIM key %s is revoked: it is empty", name)
		default:
			l.find("dkim", OK, "", "the DKIM key %s is there", name)
		}
	}
}

// tag is a value of a tag list such as "v=DKIM1; p=…" (RFC 6376 3.2).
func tag(text, name string) string {
	for part := range strings.SplitSeq(text, ";") {
		if k, v, _ := strings.Cut(part, "="); strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func hasTag(text, name string) bool {
	for part := range strings.SplitSeq(text, ";") {
		if k, _, is := strings.Cut(part, "="); is && strings.TrimSpace(k) == name {
			return true
		}
	}
	return false
}

// lookDMARC looks for the domain's policy, else for that of the domain above it (RFC 7489 6.6.3).
func lookDMARC(ctx context.Context, l *looker) {
	for domain := l.d.Name; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		all, ok := l.txtOf(ctx, "dmarc", "_dmarc."+domain, "v=DMARC1")
		switch {
		case !ok:
			return
		case len(all) > 1:
			l.find("dmarc", Warning, "leave one", "_dmarc.%s has %d policies: receivers use none then (RFC 7489 6.6.3)", domain, len(all))
			return
		case len(all) == 1:
			p := tag(all[0], "p")
			text := fmt.Sprintf("_dmarc.%s: %s", domain, short(all[0]))
			if p == "reject" || p == "quarantine" {
				text += "; the new side must pass SPF or DKIM from the first mail on"
			}
			l.find("dmarc", OK, "", "%s", text)
			return
		}
	}
	l.find("dmarc", OK, "", "%s has no DMARC policy", l.d.Name)
}

// lookTLSA says which mail servers promise a certificate (RFC 7672): after the switch the new one must have it.
func lookTLSA(ctx context.Context, l *looker) {
	var with []string
	for _, host := range l.mxAll() {
		a, err := l.lookup(ctx, "_25._tcp."+host, miekg.TypeTLSA, 0)
		switch {
		case err != nil:
			l.find("tlsa", Warning, "", "_25._tcp.%s: %s", host, short(err.Error()))
		case len(a.rrs) > 0:
			with = append(with, host)
		}
	}
	if len(with) == 0 {
		l.find("tlsa", OK, "", "no mail server of %s has a TLSA record", l.d.Name)
		return
	}
	for _, host := range with {
		moves := slices.Contains(l.c.Hosts, host) || len(l.c.ExpectAddr[host]) > 0
		if moves {
			l.find("tlsa", Warning, "publish the new server's certificate there too, before the switch, one TTL ahead",
				"%s promises a certificate (TLSA), and will be another server: senders that check it deliver only where it fits", host)
			continue
		}
		l.find("tlsa", OK, "", "%s promises a certificate (TLSA)", host)
	}
}

// lookAutoconfig looks at the names where mail programs look for their settings.
func lookAutoconfig(ctx context.Context, l *looker) {
	for _, label := range []string{"autoconfig", "autodiscover"} {
		name := label + "." + l.d.Name
		ips, aliases, err := l.addresses(ctx, name, 0)
		switch {
		case err != nil:
			l.find("autoconfig", Warning, "", "%s: %s", name, short(err.Error()))
		case len(aliases) > 0:
			l.points("autoconfig", name, aliases[len(aliases)-1])
		case len(ips) > 0:
			l.find("autoconfig", OK, "", "%s has %s: see that it gives the new server's settings after the switch", name, list(texts(ips)))
		}
	}
}

// lookSRV looks at the names where mail programs find their servers (RFC 6186, RFC 8314 5.1).
func lookSRV(ctx context.Context, l *looker) {
	before := len(l.d.Findings)
	for _, service := range []string{"_imaps._tcp", "_imap._tcp", "_submissions._tcp", "_submission._tcp", "_autodiscover._tcp"} {
		name := service + "." + l.d.Name
		a, err := l.lookup(ctx, name, miekg.TypeSRV, 0)
		if err != nil {
			l.find("srv", Warning, "", "%s: %s", name, short(err.Error()))
			continue
		}
		for i, rr := range a.rrs {
			if srv, is := rr.(*miekg.SRV); is && i < mostMX && Name(srv.Target) != "" { // ".": not offered (RFC 2782)
				l.points("srv", name, Name(srv.Target))
			}
		}
	}
	if len(l.d.Findings) == before {
		l.find("srv", OK, "", "%s has no SRV records for mail", l.d.Name)
	}
}

// points tells where a name leads mail programs.
func (l *looker) points(check, name, to string) {
	if l.c.Source != "" && to == l.c.Source {
		l.find(check, Warning, "switch it together with the MX", "%s still leads mail programs to the old server %s", name, to)
		return
	}
	l.find(check, OK, "", "%s leads to %s", name, to)
}
