package cmd

import (
	"slices"
	"time"

	"mailmove/state/fleet"
)

// States of a group, in their order: the same words in summaries, in the fleet file and in mailmove cutover. Up to final a
// state is what the accounts have come to; the others somebody says, and they stay until somebody says otherwise.
const (
	groupPlanned  = "planned"  // nothing has begun
	groupCopying  = "copying"  // not every account came to an end yet
	groupCopied   = "copied"   // every account had a good pass
	groupFinal    = "final"    // every account had its final pass
	groupSwitched = "switched" // mail goes to the new server
	groupTail     = "tail"     // switched, and every account had a good pass since
	groupClosed   = "closed"   // nothing reaches the source any more
)

func groupStates() []string {
	return []string{groupPlanned, groupCopying, groupCopied, groupFinal, groupSwitched, groupTail, groupClosed}
}

// member is what an account says of its group.
type member struct {
	account string
	begun   bool
	good    time.Time // the last pass that came to its end
	final   bool
	failing string    // why its last pass failed; "": it did not
	open    int64     // exceptions that nobody accepted
	mail    time.Time // when a pass last copied something
}

// stageOf finds the state of a group.
func stageOf(kept fleet.Group, members []member) string {
	all := func(is func(member) bool) bool {
		return len(members) > 0 && !slices.ContainsFunc(members, func(m member) bool { return !is(m) })
	}
	switch kept.State {
	case groupClosed, groupTail:
		return kept.State
	case groupSwitched:
		if all(func(m member) bool { return m.good.After(kept.Since) && m.failing == "" }) {
			return groupTail
		}
		return groupSwitched
	}
	switch {
	case all(func(m member) bool { return m.final }):
		return groupFinal
	case all(func(m member) bool { return !m.good.IsZero() }):
		return groupCopied
	case kept.State == groupCopying, slices.ContainsFunc(members, func(m member) bool { return m.begun }):
		return groupCopying // also where a run began and no account of it came to its turn
	}
	return groupPlanned
}

// isReady tells whether nothing is in the way of a group's final pass.
func isReady(state string, members []member) bool {
	return state == groupCopied && !slices.ContainsFunc(members, func(m member) bool { return m.failing != "" || m.open > 0 })
}

// moved gives what is to be kept of a group now, and whether that is anything new.
func moved(kept fleet.Group, name, why string, members []member, now time.Time) (fleet.Group, bool) {
	g := kept
	g.Name, g.From = name, kept.State
	if state := stageOf(kept, members); state != kept.State {
		g.State, g.Since, g.Why, g.Safe = state, now, why, time.Time{}
	}
	failing := slices.ContainsFunc(members, func(m member) bool { return m.failing != "" })
	switch {
	case failing && g.Trouble.IsZero():
		g.Trouble = now
	case !failing:
		g.Trouble = time.Time{}
	}
	return g, g.State != kept.State || !g.Trouble.Equal(kept.Trouble)
}

// memberOf is what an account says of its group, with what this run knows of it. A dry run brings no account further.
func (r *listRun) memberOf(e *entry) member {
	o, before := e.outcome, r.before[e.account]
	if r.f.dryRun {
		o = outcome{}
	}
	m := member{account: e.account, good: r.lastGood(e), open: before.Exceptions, mail: before.Mail,
		final: o.final || before.Final && !o.looked && !(r.f.cutover.reopen && e.chosen)}
	m.begun = o.copied > 0 || o.word == wordFailed || !before.Last.IsZero() || !m.good.IsZero()
	if o.copied > 0 {
		m.mail = time.Now()
	}
	switch {
	case o.word == wordFailed || o.code == exitBusy:
		m.failing = orElse(o.text, o.word)
	case o.word == wordDone || o.word == wordExceptions:
		m.open = o.exceptions
	case o.word != wordBusy && o.word != wordStopped && before.Word == wordFailed:
		m.failing = orElse(before.Text, before.Word)
	}
	return m
}

// membersOf gives those of a group: every sound or unsound row of the list, chosen or not, as far as this machine has it.
func (r *listRun) membersOf(group string) (all []member) {
	for _, e := range r.ofGroup(group) {
		if r.f.list.shard.has(e.account) {
			all = append(all, r.memberOf(e))
		}
	}
	return all
}

// ofGroup gives the rows of a group. They are sorted into their groups once: a list may have a group for every other row.
func (r *listRun) ofGroup(name string) []*entry {
	if r.byGroup == nil {
		r.byGroup = make(map[string][]*entry)
		for _, e := range r.entries {
			r.byGroup[e.group] = append(r.byGroup[e.group], e)
		}
	}
	return r.byGroup[name]
}
