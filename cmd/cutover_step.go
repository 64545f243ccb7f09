package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
)

// step is what comes next for a group.
type step struct {
	what string   // in words
	why  []string // why not yet; none: now
	wait time.Time
}

// stepRules are what a step is held against.
type stepRules struct {
	quiet     time.Duration // without new mail, before a tail may end
	removed   bool          // the domain is no longer served by the old server
	ttl       ttlCheck      // nil: not asked
	found     bool          // what was found safe before need not be found again: since then the records may have changed
	now       time.Time
	lastCheck time.Duration // how old the last pass may be that found nothing
}

// usualQuiet is how many days without new mail end a tail: a newsletter that comes every week has come by then.
const usualQuiet = 14

// believedSafe is how long a switch stays safe that was found so: nobody raises a TTL by mistake in that time.
const believedSafe = 24 * time.Hour

// mostNamed bounds how many accounts a reason names.
const mostNamed = 5

// next finds the step that follows for a group, and what is in its way.
func (g *groupView) next(ctx context.Context, r *listRun, rules stepRules) (step, error) {
	switch g.state {
	case groupPlanned:
		return step{what: "the first copy", why: g.failures()}, nil
	case groupCopying:
		return step{what: "passes until every account is copied", why: append(g.without("not copied yet", func(m member) bool { return !m.good.IsZero() }), g.failures()...)}, nil
	case groupCopied:
		return step{what: "the final pass, when people are asked to stop", why: g.failures()}, nil
	case groupFinal:
		return g.switching(ctx, r, rules)
	case groupSwitched:
		since := g.Group.Since
		return step{what: "a pass for what still reached the source", why: append(g.without("no pass since the switch", func(m member) bool { return m.good.After(since) }), g.failures()...)}, nil
	case groupTail:
		return g.closing(rules), nil
	}
	return step{what: "nothing: it is closed"}, nil
}

// switching is safe when the resolvers of the world ask anew soon.
func (g *groupView) switching(ctx context.Context, r *listRun, rules stepRules) (step, error) {
	s := step{what: "switch the MX records", why: g.failures()}
	domains := g.domains(r)
	if rules.found && rules.now.Sub(g.Group.Safe) < believedSafe && !g.Group.Safe.After(rules.now) {
		return s, nil
	}
	switch {
	case rules.ttl == nil:
		s.why = append(s.why, "the DNS was not asked: "+strings.Join(domains, ", "))
		return s, nil
	case len(domains) == 0:
		s.why = append(s.why, "it cannot be told whose MX records these are: no address in the list, and the group's name is no domain")
		return s, nil
	}
	from, reasons, err := rules.ttl(ctx, domains)
	if err != nil {
		return s, err
	}
	for _, reason := range reasons {
		s.why = append(s.why, ui.Clean(reason))
	}
	if from.After(rules.now) {
		s.wait = from
	}
	return s, nil
}

// closing is safe when nothing came for long enough, somebody looked just now, the old server delivers nothing itself, and it
// has no message alone that nobody gave up: with the old mailboxes that would be gone.
func (g *groupView) closing(rules stepRules) step {
	s := step{what: "close it: the old mailboxes may be switched off", why: g.failures()}
	last := g.Group.Since
	for _, m := range g.members {
		if m.mail.After(last) {
			last = m.mail
		}
	}
	if quiet := last.Add(rules.quiet); quiet.After(rules.now) {
		s.wait = quiet
		s.why = append(s.why, fmt.Sprintf("mail came to the source until %s; without more it may be closed on %s", stamp(last), stamp(quiet)))
	}
	s.why = append(s.why, g.without("nobody has looked for new mail since yesterday", func(m member) bool { return rules.now.Sub(m.good) < rules.lastCheck })...)
	s.why = append(s.why, g.without("mail stayed on the source, and nobody agreed to that (mailmove exceptions)", func(m member) bool { return m.open == 0 })...)
	if !rules.removed {
		s.why = append(s.why, "nobody confirmed that the old server has the domain no more: its own customers and web forms deliver there as long as it has (--confirmed-removed)")
	}
	return s
}

// failures names the accounts that fail, and why.
func (g *groupView) failures() []string {
	var names []string
	n := 0
	for _, m := range g.members {
		if m.failing == "" {
			continue
		}
		if n++; n <= mostNamed {
			names = append(names, ui.Clean(m.account)+" ("+ui.Short(ui.Clean(m.failing), 100)+")")
		}
	}
	return reasonOf(names, n, "fails", "fail")
}

// without names the accounts for which something does not hold.
func (g *groupView) without(what string, holds func(member) bool) []string {
	var names []string
	n := 0
	for _, m := range g.members {
		if holds(m) {
			continue
		}
		if n++; n <= mostNamed {
			names = append(names, orElse(ui.Clean(m.account), "a row without an id"))
		}
	}
	return reasonOf(names, n, what, what)
}

// reasonOf makes one reason of many accounts.
func reasonOf(names []string, n int, one, many string) []string {
	if n == 0 {
		return nil
	}
	what := many
	if n == 1 {
		what = one
	}
	text := fmt.Sprintf("%s: %s: %s", ui.Plural(int64(n), "account"), what, strings.Join(names, ", "))
	if n > len(names) {
		text += fmt.Sprintf(" and %d more", n-len(names))
	}
	return []string{text}
}
