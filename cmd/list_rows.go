package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/sharing"
	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
)

// given is a flag of the command line, for every row that leaves it open. A flag that may be repeated has several.
type given struct {
	name   string
	values []string
}

// givenFlags are the flags of the command line that say something of an account: all but the list's own, and those of
// the run as a whole.
func givenFlags(c *cobra.Command) (all []given) {
	c.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case forList(f), f.Name == "id", f.Name == "profile", headingOf(f) == flagGroups()[outputGroup],
			headingOf(f) == flagGroups()[notifyGroup], headingOf(f) == flagGroups()[stepGroup]:
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		all = append(all, given{f.Name, values})
	})
	return all
}

// entry is a row as the run sees it.
type entry struct {
	row      *accounts.Row
	account  string
	group    string
	lanes    int
	claims   []sharing.Claim // of the source and of the target
	way      *way            // that it waits for
	users    [2]string       // whose mailbox the source and the target are, where a command asked (name)
	chosen   bool
	refused  bool // its login, in the pass before
	problems []accounts.Problem
	outcome  outcome

	// Of a command that reads.
	began    time.Time     // the first turn; zero: none yet
	asked    int           // how often its server wanted a pause
	patience time.Duration // --retry-for
	stopped  bool          // by a signal, before its end
}

// rowError says where in the list something is wrong that was found with the row's flags.
type rowError struct {
	column string
	err    error
}

func (e *rowError) Error() string { return "column " + e.column + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// rowProblem is an error as the list tells it.
func rowProblem(err error) error {
	p := columnProblem(err)
	var row *rowError
	if errors.As(err, &row) {
		text, hint := describe(row.err)
		p = accounts.Problem{Column: row.column, Text: text, Hint: hint}
	}
	return p
}

// rowFlags are the flags of one row after the other: declaring them costs more than all else that a row needs.
type rowFlags struct {
	*syncFlags
	set      *pflag.FlagSet
	defaults syncFlags
	own      checkOwn // defaults of what check has beside, if it does
}

// newRowFlags declares them; more adds those of another command, and may be nil.
func newRowFlags(more func(f *syncFlags, set *pflag.FlagSet)) *rowFlags {
	f := &rowFlags{syncFlags: newSyncFlags(), set: pflag.NewFlagSet("row", pflag.ContinueOnError)}
	f.bind(f.set)
	if more != nil {
		more(f.syncFlags, f.set)
	}
	f.defaults = *f.syncFlags
	if f.check != nil {
		f.own = *f.check
	}
	return f
}

// build gives a row's pass, and leaves its flags in f. It reads no password and talks to nobody.
func (r *listRun) build(f *rowFlags, row *accounts.Row) (*pass, error) {
	*f.syncFlags = f.defaults
	if f.check != nil {
		*f.check = f.own
	}
	set := f.set
	for _, g := range r.given {
		for _, v := range g.values {
			if err := set.Set(g.name, r.expand(row, g.name, v)); err != nil {
				return nil, usagef("see mailmove sync --help", "%s: %s", dashed(g.name), rowWanted(err))
			}
		}
	}
	if err := r.fields(set, row); err != nil {
		return nil, err
	}
	if row.ID != "" {
		if err := set.Set("id", row.ID); err != nil {
			return nil, &rowError{"id", err}
		}
	}
	err := set.ParseAll(row.Args, func(fl *pflag.Flag, value string) error {
		if !perRow(fl) {
			return fmt.Errorf("--%s is for the run, not for one row", fl.Name)
		}
		return set.Set(fl.Name, value)
	})
	if err == nil && set.NArg() > 0 {
		err = fmt.Errorf("%s is no flag", shown(set.Arg(0)))
	}
	if err != nil {
		return nil, &rowError{"options", errors.New(rowWanted(err))}
	}
	p, err := f.validate()
	if err != nil {
		return nil, err
	}
	if f.check != nil {
		if _, err := f.check.checking(p); err != nil {
			return nil, err
		}
	}
	p.listed, p.fleet = true, r.fleet
	return p, nil
}

// fields sets what the row has a column for.
func (r *listRun) fields(set *pflag.FlagSet, row *accounts.Row) error {
	for _, column := range slices.Sorted(maps.Keys(row.Fields)) {
		value := row.Fields[column]
		flag := set.Lookup(strings.ReplaceAll(column, "_", "-"))
		if value == "" || flag == nil || slices.Contains(accounts.ResultColumns(), column) {
			continue
		}
		if !perRow(flag) {
			return &rowError{column, fmt.Errorf("--%s is for the run, not for one row", flag.Name)}
		}
		if column != "source_user" && column != "target_user" {
			value = r.expand(row, flag.Name, value)
		}
		if err := set.Set(flag.Name, value); err != nil {
			return &rowError{column, errors.New(rowWanted(err))}
		}
	}
	return nil
}

// rowWanted is what the flag parser says, without the programmer's words around it.
func rowWanted(err error) string {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return shown(invalid.GetValue()) + ": " + wanted(invalid)
	}
	return err.Error()
}

// expand fills in {user}, {domain} and {id}: of the side that the flag is for, else of the other one.
func (r *listRun) expand(row *accounts.Row, flag, value string) string {
	if !strings.Contains(value, "{") {
		return value
	}
	sides := []string{"source", "target"}
	if strings.HasPrefix(flag, "target") {
		sides = []string{"target", "source"}
	}
	whole := ""
	for _, side := range sides {
		whole = orElse(whole, r.userOf(row, side))
	}
	user, domain := orElse(whole, row.ID), ""
	if at := strings.LastIndexByte(user, '@'); at >= 0 {
		user, domain = user[:at], user[at+1:]
	}
	return accounts.Expand(value, user, domain, orElse(row.ID, whole))
}

// userOf is whom the row itself names for a side.
func (r *listRun) userOf(row *accounts.Row, side string) string {
	user := row.Fields[side+"_user"]
	if a, err := parseAddress("", row.Fields[side]); user == "" && err == nil {
		user = a.User
	}
	return user
}

// hasPassword makes sure that there will be one: the row's, or one that the flags or the environment give.
func hasPassword(row *accounts.Row, e *endpointFlags, ep imapx.Endpoint) error {
	p, inRow := e.pass, !row.Secrets[e.side+"_password"].Empty()
	switch {
	case inRow && e.auth.tokens():
		return &rowError{p.side + "_password", errors.New("the row has a password, and its login is by access tokens")}
	case e.withoutPassword(ep):
		return nil
	}
	if !row.Secrets[p.side+"_password"].Empty() || p.file != "" || p.command != "" || os.Getenv(p.env()) != "" {
		return nil
	}
	return &rowError{p.side + "_password", p.none("no password for the " + p.side)}
}

// logins gets both passwords of a row.
func (r *listRun) logins(ctx context.Context, row *accounts.Row, f *syncFlags, p *pass) error {
	f.shelf = r.a.tokens
	f.placeTokens()
	for _, s := range []struct {
		flags *endpointFlags
		ep    *imapx.Endpoint
	}{{&f.source, &p.source}, {&f.target, &p.target}} {
		if secret := row.Secrets[s.flags.side+"_password"]; !secret.Empty() {
			s.ep.Password = secret
			continue
		}
		ep, err := s.flags.login(ctx, *s.ep, terminal{r.nobody, r.a.err})
		if err != nil {
			return err
		}
		*s.ep = ep
	}
	return nil
}

// understand makes an entry of each row, and finds out which rows are wrong, before anything is connected.
func (r *listRun) understand() {
	place := make(map[int]*entry, len(r.list.Rows))
	r.entries = make([]*entry, len(r.list.Rows))
	for i := range r.list.Rows {
		row := &r.list.Rows[i]
		r.entries[i] = &entry{row: row, account: row.ID, group: row.Group}
		place[row.Line] = r.entries[i]
	}
	f := newRowFlags(r.more)
	r.list.Check(func(row accounts.Row) (string, string, error) {
		p, err := r.build(f, &row)
		if err == nil {
			err = cmp.Or(hasPassword(&row, &f.source, p.source), hasPassword(&row, &f.target, p.target), r.admit(place[row.Line], p))
		}
		if err != nil {
			return "", "", rowProblem(err)
		}
		return mailboxText(p.source), mailboxText(p.target), nil
	})
	r.distinct()
}

// distinct refuses two rows with one name: they would share a state file.
func (r *listRun) distinct() {
	names := make(map[string]int)
	for _, e := range r.entries {
		e.problems = e.row.Problems
		if len(e.problems) > 0 {
			continue
		}
		name := state.FileName(e.account)
		if line, there := names[name]; there {
			e.problems = append(e.problems, accounts.Problem{Line: e.row.Line, Column: "id", Hint: "give each row its own id",
				Text: fmt.Sprintf("the account %s is in line %d already", shown(e.account), line)})
			continue
		}
		names[name] = e.row.Line
	}
}

func mailboxText(ep imapx.Endpoint) string {
	box := mailboxOf(ep)
	return strings.Join(box[:], " ")
}

// admit notes what the run has to know of an account.
func (r *listRun) admit(e *entry, p *pass) error {
	most := p.connections
	if p.cutover.final {
		most = max(most, 2)
	}
	e.account, e.lanes = p.account, r.f.list.lanes(p.connections)
	e.claims = []sharing.Claim{
		{Server: loginServer(p.source), Login: loginUser(p.source), Most: most},
		{Server: loginServer(p.target), Login: loginUser(p.target), Most: most},
	}
	if e.claims[0].Server == e.claims[1].Server && e.claims[0].Login == e.claims[1].Login {
		// Behind two names of one server: a connection to each side is the least.
		e.claims[0].Most, e.claims[1].Most = max(most, 2), max(most, 2)
	}
	if e.claims[0].Server == e.claims[1].Server && r.f.list.serverLimit() < 2 {
		return usagef("give --connections-per-server 2 or more", "both mailboxes are at %s, and it may have one connection only", e.claims[0].Server)
	}
	if e.group == "" {
		e.group = domainOf(p.source)
	}
	return nil
}

// domainOf is the group of a row that names none.
func domainOf(ep imapx.Endpoint) string {
	name := mailboxName(ep)
	if at := strings.LastIndexByte(name, '@'); at >= 0 && at < len(name)-1 {
		return strings.ToLower(name[at+1:])
	}
	return normalHost(ep.Host)
}

// mostProblems bounds the lines about rows that are wrong.
const mostProblems = 100

// refuse tells which rows are wrong. Without --skip-invalid that ends the run.
func (r *listRun) refuse() error {
	bad, told := 0, 0
	alike := r.allAlike()
	for _, e := range r.entries {
		if len(e.problems) == 0 {
			continue
		}
		bad++
		e.outcome = outcome{word: wordInvalid, code: exitUsage, next: e.problems[0].Hint, text: e.problems[0].Text}
		if alike && bad > 1 {
			continue
		}
		for _, p := range e.problems {
			if told++; told <= mostProblems && !(r.f.quiet && r.f.list.skipInvalid) {
				if p.Line = e.row.Line; alike {
					p.Line, p.Text = 0, fmt.Sprintf("all %s rows: %s", ui.Count(int64(len(r.entries))), p.Text)
				}
				r.tellProblem(p)
			}
		}
	}
	switch {
	case bad == 0:
		return nil
	case r.f.list.skipInvalid && bad < len(r.entries):
		return nil
	}
	if told > mostProblems {
		fmt.Fprintf(r.a.err, "and %d more\n", told-mostProblems)
	}
	hint := "correct them, or go on without them: --skip-invalid"
	if bad == len(r.entries) {
		hint = "correct them; mailmove accounts show FILE shows how the list is understood"
	}
	return &failure{code: exitUsage, what: fmt.Sprintf("%s: %s; nothing was begun", r.list.Name, countText(int64(bad), "row is wrong", "rows are wrong")), hint: hint}
}

// tellSkipped says with --quiet which rows were left out, where those are others than the last time, and once a day: --skip-invalid must
// not hide a row that was spoilt today.
func (r *listRun) tellSkipped(ctx context.Context) error {
	if !r.f.list.skipInvalid || r.fleet == nil || r.f.dryRun {
		return nil
	}
	var said strings.Builder
	for _, e := range r.entries {
		for _, p := range e.problems { // without the line: rows move
			fmt.Fprintln(&said, e.account, p.Column, p.Text)
		}
	}
	due, err := r.fleet.Tell(ctx, r.list.Name, said.String(), remindAfter, time.Now())
	if err != nil || !due || !r.f.quiet { // without --quiet refuse has told them
		return err
	}
	told := 0
	for _, e := range r.entries {
		for _, p := range e.problems {
			if told++; told <= mostProblems {
				p.Line = e.row.Line
				r.tellProblem(p)
			}
		}
	}
	if told > mostProblems {
		fmt.Fprintf(r.a.err, "and %d more\n", told-mostProblems)
	}
	return nil
}

// allAlike tells whether every row, of several, has the same one problem: a column or a flag is not there, which is said once.
func (r *listRun) allAlike() bool {
	return len(r.entries) > 1 && !slices.ContainsFunc(r.entries, func(e *entry) bool {
		return len(e.problems) != 1 || e.problems[0].Column != r.entries[0].problems[0].Column || e.problems[0].Text != r.entries[0].problems[0].Text
	})
}

func problemOf(line int, text, hint string) accounts.Problem {
	return accounts.Problem{Line: line, Text: text, Hint: hint}
}

func (r *listRun) tellProblem(p accounts.Problem) {
	r.a.warn("%s", problemText(r.list, p))
}
