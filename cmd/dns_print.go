package cmd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mailmove/cmd/internal/dns"
	"mailmove/cmd/internal/ui"
)

// dnsTable is for people: a line a finding, what to do next below it, the plan and the verdict. Of many domains only what is
// not as it should be.
func dnsTable(a *app, r dns.Report) error {
	var b strings.Builder
	width := max(a.width, 60)
	b.WriteString("CHECK           VERDICT  WHAT\n")
	for _, d := range r.Domains {
		for _, f := range d.Findings {
			if len(r.Domains) > 1 && f.Verdict == dns.OK {
				continue
			}
			prefix := fmt.Sprintf("%-14s  %-7s  ", f.Check, f.Verdict)
			b.WriteString(hanging(prefix, ui.Clean(f.Text), width))
			if f.Verdict != dns.OK && f.Next != "" {
				b.WriteString(hanging(strings.Repeat(" ", len(prefix))+"next: ", ui.Clean(f.Next), width))
			}
		}
		for _, line := range planLines(d, r.Time) {
			b.WriteString(hanging(fmt.Sprintf("%-14s  %-7s  ", "plan", ""), ui.Clean(line), width))
		}
		b.WriteString(hanging("", dnsSum(d), width))
	}
	if len(r.Domains) > 1 {
		b.WriteString(hanging("", dnsTotal(r), width))
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// dnsSum is the last line of a domain.
func dnsSum(d dns.Domain) string {
	verdict := "all name servers agree"
	switch {
	case d.Count(dns.Failed) == 0:
	case onlyExpected(d):
		verdict = "all name servers agree, but not on what is expected"
	default:
		verdict = "not yet: set right what failed, and look again"
	}
	return fmt.Sprintf("%s: %d ok, %s, %d failed: %s", ui.Clean(d.Name), d.Count(dns.OK),
		howMany(int64(d.Count(dns.Warning)), "warning", "warnings"), d.Count(dns.Failed), verdict)
}

// onlyExpected tells whether what failed is only what should be there after the switch.
func onlyExpected(d dns.Domain) bool {
	for _, f := range d.Findings {
		if f.Verdict == dns.Failed && !f.Expected {
			return false
		}
	}
	return true
}

// dnsTotal is the last line of several domains.
func dnsTotal(r dns.Report) string {
	failed := 0
	for _, d := range r.Domains {
		if d.Count(dns.Failed) > 0 {
			failed++
		}
	}
	return fmt.Sprintf("%s, %d with something that failed; the earliest safe switch of all: %s", howMany(int64(len(r.Domains)), "domain", "domains"),
		failed, whenText(r.SwitchEarliest(), r.Time))
}

// whenText is a time to come, or now.
func whenText(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return stamp(t)
}

// planLines say when a domain can be switched, and what then.
func planLines(d dns.Domain, now time.Time) (lines []string) {
	p := d.Plan
	if len(p.Records) == 0 {
		return nil
	}
	expected, there := met(d)
	if p.Changed {
		lines = append(lines, fmt.Sprintf("changed: the last resolver forgets what was there before at %s; until then mail may go there. Raise the TTL again after that",
			stamp(p.Until)))
		if there || !expected {
			return lines
		}
	}
	for _, r := range p.Records {
		switch {
		case !r.Lowered:
			lines = append(lines, fmt.Sprintf("lower the TTL of %s %s from %s to %s now%s", r.Name, r.Type, dns.Spell(r.TTL), dns.Spell(p.Low), ofDE(d.Name, p.Low)))
		case r.Assumed:
			lines = append(lines, fmt.Sprintf("the TTL of %s %s is low, %s; this is known since %s only, and it may have been %s before (--old-ttl off: it was not)",
				r.Name, r.Type, dns.Spell(r.TTL), stamp(r.LoweredAt), dns.Spell(r.OldTTL)))
		case r.Earliest.After(now) && r.OldTTL > 0:
			lines = append(lines, fmt.Sprintf("the TTL of %s %s is %s since %s; before it was %s", r.Name, r.Type, dns.Spell(r.TTL), stamp(r.LoweredAt), dns.Spell(r.OldTTL)))
		}
	}
	if there {
		return append(lines, "switched, and no resolver remembers anything else: raise the TTL again")
	}
	last := p.ForgottenAt(p.Earliest)
	switch {
	case !p.Lowered:
		lines = append(lines, "the earliest safe switch is at "+stamp(p.Earliest)+", if that is done now")
	case p.Earliest.After(now):
		lines = append(lines, "the earliest safe switch is at "+stamp(p.Earliest))
	default:
		lines = append(lines, "as far as TTLs go, the switch is safe now")
	}
	then := fmt.Sprintf("%s after the switch the last resolver has forgotten the old server; then raise the TTL again", dns.Spell(last.Sub(p.Earliest)))
	if !p.Lowered {
		then = fmt.Sprintf("%s after the switch the last resolver has then forgotten the old server; raise the TTL again after that", dns.Spell(p.Low))
	}
	return append(lines, then)
}

// ofDE: whose names end in .de often hears that a TTL of an hour is the least there is.
func ofDE(name string, low time.Duration) string {
	if strings.HasSuffix(name, ".de") && low == 3*time.Minute {
		return " (in .de so little is possible)"
	}
	return ""
}

// met tells whether something is expected of the domain's switch, and whether all of it is there.
func met(d dns.Domain) (expected, there bool) {
	there = true
	for _, f := range d.Findings {
		if f.Check == "expect-mx" || f.Check == "expect-address" {
			expected = true
			there = there && f.Verdict == dns.OK
		}
	}
	return expected, expected && there
}
