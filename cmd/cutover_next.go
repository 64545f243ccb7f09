package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

const cutoverNextLong = `Does the next step of a group, or says what you have to do for it. Passes are
made: the first copy, later ones, the final pass (asked for, or --yes), the
tail. The switch itself is yours: with --switched you say that it is done. A
step that is not safe yet is refused with the reason, exit code 75. Passes take
every flag of mailmove sync --accounts.`

// nextFlags are what a step takes.
type nextFlags struct {
	cutoverFlags
	statusOwn
	switched bool
	back     bool
	yes      bool
	why      string
}

func newCutoverNext(a *app) *cobra.Command {
	f := &nextFlags{cutoverFlags: newCutoverFlags()}
	c := &cobra.Command{
		Use:   "next GROUP --accounts FILE",
		Short: "Do the next step of a group, if it is safe",
		Long:  cutoverNextLong,
		Example: "  mailmove cutover next example.org --accounts accounts.csv\n" +
			"  mailmove cutover next example.org --accounts accounts.csv --switched\n" +
			"  mailmove cutover next example.org --accounts accounts.csv --confirmed-removed",
		Args:                  oneGroup,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.cutoverFlags.bind(c.Flags())
	c.Flags().Lookup("group").Hidden = true
	group(c.Flags(), flagGroups()[stepGroup], func(set *pflag.FlagSet) {
		set.BoolVar(&f.switched, "switched", false, "the MX records lead to the new server")
		f.statusOwn.bind(set)
		set.BoolVar(&f.back, "back", false, "take the group back: from closed to tail, from switched or tail to before the switch")
		set.StringVar(&f.why, "why", "", "`TEXT` for the record, shown by mailmove cutover status")
		set.BoolVar(&f.yes, "yes", false, "begin the final pass without asking")
	})
	f.bindDNS(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error { return f.run(c, a, args[0]) }
	return c
}

func oneGroup(c *cobra.Command, args []string) error {
	if err := checkGiven(c.Flags()); err != nil {
		return err
	}
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return usagef("mailmove cutover status --accounts FILE names the groups", "%s takes one group", c.CommandPath())
}

// check refuses what makes no sense before the list is read.
func (f *nextFlags) check() error {
	switch {
	case f.list.file == "-":
		return usagef("a step reads the list more than once: give a file", "--accounts - is standard input")
	case len(f.list.groups) > 0 || f.id != "" || len(f.list.only) > 0 || f.list.shard.of > 0:
		return usagef("name the group alone", "a step is for a whole group: no --group, --id, --only or --shard")
	case f.back && (f.switched || f.removed):
		return usagef("give one of them", "both --back and a step forward")
	case len(f.why) > 200 || ui.Clean(f.why) != f.why:
		return usagef("", "--why: a text of at most 200 bytes, without control characters")
	}
	return nil
}

func (f *nextFlags) run(c *cobra.Command, a *app, name string) error {
	if err := f.check(); err != nil {
		return err
	}
	rules, err := f.rules(f.ttl())
	if err != nil {
		return err
	}
	f.list.groups = []string{name}
	r, g, err := f.viewed(c, a)
	if err != nil {
		return err
	}
	if f.back {
		return f.takeBack(c, r, g)
	}
	if f.switched && g.state != groupFinal {
		return f.misplaced(g, "--switched", groupFinal)
	}
	if f.removed && g.state != groupTail {
		return f.misplaced(g, "--confirmed-removed", groupTail)
	}
	switch g.state {
	case groupPlanned, groupCopying:
		return f.pass(c, a)
	case groupCopied:
		return f.final(c, r, g, rules)
	case groupFinal:
		return f.doSwitch(c, r, g, rules)
	case groupSwitched:
		return f.pass(c, a, given{"tail", []string{"true"}})
	case groupTail:
		if err := r.unfiltered(g); err != nil {
			return err
		}
		return f.doClose(c, a, rules)
	}
	_, err = fmt.Fprintf(a.out, "%s: closed%s: there is nothing to do\n", ui.Clean(name), g.sinceText())
	return err
}

// viewed reads the list and gives the one group.
func (f *nextFlags) viewed(c *cobra.Command, a *app) (*listRun, *groupView, error) {
	r, err := f.view(c, a)
	if err != nil {
		return nil, nil, err
	}
	views := r.groupViews()
	if len(views) == 0 {
		return nil, nil, &failure{code: exitNoInput, what: "group " + shown(f.list.groups[0]) + ": no row of it can be used"}
	}
	return r, views[0], nil
}

func (f *nextFlags) misplaced(g *groupView, flag, state string) error {
	return usagef("mailmove cutover status says what is next", "%s is for a group that is %s; %s is %s", flag, state, shown(g.name), g.state)
}

// pass makes one over the group, and says how far it is then.
func (f *nextFlags) pass(c *cobra.Command, a *app, more ...given) error {
	failed := f.runListWith(c, a, more...)
	if f.quiet || f.json {
		return failed
	}
	r, g, err := f.viewed(c, a)
	if err != nil {
		return errors.Join(failed, err)
	}
	rules, err := f.rules(nil)
	if err != nil {
		return errors.Join(failed, err)
	}
	s, err := g.next(c.Context(), r, rules)
	if err == nil {
		err = g.tell(a.out, s, a.width)
	}
	return errors.Join(failed, err)
}

// final makes the final pass, when nobody fails and somebody wants it: later passes carry new mail only.
func (f *nextFlags) final(c *cobra.Command, r *listRun, g *groupView, rules stepRules) error {
	s, err := g.next(c.Context(), r, rules)
	if err != nil {
		return err
	}
	if len(s.why) > 0 {
		return notYet(g, "the final pass", s)
	}
	if !f.yes {
		question := fmt.Sprintf("Begin the final pass of %s, %s? Later passes carry new mail only.", ui.Clean(g.name), ui.Plural(int64(len(g.members)), "account"))
		r.a.task = asking
		if err := confirm(c.Context(), terminal{r.a.in, r.a.err}, question, "nothing was begun"); err != nil {
			return err
		}
	}
	f.cutover.final = true
	return f.pass(c, r.a, given{"final", []string{"true"}})
}

// doSwitch notes the switch, or asks for it when it is safe.
func (f *nextFlags) doSwitch(c *cobra.Command, r *listRun, g *groupView, rules stepRules) error {
	rules.found = f.switched // the records are others by then, and were looked at before
	s, err := g.next(c.Context(), r, rules)
	if err != nil {
		return err
	}
	if len(s.why) > 0 {
		return notYet(g, "the switch", s)
	}
	how := "--switched"
	if f.dnsChecked {
		how += " --dns-checked"
	}
	if !f.switched {
		if !f.dnsChecked { // what somebody else found is said again with the switch, which keeps it
			if err := f.noteSafe(c.Context(), r, g); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(r.a.out, "%s: the switch is safe now. Let the MX records lead to the new server, then run this again with --switched\n", ui.Clean(g.name))
		return err
	}
	return f.keep(c.Context(), r, g, groupSwitched, how)
}

// noteSafe keeps that somebody is told so: after the switch the DNS says other things.
func (f *nextFlags) noteSafe(ctx context.Context, r *listRun, g *groupView) (err error) {
	done, err := r.openFleet(ctx)
	if err != nil {
		return err
	}
	defer done(&err)
	if err := r.keepGroup(ctx, g.name, g.members, whyPasses); err != nil {
		return err
	}
	kept := r.kept[g.name]
	kept.From, kept.Safe = kept.State, time.Now().Truncate(time.Millisecond)
	if err = r.fleet.Keep(ctx, fleet.Change{Groups: []fleet.Group{kept}}); errors.Is(err, fleet.ErrGroupMoved) {
		return f.movedMeanwhile(g, err)
	}
	return err
}

func (f *nextFlags) movedMeanwhile(g *groupView, err error) error {
	return &failure{code: exitBusy, err: err, what: fmt.Sprintf("group %s: %v", shown(g.name), err), hint: "look at mailmove cutover status, and run it again"}
}

// doClose looks for mail once more, and closes the group if the tail is over.
func (f *nextFlags) doClose(c *cobra.Command, a *app, rules stepRules) error {
	f.cutover.tail = true
	if err := f.runListWith(c, a, given{"tail", []string{"true"}}); err != nil {
		return err
	}
	r, g, err := f.viewed(c, a)
	if err != nil {
		return err
	}
	rules.now = time.Now()
	if s := g.closing(rules); len(s.why) > 0 {
		return notYet(g, "closing", s)
	}
	return f.keep(c.Context(), r, g, groupClosed, fmt.Sprintf("--confirmed-removed, %d days without new mail", f.quietDays))
}

// unfiltered refuses to look for the last mail with a filter: what that leaves to a later pass would be gone with the old
// mailboxes.
func (r *listRun) unfiltered(g *groupView) error {
	row := newRowFlags(nil)
	for _, e := range g.entries {
		if p, err := r.build(row, e.row); err == nil && p.filter != (mailsync.Filter{}) { // a row that is wrong is refused by its pass
			return usagef("leave out --newer-than, --older-than and --max-size", "account %s has a filter: a group is closed by a pass that carries everything", ui.Clean(e.account))
		}
	}
	return nil
}

// takeBack is for what was said too early, and for a move that is called off.
func (f *nextFlags) takeBack(c *cobra.Command, r *listRun, g *groupView) error {
	switch g.state {
	case groupClosed:
		return f.keep(c.Context(), r, g, groupTail, "--back")
	case groupSwitched, groupTail:
		return f.keep(c.Context(), r, g, groupFinal, "--back")
	}
	return usagef("mailmove sync --reopen takes a final pass back (docs/final.md)", "--back: %s is %s, which is what its passes have come to", shown(g.name), g.state)
}

// keep writes what somebody says of a group, with what is to be told of it, in one transaction.
func (f *nextFlags) keep(ctx context.Context, r *listRun, g *groupView, state, how string) (err error) {
	if r.notices, err = f.notify.prepare(ctx, terminal{r.a.in, r.a.err}, false); err != nil {
		return err
	}
	done, err := r.openFleet(ctx)
	if err != nil {
		return err
	}
	defer done(&err)
	r.notices.start(ctx, r)
	defer r.notices.close(r)
	if state == groupSwitched { // with the states on the way to it
		if err := r.keepGroup(ctx, g.name, g.members, whyPasses); err != nil {
			return err
		}
	}
	before := r.kept[g.name]
	now := time.Now().Truncate(time.Millisecond)
	why := "by " + whoDid() + ": " + how
	if f.why != "" {
		why += "; " + f.why
	}
	kept := fleet.Group{Name: g.name, State: state, Since: now, Why: why, Trouble: before.Trouble, From: before.State}
	change := fleet.Change{Groups: []fleet.Group{kept}}
	if len(passed(before.State, state)) > 0 {
		change.Notes = r.notices.group(kindOf(state), kept, g.entries, len(g.members), now, "")
	}
	if err = r.fleet.Keep(ctx, change); errors.Is(err, fleet.ErrGroupMoved) {
		return f.movedMeanwhile(g, err)
	}
	if err != nil {
		return err
	}
	r.notices.wake()
	_, err = fmt.Fprintf(r.a.out, "%s: %s\n", ui.Clean(g.name), state)
	return err
}

// notYet refuses a step, with the reasons.
func notYet(g *groupView, what string, s step) error {
	text := fmt.Sprintf("group %s is %s: %s would not be safe yet: %s", shown(g.name), g.state, what, s.why[0])
	hint := ""
	for _, why := range s.why[1:] {
		hint += "also: " + why + ". "
	}
	return &failure{code: exitLater, what: text, hint: hint + "Run it again when nothing is in the way any more; the group is still " + g.state}
}
