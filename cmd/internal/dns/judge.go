package dns

import (
	"fmt"
	"slices"
	"strings"
)

// judgeZone says what is wrong with a zone and its servers.
func (l *looker) judgeZone(z Zone) {
	l.judgeDelegation(z)
	before := l.d.Count(Failed)
	unasked := 0
	for _, s := range z.Servers {
		switch s.State {
		case Lame:
			l.find("name-servers", Failed, "have the server set up for the zone, or take it out of the delegation",
				"%s is lame: it is named for %s, and is no server of it (%s)", s, z.Name, s.Text)
		case Silent:
			l.find("name-servers", Failed, "have it repaired, or take it out of the delegation: resolvers that try it wait for nothing",
				"%s does not answer for %s: %s", hostText(s), z.Name, s.Text)
		case Unasked:
			unasked++
		}
	}
	if z.leftOut > 0 {
		l.find("name-servers", Warning, "", "%d more name servers of %s, or addresses of them, were not looked at", z.leftOut, z.Name)
	}
	if l.d.Count(Failed) == before {
		text := fmt.Sprintf("%s of %s answer with authority", count(len(z.Servers)-unasked, "address", "addresses"), count(len(z.Delegated), "name server", "name servers"))
		if unasked > 0 {
			text += fmt.Sprintf("; %s cannot be asked from this machine (no IPv6?)", count(unasked, "more", "more"))
		}
		v, next := OK, ""
		if unasked == len(z.Servers) {
			v, next = Failed, "ask from a machine that can"
		}
		l.find("name-servers", v, next, "%s: %s", z.Name, text)
	}
	l.judgeSerials(z)
}

func hostText(s Server) string {
	if !s.Addr.IsValid() {
		return s.Name
	}
	return s.String()
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// judgeDelegation compares the parent's name servers with those that the zone itself gives.
func (l *looker) judgeDelegation(z Zone) {
	var own []string
	for _, s := range z.Servers {
		if s.State == Serves && s.Own != nil {
			own = append(own, s.Own...)
		}
	}
	slices.Sort(own)
	own = slices.Compact(own)
	only := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(n string) bool { return slices.Contains(b, n) })
	}
	parent, zone := only(z.Delegated, own), only(own, z.Delegated)
	if len(own) == 0 || len(parent)+len(zone) == 0 {
		l.find("delegation", OK, "", "%s is delegated to %s", z.Name, list(z.Delegated))
		return
	}
	var parts []string
	if len(parent) > 0 {
		parts = append(parts, fmt.Sprintf("%s names %s, which the zone does not", orRoot(z.Parent), list(parent)))
	}
	if len(zone) > 0 {
		parts = append(parts, fmt.Sprintf("the zone names %s, which %s does not", list(zone), orRoot(z.Parent)))
	}
	l.find("delegation", Warning, "make both the same at the registrar; the delegation is remembered for "+Spell(z.DelegatedTTL),
		"%s: %s", z.Name, strings.Join(parts, "; "))
}

func orRoot(name string) string {
	if name == "" {
		return "the root"
	}
	return name
}

// list writes some names, shortened.
func list(all []string) string {
	if len(all) == 0 {
		return "nothing"
	}
	return short(strings.Join(all, ", "))
}

// judgeSerials finds servers that have an older version of the zone than others.
func (l *looker) judgeSerials(z Zone) {
	newest, any := uint32(0), false
	for _, s := range z.Servers {
		if s.State == Serves && (!any || newer(s.Serial, newest)) {
			newest, any = s.Serial, true
		}
	}
	if !any {
		return
	}
	var old []string
	for _, s := range z.Servers {
		if s.State == Serves && s.Serial != newest {
			old = append(old, fmt.Sprintf("%s has %d", s, s.Serial))
		}
	}
	if len(old) == 0 {
		l.find("serials", OK, "", "%s: all have serial %d", z.Name, newest)
		return
	}
	l.find("serials", Failed, "wait for the transfer, or have it looked at: notify, AXFR, a server that is not the zone's any more",
		"an old zone of %s: the newest serial is %d, %s", z.Name, newest, short(strings.Join(old, ", ")))
}

// newer compares serials as RFC 1982 3.2 does: they wrap around.
func newer(a, b uint32) bool { return a != b && a-b < 1<<31 }

// judgeRecords says whether the servers agree on a record.
func (l *looker) judgeRecords(r RecordSet, mustBe bool) {
	for _, a := range r.Answers {
		if a.Text != "" {
			l.find("records", Failed, "have the name server looked at", "%s does not give %s of %s: %s", a.Server, r.Type, r.Name, a.Text)
		}
	}
	versions := r.Versions()
	switch {
	case len(versions) > 1:
		l.find("records", Failed, "wait until all have the new zone; --wait does",
			"the name servers do not agree on %s of %s: %s", r.Type, r.Name, short(strings.Join(byServer(r), "; ")))
	case len(r.Aliases) > 0:
		l.find("records", OK, "", "%s is an alias of %s, TTL %s, at all name servers", r.Name, list(r.Aliases), Spell(r.TTL()))
	case len(versions) == 1 && len(versions[0]) > 0:
		l.find("records", OK, "", "%s %s: %s, TTL %s, at all name servers", r.Name, r.Type, list(versions[0]), Spell(r.TTL()))
	case len(versions) == 1 && mustBe:
		l.find("records", Warning, "set one", "%s has no %s: mail goes to the address of the name itself, if it has one (RFC 5321 5.1)", r.Name, r.Type)
	}
}

func byServer(r RecordSet) (parts []string) {
	for _, v := range r.Versions() {
		var who []string
		for _, a := range r.Answers {
			if a.Text == "" && data(a.Values) == data(v) {
				who = append(who, a.Server.String())
			}
		}
		parts = append(parts, fmt.Sprintf("%s at %s", list(v), strings.Join(who, ", ")))
	}
	return parts
}

// judgeTTL says which records resolvers remember for longer than a switch should take.
func (l *looker) judgeTTL() {
	for _, p := range l.d.Plan.Records {
		if !p.Lowered {
			l.find("ttl", Warning, fmt.Sprintf("lower it to %s now: mail goes to the old server for so long after the switch", Spell(l.d.Plan.Low)),
				"resolvers remember %s of %s for %s", p.Type, p.Name, Spell(p.TTL))
		}
		if p.Missing > l.c.lowEnough() {
			l.find("ttl", Warning, "put it in well before it is needed, or lower the last number of the SOA record",
				"there is no %s of %s yet: resolvers that have asked remember that for %s", p.Type, p.Name, Spell(p.Missing))
		}
	}
}
