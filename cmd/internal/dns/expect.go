package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	miekg "github.com/miekg/dns"
)

// expectations holds what all servers say against what should be there after the switch.
func (l *looker) expectations() {
	for _, r := range l.d.Records {
		switch r.Type {
		case "MX":
			if len(l.c.ExpectMX) > 0 {
				l.expect("expect-mx", r, l.c.ExpectMX, func(values []string) []string {
					hosts := mxHosts(values)
					slices.Sort(hosts)
					return slices.Compact(hosts)
				})
			}
		case "TXT":
			l.expectTXT(r)
		default:
			if ips, given := l.c.ExpectAddr[r.Name]; given {
				l.expect("expect-address", r, ofType(ips, r.Type), func(values []string) []string { return values })
			}
		}
	}
}

// expect says which servers have other values than those expected.
func (l *looker) expect(check string, r RecordSet, want []string, of func([]string) []string) {
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	var others []string
	heard := 0
	for _, a := range r.Answers {
		if a.Text != "" {
			continue
		}
		heard++
		if have := of(a.Values); !slices.Equal(have, want) {
			others = append(others, fmt.Sprintf("%s at %s", list(have), a.Server))
		}
	}
	f := Finding{Check: check, Expected: true}
	switch {
	case len(want) == 0 && len(others) == 0:
		return // no such address is expected, and none is there
	case heard == 0:
		f.Verdict, f.Text = Failed, fmt.Sprintf("no name server says anything of %s of %s", r.Type, r.Name)
	case len(others) > 0:
		f.Verdict, f.Text = Failed, fmt.Sprintf("%s of %s should be %s and is %s", r.Type, r.Name, list(want), short(strings.Join(others, "; ")))
		f.Next = "change it in the zone, at the switch; --wait waits until all name servers have it"
	default:
		f.Text = fmt.Sprintf("%s of %s is %s at all name servers", r.Type, r.Name, list(want))
	}
	l.d.Findings = append(l.d.Findings, f)
}

// ofType are the addresses that a record of that type can hold.
func ofType(ips []netip.Addr, qtype string) (all []string) {
	for _, ip := range ips {
		if ip.Is4() == (qtype == "A") {
			all = append(all, ip.String())
		}
	}
	return all
}

// expectTXT wants texts among those that are there. They prove to a provider whose domain it is, so they belong there
// before the switch.
func (l *looker) expectTXT(r RecordSet) {
	for _, want := range l.c.ExpectTXT[r.Name] {
		var without []string
		for _, a := range r.Answers {
			if a.Text == "" && !slices.Contains(a.Values, want) {
				without = append(without, a.Server.String())
			}
		}
		switch {
		case len(r.Answers) == 0:
			l.find("expect-txt", Failed, "", "no name server says anything of TXT of %s", r.Name)
		case len(without) > 0:
			l.find("expect-txt", Failed, "put it into the zone", "the text %q of %s is not at %s", short(want), r.Name, list(without))
		default:
			l.find("expect-txt", OK, "", "the text %q of %s is at all name servers", short(want), r.Name)
		}
	}
}

// resolvers asks each given resolver what it remembers of each record, and says which still remember another version.
func (l *looker) resolvers(ctx context.Context) {
	type one struct {
		r  RecordSet
		at netip.AddrPort
	}
	var all []one
	for _, r := range l.d.Records {
		for _, at := range l.c.Resolvers {
			if r.Type != "TXT" {
				all = append(all, one{r, at})
			}
		}
	}
	remembered := make([]Remembered, len(all))
	var wait sync.WaitGroup
	for i, o := range all {
		wait.Go(func() { remembered[i] = l.resolver(ctx, o.at, o.r) })
	}
	wait.Wait()
	l.d.Remembered = remembered
	for _, m := range remembered {
		f := Finding{Check: "resolver", Until: m.Until}
		switch {
		case m.Text != "":
			f.Verdict, f.Text = Warning, fmt.Sprintf("resolver %s says nothing of %s of %s: %s", m.Resolver.Addr(), m.Type, m.Name, m.Text)
		case m.Old:
			f.Verdict, f.Expected = Failed, true
			f.Text = fmt.Sprintf("resolver %s still remembers %s of %s as %s, for %s", m.Resolver.Addr(), m.Type, m.Name, list([]string{orNothing(m.Data)}), Spell(m.TTL))
			f.Next = "it forgets by itself; its own cache can be cleared, where it is yours"
		default:
			f.Text = fmt.Sprintf("resolver %s has %s of %s as the name servers do, for %s", m.Resolver.Addr(), m.Type, m.Name, Spell(m.TTL))
		}
		l.d.Findings = append(l.d.Findings, f)
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// resolver asks one for what it remembers of a record.
func (l *looker) resolver(ctx context.Context, at netip.AddrPort, r RecordSet) Remembered {
	m := Remembered{Resolver: at, Name: r.Name, Type: r.Type}
	qtype := miekg.StringToType[r.Type]
	reply, err := l.ask(ctx, at, r.Name, qtype, true)
	switch {
	case err != nil:
		m.Text = short(err.Error())
		return m
	case reply.Rcode != miekg.RcodeSuccess && reply.Rcode != miekg.RcodeNameError:
		m.Text = rcodeText(reply.Rcode)
		return m
	}
	var values []string
	for _, rr := range reply.Answer {
		if rr.Header().Rrtype == qtype {
			values = append(values, valueOf(rr))
			m.TTL = max(m.TTL, ttlOf(rr))
		}
	}
	for _, rr := range reply.Ns { // RFC 2308 5: how long it remembers that there is none
		if soa, is := rr.(*miekg.SOA); is && len(values) == 0 {
			m.TTL = min(ttlOf(soa), time.Duration(soa.Minttl)*time.Second)
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	m.Data = data(values)
	m.Until = l.now.Add(m.TTL)
	m.Old = len(r.Aliases) == 0 && len(r.Versions()) > 0 && !slices.ContainsFunc(r.Versions(), func(v []string) bool { return slices.Equal(v, values) })
	return m
}
