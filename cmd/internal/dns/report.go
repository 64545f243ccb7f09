package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is what was found at one moment.
type Report struct {
	Time    time.Time
	Domains []Domain // in the order in which they were asked for
}

// Domain is what was found of one mail domain.
type Domain struct {
	Name       string
	Zones      []Zone       // its own first, then those of hosts that are looked at
	Records    []RecordSet  // MX first
	Remembered []Remembered // at the given resolvers
	Findings   []Finding
	Plan       Plan
}

// Zone is a zone as its parent delegates it and as each of its servers has it.
type Zone struct {
	Name, Parent string
	Delegated    []string // name servers at the parent, sorted
	Servers      []Server // each name server at each of its addresses, with those that only the zone names
	DelegatedTTL time.Duration
	Negative     time.Duration // how long it is remembered that a name does not exist (RFC 2308 5)
	leftOut      int           // name servers that were not looked at
}

// State is what a server of a zone is good for.
type State string

// States of a server.
const (
	Serves  State = "serves"
	Lame    State = "lame"    // answers, but is no server of the zone
	Silent  State = "silent"  // no answer, or none that can be read
	Unasked State = "unasked" // this machine has no way to that address, such as IPv6
)

// Server is a name server at one address.
type Server struct {
	Name      string
	Addr      netip.Addr
	State     State
	Text      string // why it does not serve
	Serial    uint32
	Delegates bool     // the parent names it
	Own       []string // the name servers that it gives for the zone, sorted
	negative  time.Duration
}

func (s Server) String() string { return fmt.Sprintf("%s (%s)", s.Name, s.Addr) }

// RecordSet is a name and a type as each server has it.
type RecordSet struct {
	Name, Type string
	Zone       string
	Answers    []Answer // of the servers that serve the zone
	Aliases    []string // the servers name an alias instead
}

// Answer is what one server says.
type Answer struct {
	Server Server
	Version
	Values []string // sorted
	Text   string   // why there is none, "" where there is
}

// Agreed tells whether all servers that were asked gave the same values.
func (r RecordSet) Agreed() bool { return len(r.Versions()) == 1 && r.complete() }

func (r RecordSet) complete() bool {
	return !slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Text != "" })
}

// TTL is the largest that a server gives.
func (r RecordSet) TTL() (ttl time.Duration) {
	for _, a := range r.Answers {
		ttl = max(ttl, a.TTL)
	}
	return ttl
}

// Versions are the different values that there are, those of most servers first.
func (r RecordSet) Versions() (all [][]string) {
	count := make(map[string]int)
	for _, a := range r.Answers {
		if a.Text != "" {
			continue
		}
		if count[a.Data]++; count[a.Data] == 1 {
			all = append(all, a.Values)
		}
	}
	slices.SortStableFunc(all, func(x, y []string) int { return count[data(y)] - count[data(x)] })
	return all
}

// Values are those of most servers.
func (r RecordSet) Values() []string {
	if all := r.Versions(); len(all) > 0 {
		return all[0]
	}
	return nil
}

func data(values []string) string { return strings.Join(values, ",") }

// Remembered is what a resolver says of a record.
type Remembered struct {
	Resolver   netip.AddrPort
	Name, Type string
	Version              // TTL: for how much longer
	Old        bool      // it is not what the name servers say
	Until      time.Time // when it forgets
	Text       string    // why there is none
}

// Verdict is how grave a finding is.
type Verdict int

// Verdicts.
const (
	OK Verdict = iota
	Warning
	Failed
)

func (v Verdict) String() string { return [...]string{"ok", "warning", "failed"}[v] }

// Finding is one thing that was looked at. The texts may hold what a name server sent.
type Finding struct {
	Check   string // one of docs/dns.md
	Verdict Verdict
	Text    string
	Next    string    // what to do
	Until   time.Time // when it mends itself; zero: it does not, or that is not known

	// Expected: it is about what should be there after the switch, and is no reason to put the switch off.
	Expected bool
}

// Failed tells whether anything failed in any domain.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Domains, func(d Domain) bool { return d.Count(Failed) > 0 })
}

// Count counts the findings of a verdict.
func (d Domain) Count(v Verdict) (n int) {
	for _, f := range d.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// UnsafeError says why a switch would not be safe, a reason a line.
type UnsafeError struct{ Reasons []string }

func (e *UnsafeError) Error() string { return strings.Join(e.Reasons, "; ") }

// Safe tells whether the records of all domains can be switched at a time: nil, or an *UnsafeError. It is safe where every
// name server gives the same, nothing that failed would keep mail from the new server, the TTL is low and was low long
// enough that no resolver still remembers the old one for longer. That expectations do not hold yet is no reason.
func (r Report) Safe(at time.Time) error {
	var reasons []string
	for _, d := range r.Domains {
		for _, f := range d.Findings {
			if f.Verdict == Failed && !f.Expected {
				reasons = append(reasons, d.Name+": "+f.Text)
			}
		}
		for _, p := range d.Plan.Records {
			switch {
			case !p.Lowered:
				reasons = append(reasons, fmt.Sprintf("%s: the TTL of %s %s is %s: lower it to %s first", d.Name, p.Name, p.Type, Spell(p.TTL), Spell(d.Plan.Low)))
			case at.Before(p.Earliest):
				reasons = append(reasons, fmt.Sprintf("%s: resolvers may remember %s %s with its old TTL until %s", d.Name, p.Name, p.Type, p.Earliest.UTC().Format(time.RFC3339)))
			}
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &UnsafeError{Reasons: reasons}
}

// Lowered tells whether all TTLs are low.
func (r Report) Lowered() bool {
	return !slices.ContainsFunc(r.Domains, func(d Domain) bool { return !d.Plan.Lowered })
}

// SwitchEarliest is when all records can be switched safely as far as TTLs go; where a TTL is not lowered yet: if it were
// lowered at Report.Time.
func (r Report) SwitchEarliest() time.Time {
	return r.latest(func(d Domain) time.Time { return d.Plan.Earliest })
}

// ForgottenAt is when the last resolver has forgotten what is there now, if it is switched at a time.
func (r Report) ForgottenAt(at time.Time) time.Time {
	return r.latest(func(d Domain) time.Time { return d.Plan.ForgottenAt(at) })
}

func (r Report) latest(of func(Domain) time.Time) (last time.Time) {
	for _, d := range r.Domains {
		if t := of(d); t.After(last) {
			last = t
		}
	}
	return last
}

// Spell writes a time span as people say it, with the seconds that a zone file has.
func Spell(d time.Duration) string {
	seconds := int64(d.Round(time.Second) / time.Second)
	for _, u := range []struct {
		seconds   int64
		one, many string
	}{{86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}} {
		switch n := seconds / u.seconds; {
		case seconds%u.seconds != 0 || n == 0:
		case n == 1:
			return fmt.Sprintf("%d s (1 %s)", seconds, u.one)
		default:
			return fmt.Sprintf("%d s (%d %s)", seconds, n, u.many)
		}
	}
	return fmt.Sprintf("%d s", seconds)
}
