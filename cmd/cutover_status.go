package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
)

const cutoverStatusLong = `Says of each group of a list how far it is, since when, what is next, and what
is in the way of that. Nothing is changed, and nobody asked but the DNS, where
the switch is next.`

// statusOwn is what a step is held against, on the command line.
type statusOwn struct {
	quietDays  int
	removed    bool
	dnsChecked bool
}

func (o *statusOwn) bind(set *pflag.FlagSet) {
	set.IntVar(&o.quietDays, "quiet-days", usualQuiet, "`DAYS` without new mail before a group may be closed, 1 to 365")
	set.BoolVar(&o.removed, "confirmed-removed", false, "the old server has the domain no more")
	set.BoolVar(&o.dnsChecked, "dns-checked", false, "the DNS was looked at by other means: a switch is safe")
}

func (o *statusOwn) rules(ask ttlCheck) (stepRules, error) {
	if o.quietDays < 1 || o.quietDays > 365 {
		return stepRules{}, usagef("", "--quiet-days %d: it is from 1 to 365", o.quietDays)
	}
	if o.dnsChecked {
		ask = askedElsewhere
	}
	return stepRules{quiet: time.Duration(o.quietDays) * 24 * time.Hour, removed: o.removed, ttl: ask, now: time.Now(), lastCheck: 24 * time.Hour}, nil
}

func newCutoverStatus(a *app) *cobra.Command {
	f, own := newCutoverFlags(), &statusOwn{}
	c := &cobra.Command{
		Use:   "status --accounts FILE",
		Short: "Say how far each group is, what is next, and why not yet",
		Long:  cutoverStatusLong,
		Example: "  mailmove cutover status --accounts accounts.csv\n" +
			"  mailmove cutover status --accounts accounts.csv --group example.org --json",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bind(c.Flags())
	group(c.Flags(), flagGroups()[stepGroup], own.bind)
	f.bindDNS(c.Flags())
	c.Flags().Lookup("json").Hidden = false
	c.Flags().Lookup("json").Usage = "print one JSON object for each group (docs/cutover.md)"
	c.RunE = func(c *cobra.Command, _ []string) error {
		rules, err := own.rules(f.ttl())
		if err != nil {
			return err
		}
		r, err := f.view(c, a)
		if err != nil {
			return err
		}
		a.warnNoState(f.stateDir, r.dir)
		return eachInOrder(c.Context(), r.groupViews(), func(ctx context.Context, g *groupView) (step, error) {
			return g.next(ctx, r, rules)
		}, func(g *groupView, s step) error {
			if f.json {
				return printJSON(a.out, g.record(s))
			}
			return g.tell(a.out, s, a.width)
		})
	}
	return c
}

// tell prints a group with its next step, in lines of at most width columns.
func (g *groupView) tell(w io.Writer, s step, width int) error {
	var b strings.Builder
	b.WriteString(hanging("", fmt.Sprintf("%s: %s%s, %s", g.title(), g.state, g.sinceText(), ui.Plural(int64(len(g.members)), "account")), width))
	b.WriteString(hanging("  next: ", s.what, width))
	for _, why := range s.why {
		b.WriteString(hanging("  not yet: ", why, width))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// title is the group's name, fit for a line.
func (g *groupView) title() string {
	if g.name == "" {
		return "(no group)" // rows that cannot be read far enough
	}
	return ui.Clean(g.name)
}

func (g *groupView) sinceText() string {
	if g.since.IsZero() {
		return ""
	}
	text := " since " + stamp(g.since)
	if g.Why != "" && g.Why != whyPasses {
		text += " (" + ui.Clean(g.Why) + ")"
	}
	return text
}

// groupRecord is a line of "cutover status --json", described in docs/cutover.md.
type groupRecord struct {
	Group    string     `json:"group"`
	State    string     `json:"state"`
	Since    *time.Time `json:"since"`
	Why      string     `json:"why"`
	Accounts int        `json:"accounts"`
	Trouble  int        `json:"trouble"`
	Next     string     `json:"next"`
	NotYet   []string   `json:"not_yet"`
	Until    *time.Time `json:"until"`
}

func (g *groupView) record(s step) groupRecord {
	trouble := 0
	for _, m := range g.members {
		if m.failing != "" {
			trouble++
		}
	}
	why := ""
	if !g.since.IsZero() {
		why = g.Why
	}
	return groupRecord{Group: g.name, State: g.state, Since: moment(g.since), Why: why, Accounts: len(g.members), Trouble: trouble,
		Next: s.what, NotYet: append([]string{}, s.why...), Until: moment(s.wait)}
}
