package cmd

import (
	"cmp"
	"context"
	"errors"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/imapx"
	"mailmove/state"
	"mailmove/state/fleet"
)

// Columns of a list that a pass does not look at: who owns a mailbox, and what of it IMAP does not carry.
const (
	columnOwner    = "owner"
	columnLanguage = "language"
)

// notCarried are the columns for what IMAP does not carry, in the order in which a plan lists them.
func notCarried() []string {
	return []string{"forwards", "aliases", "autoresponder", "filters", "sender_rights", "address_books"}
}

func cutoverColumns() []string { return append([]string{columnOwner, columnLanguage}, notCarried()...) }

const cutoverLong = `Leads groups of accounts through their move: planned, copying, copied, final,
switched, tail, closed. docs/cutover.md is the guide.`

func newCutover(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "cutover",
		Short: "Lead groups of accounts through their move",
		Long:  cutoverLong,
		Example: "  mailmove cutover plan --accounts accounts.csv > plan.md\n" +
			"  mailmove cutover status --accounts accounts.csv\n" +
			"  mailmove cutover next example.org --accounts accounts.csv",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	c.AddCommand(newCutoverStatus(a), newCutoverNext(a), newCutoverPlan(a), newCutoverSheets(a))
	return c
}

// cutoverFlags are what all commands of a cutover take: those of sync, for a list that leaves servers to the command line
// does so here too. The help shows those of the list only.
type cutoverFlags struct {
	*syncFlags
	dnsRoot string
	oldTTL  pastTTL
}

func newCutoverFlags() cutoverFlags {
	return cutoverFlags{syncFlags: newSyncFlags(), oldTTL: pastTTL(usualTTL)}
}

func (f *cutoverFlags) bind(set *pflag.FlagSet) {
	part := pflag.NewFlagSet("", pflag.ContinueOnError)
	part.SortFlags = false
	f.syncFlags.bind(part)
	shownHere := []string{"accounts", "group", "encoding", "skip-invalid", "source", "state-dir"}
	part.VisitAll(func(fl *pflag.Flag) {
		switch {
		case headingOf(fl) == flagGroups()[5], fl.Name == "dry-run", fl.Name == "trace", fl.Name == "profile": // a step has its own
			return
		}
		fl.Hidden = !slices.Contains(shownHere, fl.Name)
		set.AddFlag(fl)
	})
}

// view reads the list and what is known of its accounts, for a command that asks no server. Rows that are wrong stay in: a
// group with such a row is not copied.
func (f *cutoverFlags) view(c *cobra.Command, a *app) (*listRun, error) {
	if f.list.file == "" {
		return nil, usagef("the groups are those of a list (docs/lists.md)", "no --accounts")
	}
	ctx := c.Context()
	r := newListRun(c, a, f.syncFlags, nil)
	var err error
	if r.dir, err = stateDir(f.stateDir); err != nil {
		return nil, err
	}
	if r.list, err = f.list.read(ctx, a, f.json || f.quiet); err != nil {
		return nil, err
	}
	if err := r.recall(ctx); err != nil {
		return nil, err
	}
	if r.before == nil {
		r.before = make(map[string]fleet.Outcome)
	}
	if r.kept == nil {
		r.kept = make(map[string]fleet.Group)
	}
	r.name()
	if err := r.refuse(); err != nil {
		return nil, err
	}
	if err := r.choose(ctx); err != nil {
		return nil, err
	}
	for _, e := range r.entries {
		if len(e.problems) > 0 {
			continue
		}
		known, err := r.past(ctx, e)
		if err != nil {
			return nil, err
		}
		if r.kept[e.group].State == groupTail {
			if err := r.lastWord(ctx, e, &known); err != nil {
				return nil, err
			}
		}
		r.before[e.account] = known
	}
	return r, nil
}

// lastWord asks an account's own state too: a run that was killed may not have noted what it copied, and a tail must not
// end too early by that. There, too, is what somebody agreed to since the last pass.
func (r *listRun) lastWord(ctx context.Context, e *entry, o *fleet.Outcome) error {
	path := filepath.Join(r.dir, state.FileName(e.account))
	if !exists(path) {
		return nil
	}
	s, err := state.Inspect(ctx, path)
	if err != nil {
		return err
	}
	o.Exceptions = s.Exceptions - s.Accepted
	for _, p := range s.Passes {
		if p.Copied > 0 && p.Ended.After(o.Mail) {
			o.Mail = p.Ended
		}
	}
	return nil
}

// groupView is a group as the commands of a cutover see it.
type groupView struct {
	fleet.Group // as it is kept; its zero value: nothing is
	name        string
	state       string
	since       time.Time // zero: not known
	members     []member
	entries     []*entry
}

// groupViews gives the groups of the list that the flags mean.
func (r *listRun) groupViews() (all []*groupView) {
	for _, name := range r.touched() {
		g := &groupView{Group: r.kept[name], name: name, members: r.membersOf(name)}
		for _, e := range r.entries {
			if e.group == name {
				g.entries = append(g.entries, e)
			}
		}
		if g.state = stageOf(g.Group, g.members); g.state == g.Group.State {
			g.since = g.Group.Since
		}
		all = append(all, g)
	}
	return all
}

// domains are those whose mail goes to the group: of the mailboxes' addresses, else the group's own name.
func (g *groupView) domains(r *listRun) []string {
	seen := make(map[string]bool)
	for _, e := range g.entries {
		users := e.users // not the login: an admin's domain may be the hoster's own
		if users == [2]string{} {
			users = [2]string{r.userOf(e.row, "source"), r.userOf(e.row, "target")}
		}
		for _, user := range append(users[:], e.account) {
			if _, domain, ok := strings.Cut(user, "@"); ok {
				domain, _, _ = strings.Cut(domain, "*") // Dovecot's master user
				if domain = normalHost(domain); isHostName(domain) && strings.Contains(domain, ".") {
					seen[domain] = true
					break
				}
			}
		}
	}
	if len(seen) == 0 && isHostName(g.name) && strings.Contains(g.name, ".") {
		seen[normalHost(g.name)] = true
	}
	all := make([]string, 0, len(seen))
	for domain := range seen {
		all = append(all, domain)
	}
	slices.Sort(all)
	return all
}

// whoDid is the user at this machine, for the record.
func whoDid() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}

// mailboxLogin is the user that a person logs in to the target with, where a list has an admin's login: AuthzID, or
// Dovecot's alice*master.
func mailboxLogin(ep imapx.Endpoint) string {
	if ep.AuthzID != "" {
		return ep.AuthzID
	}
	user, _, _ := strings.Cut(ep.User, "*")
	return cmp.Or(user, ep.User)
}

// openFleet opens the fleet file for a step.
func (r *listRun) openFleet(ctx context.Context) (closed func(*error), err error) {
	if r.fleet, err = fleet.Open(ctx, r.dir); err != nil {
		return nil, err
	}
	return func(err *error) { *err = errors.Join(*err, r.fleet.Close()) }, nil
}
