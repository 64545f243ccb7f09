package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	miekg "github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

// atOnce is how many domains are looked at at once; how many questions are under way is Config.Parallel.
const atOnce = 8

// Check looks at domains. An error is the context's, or that of Config.Remember; what is wrong with the DNS is in the
// report. domains are names for which ValidName holds.
func Check(ctx context.Context, config Config, domains []string) (Report, error) {
	c := config.filled()
	report := Report{Time: c.Now(), Domains: make([]Domain, len(domains))}
	slots := make(chan struct{}, c.Parallel)
	subjects := assign(c, names(domains))
	out := new(reach)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, name := range names(domains) {
		g.Go(func() (err error) {
			left, room := new(atomic.Int64), new(atomic.Int64)
			left.Store(mostQueries)
			room.Store(mostAnswers)
			a := &asker{config: c, slots: slots, net: out, left: left, room: room, until: time.Now().Add(mostTime)}
			look := &looker{walk: newWalk(a), c: c, now: report.Time, subjects: subjects[i]}
			report.Domains[i], err = look.domain(ctx, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Report{}, err
	}
	return report, nil
}

// subject is a name and a type that the servers of its zone are asked for, beside a domain's MX.
type subject struct {
	name  string
	qtype uint16
}

// assign gives each host and text that is looked at to the domain that it is in, else to the first.
func assign(c *Config, domains []string) [][]subject {
	all := make([][]subject, len(domains))
	add := func(name string, types ...uint16) {
		at := 0
		for i, d := range domains {
			if within(name, d) && (!within(name, domains[at]) || len(d) > len(domains[at])) {
				at = i
			}
		}
		for _, t := range types {
			if s := (subject{name, t}); at < len(all) && !slices.Contains(all[at], s) {
				all[at] = append(all[at], s)
			}
		}
	}
	for _, name := range slices.Concat(c.Hosts, sorted(c.ExpectAddr)) {
		add(name, miekg.TypeA, miekg.TypeAAAA)
	}
	for _, name := range sorted(c.ExpectTXT) {
		add(name, miekg.TypeTXT)
	}
	return all
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// within tells whether a name is a domain or in it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// looker looks at one domain.
type looker struct {
	*walk
	c        *Config
	now      time.Time
	subjects []subject
	d        Domain
}

func (l *looker) find(check string, v Verdict, next, format string, args ...any) {
	l.d.Findings = append(l.d.Findings, Finding{Check: check, Verdict: v, Text: fmt.Sprintf(format, args...), Next: next})
}

// domain looks at everything of a domain, the zone first: without it there is nothing else.
func (l *looker) domain(ctx context.Context, name string) (Domain, error) {
	l.d = Domain{Name: name, Plan: Plan{Low: l.c.low(name), Earliest: l.now}}
	z, err := l.zoneOf(ctx, name, 0)
	if err != nil {
		l.find("delegation", Failed, nextOf(err), "%s", short(err.Error()))
		return l.d, l.ended(ctx)
	}
	l.addZone(ctx, z)
	l.d.Records = append(l.d.Records, l.askAll(ctx, l.d.Zones[0], name, miekg.TypeMX))
	for _, s := range l.subjects {
		l.watch(ctx, s)
	}
	for i, r := range l.d.Records {
		l.judgeRecords(r, i == 0)
	}
	exists := l.exists(ctx, name)
	l.expectations()
	l.resolvers(ctx)
	if err := l.plan(ctx); err != nil || !exists {
		return l.d, err
	}
	l.others(ctx)
	return l.d, l.ended(ctx)
}

// nextOf is what to do where the walk came to no zone.
func nextOf(err error) string {
	if errors.Is(err, errNoRoots) {
		return "let this machine ask name servers anywhere (port 53, UDP and TCP), or run this on one that may; " +
			"a resolver's memory (--resolver) does not stand in for them"
	}
	return "is the name right, and may this machine ask name servers anywhere (port 53, UDP and TCP)?"
}

// ended is the error of a context that is over: what was found then is not what there is.
func (l *looker) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// exists: what does not exist has no mail, and nothing else to look at.
func (l *looker) exists(ctx context.Context, name string) bool {
	a, err := l.lookup(ctx, name, miekg.TypeSOA, 0)
	if err == nil && a.missing {
		l.find("zone", Failed, "is the name right?", "there is no %s: the name servers of %s say so (NXDOMAIN)", name, l.d.Zones[0].Name)
		return false
	}
	return true
}

// addZone audits a zone once.
func (l *looker) addZone(ctx context.Context, z *zone) Zone {
	for _, have := range l.d.Zones {
		if have.Name == Name(z.name) {
			return have
		}
	}
	audited := l.audit(ctx, z)
	l.d.Zones = append(l.d.Zones, audited)
	l.judgeZone(audited)
	return audited
}

// watch asks the servers of a subject's zone for it.
func (l *looker) watch(ctx context.Context, s subject) {
	z, err := l.zoneOf(ctx, s.name, 0)
	if err != nil {
		l.find("delegation", Failed, "is the name right?", "%s", short(err.Error()))
		return
	}
	l.d.Records = append(l.d.Records, l.askAll(ctx, l.addZone(ctx, z), s.name, s.qtype))
}

// plan tells Config.Remember what was seen, and makes the plan.
func (l *looker) plan(ctx context.Context) error {
	var looks []Look
	for _, r := range l.d.Records {
		for _, z := range l.d.Zones {
			if look := r.look(z); z.Name == r.Zone && r.Type != "TXT" && len(look.Seen) > 0 {
				looks = append(looks, look)
			}
		}
	}
	if err := l.ended(ctx); err != nil {
		return err
	}
	known := knownOf(looks, l.now)
	if l.c.Remember != nil && len(looks) > 0 {
		var err error
		if known, err = l.c.Remember(ctx, looks); err != nil {
			return err
		}
	}
	l.d.Plan = planOf(l.c, &l.d, known, l.now)
	l.judgeTTL()
	return nil
}

// others looks at what else of the DNS has to do with mail, all at once; the findings stay in this order.
func (l *looker) others(ctx context.Context) {
	looks := []func(context.Context, *looker){
		lookMX, lookSPF, lookDKIM, lookDMARC, lookMTASTS, lookTLSA, lookAutoconfig, lookSRV,
	}
	parts := make([]*looker, len(looks))
	var all sync.WaitGroup
	for i, look := range looks {
		part := &looker{walk: l.walk, c: l.c, now: l.now, d: Domain{Name: l.d.Name, Zones: l.d.Zones, Records: l.d.Records}}
		parts[i] = part
		all.Go(func() { look(ctx, part) })
	}
	all.Wait()
	for _, part := range parts {
		l.d.Findings = append(l.d.Findings, part.d.Findings...)
	}
}
