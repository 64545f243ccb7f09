package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/notify"
	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
)

// whyPasses is why a group came to a state that nobody said it to be in.
const whyPasses = "the passes"

// leaveClosed leaves out the accounts of groups that are closed: their old mailboxes may be gone, which is no error. One that
// came to the list afterwards was never copied, which is told in any case; with --quiet as often as a failure.
func (r *listRun) leaveClosed(quiet bool) {
	left, never := make(map[string]int64), make(map[string][]string)
	for _, e := range r.entries {
		if e.chosen && r.kept[e.group].State == groupClosed {
			e.chosen = false
			left[e.group]++
			if r.before[e.account].Good.IsZero() && (!quiet || r.toldNever(e, time.Now())) {
				never[e.group] = append(never[e.group], ui.Clean(e.account))
			}
		}
	}
	if len(left) == 0 {
		return
	}
	for _, name := range r.groupNames() {
		if all := never[name]; len(all) > 0 {
			r.a.warn("group %s is closed, and these were never copied: %s; mailmove cutover next %s --back opens it again",
				ui.Clean(name), named(all), oneWord(name))
		}
		if quiet {
			continue
		}
		if n := left[name]; n > 0 {
			fmt.Fprintf(r.a.err, "group %s is closed since %s: %s left out\n", ui.Clean(name), stamp(r.kept[name].Since), ui.Plural(n, "account"))
		}
	}
}

// toldNever notes that somebody is told of an account which no run will copy, and says whether that is due.
func (r *listRun) toldNever(e *entry, now time.Time) bool {
	o := r.before[e.account]
	if due := o.Told.IsZero() || now.Sub(o.Told) > remindAfter || o.Told.After(now); !due {
		return false
	}
	if o.Account == "" {
		o = fleet.Outcome{Account: e.account, Word: wordWaiting, Code: exitLater, Since: now}
	}
	o.Told = now
	r.unsaved = append(r.unsaved, o)
	return true
}

// named gives the first of many names, and how many more there are.
func named(all []string) string {
	text := strings.Join(all[:min(len(all), mostNamed)], ", ")
	if more := len(all) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// groupNames are the groups of the list, in its order.
func (r *listRun) groupNames() (names []string) {
	seen := make(map[string]bool)
	for _, e := range r.entries {
		if !seen[e.group] {
			seen[e.group] = true
			names = append(names, e.group)
		}
	}
	return names
}

// touched are the groups of which this run means an account.
func (r *listRun) touched() []string {
	chosen := make(map[string]bool)
	for _, e := range r.entries {
		if e.chosen {
			chosen[e.group] = true
		}
	}
	return slices.DeleteFunc(r.groupNames(), func(name string) bool { return !chosen[name] })
}

// begin notes which groups have begun, and tells that.
func (r *listRun) begin(ctx context.Context) error {
	if r.f.dryRun || r.fleet == nil {
		return nil
	}
	touched := r.touched()
	for _, name := range touched {
		for _, e := range r.ofGroup(name) { // what nobody noted of the others of these groups, their own state says
			if e.chosen || len(e.problems) > 0 {
				continue
			}
			known, err := r.past(ctx, e)
			if err != nil {
				return err
			}
			r.before[e.account] = known
		}
	}
	var planned []groupMembers
	for _, name := range touched {
		members := r.membersOf(name)
		if stageOf(r.kept[name], members) == groupPlanned {
			members[0].begun = true // now
			planned = append(planned, groupMembers{name, members})
		}
	}
	if err := r.keepMany(ctx, planned); err != nil {
		return err
	}
	r.notices.start(ctx, r)
	return nil
}

// keepGroups notes how far the groups of this run have come, and tells what changed.
func (r *listRun) keepGroups(ctx context.Context) error {
	if r.f.dryRun || r.fleet == nil {
		return nil
	}
	var all []groupMembers
	for _, name := range r.touched() {
		all = append(all, groupMembers{name, r.membersOf(name)})
	}
	return r.keepMany(ctx, all)
}

// groupMembers is a group with its accounts.
type groupMembers struct {
	name    string
	members []member
}

// groupsTogether is how many groups are noted in one transaction: each waits for the disk, and a list may have thousands.
const groupsTogether = 200

// keepMany notes what many groups have come to.
func (r *listRun) keepMany(ctx context.Context, all []groupMembers) error {
	for some := range slices.Chunk(all, groupsTogether) {
		var change fleet.Change
		for _, g := range some {
			one := r.changeOf(g.name, g.members, whyPasses)
			change.Groups, change.Notes = append(change.Groups, one.Groups...), append(change.Notes, one.Notes...)
		}
		err := r.keepChange(ctx, change)
		if errors.Is(err, fleet.ErrGroupMoved) { // another process was faster with one of them
			err = nil
			for _, g := range some {
				if err == nil {
					err = r.keepGroup(ctx, g.name, g.members, whyPasses)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepGroup notes what a group has come to by its accounts. Where another process was faster, its next run sees what is new.
func (r *listRun) keepGroup(ctx context.Context, name string, members []member, why string) error {
	if err := r.keepChange(ctx, r.changeOf(name, members, why)); !errors.Is(err, fleet.ErrGroupMoved) {
		return err
	}
	return nil
}

// changeOf is what there is to keep of a group, and to tell; nothing where it is as it was.
func (r *listRun) changeOf(name string, members []member, why string) (change fleet.Change) {
	kept := r.kept[name]
	now := time.Now().Truncate(time.Millisecond)
	g, changed := moved(kept, name, why, members, now)
	change.Notes = r.notices.ready(g, members, now)
	if g.State != kept.State {
		for _, state := range passed(kept.State, g.State) {
			change.Notes = append(change.Notes, r.notices.group(kindOf(state), g, r.ofGroup(name), len(members), now, "")...)
		}
	}
	if changed {
		change.Groups = []fleet.Group{g}
	}
	return change
}

// keepChange keeps what changed of groups, and wakes whoever tells it.
func (r *listRun) keepChange(ctx context.Context, change fleet.Change) error {
	if len(change.Groups)+len(change.Notes) == 0 {
		return nil
	}
	if err := r.fleet.Keep(context.WithoutCancel(ctx), change); err != nil {
		return err
	}
	for _, g := range change.Groups {
		r.kept[g.Name] = g
	}
	r.notices.wake()
	return nil
}

// passed are the states that a group came through on its way from one to another one: a small group is copied before
// anybody saw it copying. None on the way back.
func passed(from, to string) []string {
	states := groupStates()
	i, j := max(0, slices.Index(states, from)), slices.Index(states, to)
	if j <= i {
		return nil
	}
	return states[i+1 : j+1]
}

// kindOf is what is told of a group that came to a state; "": nothing.
func kindOf(state string) string {
	return map[string]string{groupCopying: notify.Begun, groupCopied: notify.Copied, groupFinal: notify.Final,
		groupSwitched: notify.Switched, groupClosed: notify.Closed}[state]
}
