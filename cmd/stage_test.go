package cmd

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailmove/cmd/internal/accounts"
	"mailmove/state/fleet"
)

// Whatever passes bring, in whatever order: a group's state says no more than all its accounts have come to, it never goes
// back but by a member that does, and what somebody said of it no pass takes back.
func TestStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		kept := fleet.Group{}
		members := make([]member, rapid.IntRange(1, 4).Draw(t, "accounts"))
		for i := range members {
			members[i].account = fmt.Sprint("a", i)
		}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			now = now.Add(time.Minute)
			m := &members[rapid.IntRange(0, len(members)-1).Draw(t, "account")]
			switch rapid.SampledFrom([]string{"begin", "good", "fail", "final", "reopen", "switch", "close", "back"}).Draw(t, "event") {
			case "begin":
				m.begun = true
			case "good":
				m.begun, m.good, m.failing = true, now, ""
			case "fail":
				m.begun, m.failing = true, "refused"
			case "final":
				m.begun, m.good, m.final, m.failing = true, now, true, ""
			case "reopen":
				m.final = false
			case "switch":
				if kept.State == groupFinal {
					kept.State, kept.Since = groupSwitched, now
				}
			case "close":
				if kept.State == groupTail {
					kept.State, kept.Since = groupClosed, now
				}
			case "back":
				if kept.State == groupSwitched || kept.State == groupTail {
					kept.State, kept.Since = groupFinal, now
				}
			}
			before := kept
			g, changed := moved(kept, "g", whyPasses, members, now)
			checkStage(t, before, g, members)
			if changed != (g.State != before.State || !g.Trouble.Equal(before.Trouble)) {
				t.Fatalf("changed %v: %+v, %+v", changed, before, g)
			}
			if kept = g; kept.From != before.State {
				t.Fatalf("made for %q, seen in %q", kept.From, before.State)
			}
			if _, again := moved(kept, "g", whyPasses, members, now.Add(time.Second)); again {
				t.Fatal("the same accounts move a group twice")
			}
		}
	})
}

func checkStage(t *rapid.T, before, g fleet.Group, members []member) {
	all := func(is func(member) bool) bool {
		return !slices.ContainsFunc(members, func(m member) bool { return !is(m) })
	}
	said := slices.Index(groupStates(), before.State) > slices.Index(groupStates(), groupFinal)
	switch {
	case !slices.Contains(groupStates(), g.State):
		t.Fatalf("%q is no state", g.State)
	case said && slices.Index(groupStates(), g.State) < slices.Index(groupStates(), before.State):
		t.Fatalf("passes took %s back to %s", before.State, g.State)
	case !said && slices.Index(groupStates(), g.State) > slices.Index(groupStates(), groupFinal):
		t.Fatalf("passes alone took %q to %s", before.State, g.State)
	case g.State == groupClosed && before.State != groupClosed:
		t.Fatalf("passes closed what was %s", before.State)
	case !said && g.State == groupFinal && !all(func(m member) bool { return m.final }):
		t.Fatalf("final, and not all had a final pass: %+v", members)
	case !said && g.State == groupCopied && !all(func(m member) bool { return !m.good.IsZero() }):
		t.Fatalf("copied, and not all had a good pass: %+v", members)
	case g.State == groupTail && before.State == groupSwitched && !all(func(m member) bool { return m.good.After(before.Since) }):
		t.Fatalf("a tail without a pass since the switch: %+v", members)
	case g.Trouble.IsZero() != all(func(m member) bool { return m.failing == "" }):
		t.Fatalf("trouble since %v: %+v", g.Trouble, members)
	case g.State == before.State && !g.Since.Equal(before.Since):
		t.Fatalf("%s since another time", g.State)
	case isReady(g.State, members) && (g.State != groupCopied || !g.Trouble.IsZero()):
		t.Fatalf("ready: %+v", g)
	}
}

// A tail ends when nothing came for long enough, somebody has looked just now, and the old server delivers nothing itself.
func TestClosing(t *testing.T) {
	now := time.Date(2026, 12, 20, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	rules := stepRules{quiet: 14 * day, removed: true, now: now, lastCheck: day}
	for name, row := range map[string]struct {
		since, mail, good time.Duration // before now
		removed           bool
		failing           string
		open              int64
		reasons           int
	}{
		"quiet":                    {20 * day, 15 * day, time.Hour, true, "", 0, 0},
		"no mail at all":           {20 * day, 0, time.Hour, true, "", 0, 0},
		"switched a week ago":      {7 * day, 0, time.Hour, true, "", 0, 1},
		"mail a week ago":          {20 * day, 7 * day, time.Hour, true, "", 0, 1},
		"nobody has looked":        {20 * day, 15 * day, 3 * day, true, "", 0, 1},
		"not removed":              {20 * day, 15 * day, time.Hour, false, "", 0, 1},
		"an account fails":         {20 * day, 15 * day, time.Hour, true, "refused", 0, 1},
		"mail stayed behind":       {20 * day, 15 * day, time.Hour, true, "", 2, 1},
		"everything is in the way": {day, time.Hour, 2 * day, false, "refused", 1, 5},
	} {
		m := member{account: "a", begun: true, good: now.Add(-row.good), final: true, failing: row.failing, open: row.open}
		if row.mail > 0 {
			m.mail = now.Add(-row.mail)
		}
		g := &groupView{Group: fleet.Group{State: groupTail, Since: now.Add(-row.since)}, name: "g", state: groupTail, members: []member{m}}
		rules.removed = row.removed
		if s := g.closing(rules); len(s.why) != row.reasons {
			t.Errorf("%s: %q", name, s.why)
		}
	}
}

// Words of a list cannot leave their place in a command line or a table.
func TestPlanQuotes(t *testing.T) {
	for text, want := range map[string]string{"one.example": "one.example", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "-x": "-x", "a;b": "'a;b'"} {
		if got := oneWord(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"a|b": `a\|b`, "<b>": `\<b\>`, "[x](y)": `\[x\]\(y\)`, "`a`": "\\`a\\`", "a\nb": `a\\nb`} {
		if got := markdownCell(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// The DNS is asked for the domains of the mailboxes, not for that of an admin who opens them.
func TestDomainsOfAGroup(t *testing.T) {
	for name, c := range map[string]struct {
		given []given
		row   accounts.Row
		want  []string
	}{
		"a user":                   {nil, accounts.Row{Fields: map[string]string{"source_user": "alice@one.example", "target_user": "alice"}}, []string{"one.example"}},
		"Dovecot's master":         {nil, accounts.Row{Fields: map[string]string{"source_user": "alice@one.example*move@old.example", "target_user": "alice"}}, []string{"one.example"}},
		"an admin in the row":      {nil, accounts.Row{Fields: map[string]string{"source_user": "admin@old.example", "source_authzid": "alice@one.example", "target_user": "alice"}}, []string{"one.example"}},
		"an admin of all rows":     {[]given{{"source-authzid", []string{"{id}"}}}, accounts.Row{ID: "alice@one.example", Fields: map[string]string{"source_user": "admin@old.example", "target_user": "alice"}}, []string{"one.example"}},
		"an admin of the target":   {nil, accounts.Row{Fields: map[string]string{"source_user": "alice", "target_user": "admin@new.example", "target_authzid": "alice@one.example"}}, []string{"one.example"}},
		"without an address":       {nil, accounts.Row{Fields: map[string]string{"source_user": "alice", "target_user": "alice"}}, []string{"group.example"}},
		"a row that is incomplete": {nil, accounts.Row{ID: "a", Fields: map[string]string{"source_user": "alice@one.example", "source_tls": "?"}}, []string{"one.example"}},
	} {
		c.row.Group = "group.example"
		r := &listRun{dir: t.TempDir(), list: &accounts.List{Rows: []accounts.Row{c.row}},
			given: append([]given{{"source", []string{"old.example"}}, {"target", []string{"new.example"}}}, c.given...)}
		r.name()
		g := &groupView{name: "group.example", entries: r.entries}
		if got := g.domains(r); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
