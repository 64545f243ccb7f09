package dns

import (
	"slices"
	"time"
)

// Plan is when a domain can be switched as far as resolvers' memories go.
type Plan struct {
	Low      time.Duration // what the TTLs should be lowered to
	Lowered  bool          // all are
	Earliest time.Time     // a safe switch; not lowered: if they were lowered now
	Changed  bool          // a record's values changed, and resolvers may still remember those before
	Until    time.Time     // when the last one forgets those; zero: none changed that is remembered
	Records  []RecordPlan
}

// RecordPlan is the plan of one record.
type RecordPlan struct {
	Name, Type string
	TTL        time.Duration // the largest of now
	Lowered    bool
	OldTTL     time.Duration // the one before it was lowered, 0: none known
	Missing    time.Duration // for how long resolvers remember that there is none yet, where one is expected (RFC 2308 5)
	Assumed    bool          // OldTTL was not seen but taken from Config.OldTTL
	LoweredAt  time.Time     // the first look that found it lowered; zero: it is not, or was never higher
	Earliest   time.Time     // see Plan
	held       time.Time     // when all earlier versions are forgotten
	changed    time.Time     // and those with other values
}

// ForgottenAt is when the last resolver has forgotten what is there now, if it is switched at a time.
func (p Plan) ForgottenAt(at time.Time) time.Time {
	last := at
	for _, r := range p.Records {
		for _, t := range []time.Time{at.Add(remembered(max(r.TTL, r.Missing))), r.held} {
			if t.After(last) {
				last = t
			}
		}
	}
	return last
}

// remembered bounds how long a resolver keeps a record of that TTL.
func remembered(ttl time.Duration) time.Duration { return min(ttl, mostRemember) }

// look is what Config.Remember is told of a record.
func (r RecordSet) look(z Zone) Look {
	l := Look{Name: r.Name, Type: r.Type, Complete: r.complete() && z.complete()}
	for _, a := range r.Answers {
		if a.Text != "" {
			continue
		}
		if !slices.Contains(l.Seen, a.Version) {
			l.Seen = append(l.Seen, a.Version)
		}
	}
	return l
}

// knownOf is all that is known of records where nobody remembers earlier looks.
func knownOf(looks []Look, now time.Time) (all []Known) {
	for _, l := range looks {
		for _, v := range l.Seen {
			all = append(all, Known{Name: l.Name, Type: l.Type, Version: v, First: now})
		}
	}
	return all
}

// planOf makes a domain's plan of its records and of all that is known of them.
func planOf(c *Config, d *Domain, known []Known, now time.Time) Plan {
	p := Plan{Low: c.low(d.Name), Lowered: true, Earliest: now}
	for _, r := range d.Records {
		if r.Type == "TXT" || len(r.Versions()) == 0 {
			continue
		}
		one := recordPlan(c, r, known, now)
		one.Missing = d.missing(c, r)
		for _, m := range d.Remembered { // a resolver that still remembers the old TTL proves it
			if m.Name == r.Name && m.Type == r.Type && !m.Old && m.TTL > c.lowEnough() && m.TTL > r.TTL() && m.Until.After(one.held) {
				one.held = m.Until
			}
		}
		one.Earliest = now
		if one.held.After(now) {
			one.Earliest = one.held
		}
		if !one.Lowered {
			if t := now.Add(remembered(one.TTL)); t.After(one.Earliest) {
				one.Earliest = t
			}
			p.Lowered = false
		}
		if one.Earliest.After(p.Earliest) {
			p.Earliest = one.Earliest
		}
		if one.changed.After(now) {
			p.Changed = true
			if one.changed.After(p.Until) {
				p.Until = one.changed
			}
		}
		p.Records = append(p.Records, one)
	}
	return p
}

// missing is how long it is remembered that a record is not there which is expected.
func (d *Domain) missing(c *Config, r RecordSet) (negative time.Duration) {
	expected := len(ofType(c.ExpectAddr[r.Name], r.Type)) > 0 || r.Type == "MX" && len(c.ExpectMX) > 0
	if !expected || len(r.Values()) > 0 || len(r.Aliases) > 0 {
		return 0
	}
	for _, z := range d.Zones {
		if z.Name == r.Zone {
			negative = z.Negative
		}
	}
	return negative
}

// recordPlan puts together what is known of one record. held counts versions whose TTL was higher than a switch may wait
// for; of the others what is left is no longer than that after any switch.
func recordPlan(c *Config, r RecordSet, known []Known, now time.Time) RecordPlan {
	p := RecordPlan{Name: r.Name, Type: r.Type, TTL: r.TTL()}
	p.Lowered = p.TTL <= c.lowEnough()
	first, seenHigh := now, false
	for _, k := range known {
		if k.Name != r.Name || k.Type != r.Type {
			continue
		}
		if k.First.Before(first) {
			first = k.First
		}
		seenHigh = seenHigh || k.TTL > c.lowEnough()
		ended := k.Ended
		if ended.IsZero() {
			if seenNow(r, k.Version) {
				continue
			}
			ended = now // a server that was not heard may give it to this moment
		}
		until := ended.Add(remembered(k.TTL))
		if until.After(p.changed) && !current(r, k.Data) {
			p.changed = until
		}
		if k.TTL > c.lowEnough() && until.After(p.held) {
			p.held, p.OldTTL, p.LoweredAt = until, k.TTL, ended
		}
	}
	if until := first.Add(remembered(c.OldTTL)); c.OldTTL > p.TTL && p.TTL > 0 && p.Lowered && !seenHigh && until.After(p.held) && until.After(now) {
		p.held, p.OldTTL, p.LoweredAt, p.Assumed = until, c.OldTTL, first, true
	}
	return p
}

// seenNow tells whether a server gives exactly that version.
func seenNow(r RecordSet, v Version) bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Text == "" && a.Version == v })
}

// current tells whether a server still gives these values.
func current(r RecordSet, values string) bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Text == "" && a.Data == values })
}
