package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mailmove/cmd/internal/dns"
	"mailmove/state/fleet"
)

// run looks, prints, and with --wait looks again until nothing fails any more.
func (k *dnsLook) run(ctx context.Context, a *app) (err error) {
	memory, err := fleet.Open(ctx, k.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, memory.Close()) }()
	if k.limit > 0 {
		over := &failure{
			code: exitLater, what: fmt.Sprintf("--time-limit %s is over: the DNS is not as it should be yet", shortDuration(k.limit)),
			hint: "the last lines above, if any, say where; without any, the first look did not end: give more time, or see whether port 53 is open",
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, k.limit, over)
		defer cancel()
	}
	last := ""
	for {
		report, err := checkDNS(ctx, memory, k.config, k.domains)
		if err != nil {
			return ended(ctx, err)
		}
		if said := saidOf(report); said != last {
			last = said
			if err := k.print(a, report); err != nil {
				return err
			}
		}
		switch {
		case !report.Failed():
			return nil
		case k.wait == 0:
			return &failure{code: exitCheck} // each reason has its line already
		}
		if err := pause(ctx, k.wait); err != nil {
			return err
		}
	}
}

// ended prefers why a context ended to what that did to a look.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// saidOf is what makes a report worth printing again: its verdicts and what is wrong, not for how much longer.
func saidOf(r dns.Report) string {
	var b strings.Builder
	for _, d := range r.Domains {
		for _, f := range d.Findings {
			fmt.Fprintf(&b, "%s %s %d", d.Name, f.Check, f.Verdict)
			if f.Until.IsZero() && f.Verdict != dns.OK {
				b.WriteString(" " + f.Text)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// checkDNS looks at domains and remembers in the fleet file what it saw, so that a report of a later day knows since when
// a TTL is low.
func checkDNS(ctx context.Context, memory *fleet.Fleet, c dns.Config, domains []string) (dns.Report, error) {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	c.Remember = func(ctx context.Context, looks []dns.Look) ([]dns.Known, error) {
		known, err := memory.SawTTL(ctx, ttlLooks(looks), now())
		if err != nil {
			return nil, err
		}
		return knownVersions(known, looks), nil
	}
	return dns.Check(ctx, c, domains)
}

func ttlLooks(looks []dns.Look) (all []fleet.TTLLook) {
	for _, l := range looks {
		one := fleet.TTLLook{Name: l.Name, Type: l.Type, Complete: l.Complete}
		for _, v := range l.Seen {
			one.Seen = append(one.Seen, fleet.TTLSeen{Data: v.Data, TTL: v.TTL})
		}
		all = append(all, one)
	}
	return all
}

// knownVersions puts back values that the fleet file keeps as a digest.
func knownVersions(known []fleet.TTLSeen, looks []dns.Look) (all []dns.Known) {
	whole := make(map[string]string)
	for _, l := range looks {
		for _, v := range l.Seen {
			whole[fleet.TTLData(v.Data)] = v.Data
		}
	}
	for _, k := range known {
		values := k.Data
		if w, is := whole[values]; is {
			values = w
		}
		all = append(all, dns.Known{Name: k.Name, Type: k.Type, Version: dns.Version{Data: values, TTL: k.TTL}, First: k.First, Ended: k.Ended})
	}
	return all
}
