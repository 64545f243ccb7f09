package sync

import (
	"fmt"
	"slices"
	"testing"
)

// A rule that matches no folder is told once, with the folder that was meant; one that matches is not, whatever decides
// in the end.
func TestIdleRules(t *testing.T) {
	source := listing("INBOX.", ".", boxes(".", "INBOX", "INBOX.Sent", "INBOX.Entwürfe", "INBOX.Old.A")...)
	target := listing("", "/")
	cases := []struct {
		name  string
		rules Mapping
		want  []string
	}{
		{"rules that match", Mapping{Maps: []MapRule{{Source: "Sent", Target: "X"}}, Include: []string{"*"}, Exclude: []string{"Sent", "Old/?", "inbox"},
			Rewrites: []Rewrite{{"^Ent", "Wur"}, {"^Wur", "X"}}}, nil},
		{"a map in other capitals, with a blank", Mapping{Maps: []MapRule{{Source: "sent ", Target: "X"}, {Source: "Foo", Target: "Bar"}}},
			[]string{"--map sent =X: the source has no such folder; did you mean INBOX.Sent?", "--map Foo=Bar: the source has no such folder"}},
		{"globs", Mapping{Include: []string{"*", "old.a"}, Exclude: []string{"SENT", "e?*", "nope*", `\*`}},
			[]string{"--include old.a: the source has no such folder; did you mean INBOX.Old.A?",
				"--exclude SENT: the source has no such folder; did you mean INBOX.Sent?",
				"--exclude e?*: it matches no folder of the source; capitals count, and it would match INBOX.Entwürfe without",
				"--exclude nope*: it matches no folder of the source", `--exclude \*: it matches no folder of the source`}},
		{"a rename of what is left out", Mapping{Exclude: []string{"Sent"}, Rewrites: []Rewrite{{"Sent", "X"}, {"^entw.rfe$", "X"}, {"^Old/", "New/"}, {"^Old/", "New/"}}},
			[]string{"--rename Sent=X: it matches no folder that is carried",
				"--rename ^entw.rfe$=X: it matches no folder that is carried; capitals count, and it would match INBOX.Entwürfe without",
				"--rename ^Old/=New/: it matches no folder that is carried"}},
	}
	for _, c := range cases {
		var got []string
		for _, r := range mapFolders(source, target, nil, compiled(t, c.rules)).idle {
			got = append(got, r.rule+": "+r.why)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, c.want)
		}
	}
}

// One file of rules may serve many accounts: what is told of it is bounded.
func TestIdleRulesAreBounded(t *testing.T) {
	for _, c := range []struct {
		rules, lines int
		last         string
	}{
		{mostTold, mostTold, "rule 19: why"},
		{mostTold + 1, mostTold + 1, "and 1 more rule that matches no folder"},
		{mostTold + 2, mostTold + 1, "and 2 more rules that match no folder"},
	} {
		var got []Notice
		a := &attempt{pass: &pass{Options: Options{Events: func(e Event) { got = append(got, e.(Notice)) }}}}
		list := make([]idleRule, c.rules)
		for i := range list {
			list[i] = idleRule{fmt.Sprintf("rule %d", i), "why"}
		}
		a.tellIdle(list)
		if len(got) != c.lines || got[0].Rule != "rule 0" || got[len(got)-1].Text != c.last {
			t.Errorf("%d rules: %d lines, last %q", c.rules, len(got), got[len(got)-1].Text)
		}
	}
}
