package dns

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	miekg "github.com/miekg/dns"
)

// audit asks every server of a zone, at every address, for the zone itself.
func (w *walk) audit(ctx context.Context, z *zone) Zone {
	report := Zone{Name: Name(z.name), Parent: Name(z.parent), DelegatedTTL: z.ttl, leftOut: z.leftOut}
	for _, h := range z.hosts {
		report.Delegated = append(report.Delegated, Name(h.name))
	}
	slices.Sort(report.Delegated)
	var leftOut int
	report.Servers, leftOut = w.serversOf(ctx, z, z.hosts, true)
	report.leftOut += leftOut
	var extra []host // servers that the zone itself names, and the parent does not
	for _, s := range report.Servers {
		for _, own := range s.Own {
			name := miekg.Fqdn(own)
			listed := func(h host) bool { return h.name == name }
			if slices.ContainsFunc(z.hosts, listed) || slices.ContainsFunc(extra, listed) {
				continue
			}
			if len(extra) == mostHosts {
				report.leftOut++
				continue
			}
			extra = append(extra, host{name: name})
		}
	}
	more, leftOut := w.serversOf(ctx, z, extra, false)
	report.Servers = append(report.Servers, more...)
	report.leftOut += leftOut
	for _, s := range report.Servers {
		report.Negative = max(report.Negative, s.negative)
	}
	return report
}

// serversOf asks each host at each address, all at once; leftOut is how many addresses are beyond the bound.
func (w *walk) serversOf(ctx context.Context, z *zone, hosts []host, delegates bool) (all []Server, leftOut int) {
	perHost, left := make([][]Server, len(hosts)), make([]int, len(hosts))
	var each sync.WaitGroup
	for i, h := range hosts {
		each.Go(func() {
			ips, beyond, err := w.everyAddress(ctx, h)
			left[i] = beyond
			if len(ips) == 0 {
				text := "it has no address"
				if err != nil {
					text = "its address cannot be found: " + err.Error()
				}
				perHost[i] = []Server{{Name: Name(h.name), State: Silent, Text: short(text), Delegates: delegates}}
				return
			}
			perHost[i] = make([]Server, len(ips))
			var asked sync.WaitGroup
			for j, ip := range ips {
				asked.Go(func() {
					s := w.server(ctx, z, ip)
					s.Name, s.Delegates = Name(h.name), delegates
					perHost[i][j] = s
				})
			}
			asked.Wait()
		})
	}
	each.Wait()
	for _, n := range left {
		leftOut += n
	}
	return slices.Concat(perHost...), leftOut
}

// everyAddress gives the addresses that the parent knows of a name server and those that its name has: resolvers use either.
func (w *walk) everyAddress(ctx context.Context, h host) (ips []netip.Addr, leftOut int, err error) {
	ips, _, err = w.addresses(ctx, h.name, 0)
	for _, qtype := range []uint16{miekg.TypeA, miekg.TypeAAAA} {
		if a, e := w.lookup(ctx, h.name, qtype, 0); e == nil { // known by now
			leftOut += max(0, len(a.rrs)-mostAddresses)
		}
	}
	for _, glue := range h.glue {
		if !slices.Contains(ips, glue.Addr()) {
			ips = append(ips, glue.Addr())
		}
	}
	return ips, leftOut, err
}

// server asks one address for the SOA and the name servers of a zone.
func (w *walk) server(ctx context.Context, z *zone, ip netip.Addr) Server {
	s := Server{Addr: ip, State: Serves}
	addr := netip.AddrPortFrom(ip, w.config.Port)
	m, err := w.ask(ctx, addr, z.name, miekg.TypeSOA, false)
	if s.judge(m, err); s.State != Serves {
		return s
	}
	soa := recordsOf(m, z.name, miekg.TypeSOA)
	if len(soa) == 0 {
		s.State, s.Text = Lame, "it knows of no such zone"
		return s
	}
	r := soa[0].(*miekg.SOA)
	s.Serial = r.Serial
	s.negative = min(ttlOf(r), time.Duration(r.Minttl)*time.Second)
	if m, err = w.ask(ctx, addr, z.name, miekg.TypeNS, false); err != nil {
		s.judge(m, err)
		return s
	}
	for _, rr := range recordsOf(m, z.name, miekg.TypeNS) {
		s.Own = append(s.Own, Name(rr.(*miekg.NS).Ns))
	}
	slices.Sort(s.Own)
	return s
}

// judge sets what an answer, or none, says of a server.
func (s *Server) judge(m *miekg.Msg, err error) {
	switch {
	case errors.Is(err, errNoRoute):
		s.State, s.Text = Unasked, err.Error()
	case err != nil:
		s.State, s.Text = Silent, short(err.Error())
	case m.Rcode != miekg.RcodeSuccess && m.Rcode != miekg.RcodeNameError || !m.Authoritative:
		s.State, s.Text = Lame, lameText(m)
	}
}

// complete tells whether every server of the zone was heard.
func (z Zone) complete() bool {
	return z.leftOut == 0 && !slices.ContainsFunc(z.Servers, func(s Server) bool { return s.State == Silent })
}

// ask asks every server that serves a zone for a name and a type.
func (w *walk) askAll(ctx context.Context, z Zone, name string, qtype uint16) RecordSet {
	set := RecordSet{Name: Name(name), Type: miekg.TypeToString[qtype], Zone: z.Name}
	for _, s := range z.Servers {
		if s.State == Serves {
			set.Answers = append(set.Answers, Answer{Server: s})
		}
	}
	aliases := make([]string, len(set.Answers))
	var all sync.WaitGroup
	for i := range set.Answers {
		all.Go(func() {
			a := &set.Answers[i]
			m, err := w.ask(ctx, netip.AddrPortFrom(a.Server.Addr, w.config.Port), name, qtype, false)
			s := Server{State: Serves}
			if s.judge(m, err); s.State != Serves {
				a.Text = s.Text
				return
			}
			for _, rr := range recordsOf(m, name, qtype) {
				a.Values = append(a.Values, valueOf(rr))
				a.TTL = max(a.TTL, ttlOf(rr))
			}
			for _, rr := range recordsOf(m, name, miekg.TypeCNAME) { // it is what resolvers remember then
				aliases[i] = Name(rr.(*miekg.CNAME).Target)
				a.TTL = max(a.TTL, ttlOf(rr))
			}
			slices.Sort(a.Values)
			a.Values = slices.Compact(a.Values)
			a.Data = data(a.Values)
			if len(a.Values) == 0 && aliases[i] != "" {
				a.Data = "alias of " + aliases[i]
			}
		})
	}
	all.Wait()
	for _, alias := range aliases {
		if alias != "" && !slices.Contains(set.Aliases, alias) {
			set.Aliases = append(set.Aliases, alias)
		}
	}
	return set
}

// valueOf is a record's data as it is compared and shown: names in lower case without the last dot, texts joined.
func valueOf(rr miekg.RR) string {
	switch rr := rr.(type) {
	case *miekg.MX:
		return mx{rr.Preference, Name(rr.Mx)}.String()
	case *miekg.TXT:
		return textOf(rr)
	}
	if ip, is := addressOf(rr); is {
		return ip.String()
	}
	return strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String()))
}

// textOf joins the parts of a TXT record (RFC 7208 3.3), without the escapes of zone files.
func textOf(rr *miekg.TXT) string {
	var b strings.Builder
	for _, part := range rr.Txt {
		for i := 0; i < len(part); i++ {
			switch {
			case part[i] != '\\' || i+1 == len(part):
				b.WriteByte(part[i])
			case i+3 < len(part) && isDigit(part[i+1]) && isDigit(part[i+2]) && isDigit(part[i+3]):
				b.WriteByte((part[i+1]-'0')*100 + (part[i+2]-'0')*10 + part[i+3] - '0')
				i += 3
			default:
				i++
				b.WriteByte(part[i])
			}
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
