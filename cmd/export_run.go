package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/coexist"
	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
)

// export is one run of "mailmove export".
type export struct {
	*exportFlags
	a     *app
	list  *listRun
	moved []movedAccount
	known map[string]bool // every account of the list, as the map finds it
	hosts *hostBook
}

// movedAccount is a chosen account of the list.
type movedAccount struct {
	*entry
	source, target imapx.Endpoint
	password       passwordFlags // of the target, where the row has none itself
	key            string        // what the old server knows it by
	user           string        // what the new server knows it by
	relay          string        // the host that takes its mail, for Postfix
	port           int
}

// run makes the map. Nothing is written before every line was made and looked through.
func (f *exportFlags) run(c *cobra.Command, a *app) error {
	ctx := c.Context()
	x := &export{exportFlags: f, a: a, hosts: newHostBook(f.resolver), known: make(map[string]bool)}
	if err := x.choose(c); err != nil {
		return err
	}
	if f.remove {
		return x.replace(ctx, nil)
	}
	if err := x.lookThrough(ctx); err != nil {
		return err
	}
	wanted, err := x.lines(ctx)
	if err != nil {
		return err
	}
	if f.to == "" {
		return x.print(wanted)
	}
	return x.replace(ctx, wanted)
}

// choose finds out which accounts of the list have moved.
func (x *export) choose(c *cobra.Command) (err error) {
	f := newSyncFlags()
	f.list, f.id, f.stateDir = x.account.list, x.account.id, x.account.stateDir
	r := &listRun{a: x.a, f: f, started: time.Now()}
	x.list = r
	row := newRowFlags(nil)
	for _, g := range givenFlags(c) {
		if row.set.Lookup(g.name) != nil { // the others are this command's own
			r.given = append(r.given, g)
		}
	}
	if r.list, err = f.list.read(c.Context(), x.a, false); err != nil {
		return err
	}
	if r.dir, err = stateDir(f.stateDir); err != nil {
		return err
	}
	if err := r.recall(c.Context()); err != nil {
		return err
	}
	all := make([]movedAccount, 0, len(r.list.Rows))
	for i := range r.list.Rows {
		all = append(all, x.understand(row, &r.list.Rows[i]))
		r.entries = append(r.entries, all[i].entry)
	}
	if err := r.refuse(); err != nil {
		return err
	}
	if err := r.choose(c.Context()); err != nil {
		return err
	}
	if err := x.onlyMoved(); err != nil {
		return err
	}
	byState := len(x.states) == 0 && !x.all && len(x.account.list.groups) == 0 && x.account.id == ""
	for _, m := range all {
		x.known[x.format.Find(m.key)] = m.key != "" && (m.chosen || !byState)
	}
	if x.prune && slices.ContainsFunc(all, func(m movedAccount) bool { return len(m.problems) > 0 }) {
		return usagef("correct the list, or leave out --remove-stale", "--remove-stale: the entries of rows that are wrong would be taken out, too")
	}
	x.moved = slices.DeleteFunc(all, func(m movedAccount) bool { return !m.chosen })
	return nil
}

// understand makes what a map needs of a row.
func (x *export) understand(f *rowFlags, row *accounts.Row) movedAccount {
	m := movedAccount{entry: &entry{row: row, account: row.ID, group: row.Group, problems: row.Problems}}
	if len(row.Problems) > 0 {
		return m
	}
	p, err := x.list.build(f, row)
	if err == nil {
		m.source, m.target, m.password, m.account = p.source, p.target, f.target.pass, p.account
		m.group = orElse(row.Group, domainOf(p.source))
		m.key = orElse(x.list.expand(row, "source", x.name), mailboxName(p.source))
		m.user = orElse(x.list.expand(row, "target", x.destUser), mailboxName(p.target))
		m.relay, m.port, err = x.relayOf(row, m.key)
	}
	if err != nil {
		var problem accounts.Problem
		if !errors.As(rowProblem(err), &problem) {
			problem.Text = err.Error()
		}
		m.problems = []accounts.Problem{problem}
	}
	return m
}

// relayOf is where mail for an account goes.
func (x *export) relayOf(row *accounts.Row, key string) (host string, port int, err error) {
	if x.relay == "" {
		return "", 0, nil
	}
	if host, port, err = parseHostPort("--relay", x.list.expand(row, "source", x.relay)); err != nil {
		return "", 0, err
	}
	if port == 0 {
		port = 25
	}
	return host, port, nil
}

// movedStates are those of a group whose mail goes to the new server.
func movedStates() []string { return []string{groupSwitched, groupTail} }

// onlyMoved leaves out accounts of groups in other states than were asked for. Where the flags do not say which accounts have
// moved, the cutover does; then entries of its other groups are left over.
func (x *export) onlyMoved() error {
	states := x.states
	if len(states) == 0 {
		if x.all || len(x.account.list.groups) > 0 || x.account.id != "" {
			x.warnEarly()
			return nil
		}
		states = movedStates()
	}
	some := false
	for _, e := range x.list.entries {
		state := orElse(x.list.kept[e.group].State, groupPlanned)
		e.chosen = e.chosen && slices.Contains(states, state)
		some = some || e.chosen
	}
	if some || x.prune {
		return nil
	}
	return usagef("mailmove cutover next GROUP --switched says that one has moved; or choose with --group, --id or --all",
		"no group of %s is %s", x.list.list.Name, strings.Join(states, " or "))
}

// warnEarly tells which of the groups that were named have had no final pass: their people still work in the old mailboxes.
func (x *export) warnEarly() {
	if x.remove {
		return
	}
	told := make(map[string]bool)
	for _, e := range x.list.entries {
		state := x.list.kept[e.group].State // "": nobody leads it through a cutover here
		if e.chosen && !told[e.group] && slices.Contains([]string{groupPlanned, groupCopying, groupCopied}, state) {
			told[e.group] = true
			x.a.warn("group %s is %s: with this map its mail goes to the new server before the final pass", shown(e.group), state)
		}
	}
}

// lines makes an entry of each account. What cannot be written is told, all of it, before the command ends.
func (x *export) lines(ctx context.Context) (coexist.Table, error) {
	wanted := make(coexist.Table, len(x.moved))
	bad := 0
	for _, m := range x.moved {
		e, err := x.entry(ctx, m)
		if err == nil {
			err = x.format.Add(wanted, e)
		}
		if err == nil {
			continue
		}
		if bad++; bad <= mostProblems {
			line, hint := describe(err)
			p := problemOf(m.row.Line, "account "+shown(m.account)+": "+line, hint)
			x.list.tellProblem(p)
		}
	}
	if bad > 0 {
		return nil, &failure{code: exitUsage, what: fmt.Sprintf("%s cannot be written into the map; nothing was written", countText(int64(bad), "account", "accounts")),
			hint: "correct the list, or choose other accounts"}
	}
	return wanted, nil
}

// entry is what an account comes to.
func (x *export) entry(ctx context.Context, m movedAccount) (coexist.Entry, error) {
	e := coexist.Entry{Key: m.key, User: m.user, Relay: m.relay, RelayPort: m.port}
	if !x.format.Proxy {
		return e, nil
	}
	ep := m.target
	var err error
	if e.Addr, err = x.hosts.backend(ep); err != nil {
		return e, err
	}
	e.Name = orElse(ep.TLSName, normalHost(ep.Host))
	e.TLS = map[imapx.TLSMode]coexist.TLS{imapx.TLSImplicit: coexist.ImplicitTLS, imapx.TLSStartTLS: coexist.StartTLS}[ep.TLS]
	if e.TLS == coexist.NoTLS {
		e.Name = ""
	}
	if x.pass != "target" {
		return e, nil
	}
	if e.Login = m.row.Secrets["target_password"]; e.Login.Empty() {
		if e.Login, err = m.password.read(ctx, ep.User+" at "+ep.Host, terminal{x.list.nobody, x.a.err}); err != nil {
			return e, err
		}
	}
	if x.destUser == "" {
		e.User, e.OnLogin = ep.User, ep.AuthzID
	}
	return e, nil
}

// mostChanges bounds the lines of a difference; diff(1) shows all of it.
const mostChanges = 100

// show prints what changes, with passwords as dots.
func (x *export) show(changes []coexist.Change) {
	line := func(sign, text string) {
		if text != "" {
			fmt.Fprintf(x.a.out, "%s %s\n", sign, ui.Clean(x.format.Masked(text)))
		}
	}
	for i, c := range changes {
		if i == mostChanges {
			fmt.Fprintf(x.a.out, "and %s more\n", countText(int64(len(changes)-mostChanges), "change", "changes"))
			return
		}
		line("-", c.Before)
		line("+", c.After)
	}
}

// print gives the map to standard output.
func (x *export) print(wanted coexist.Table) error {
	if x.pass == "target" && toTerminal(x.a.out) {
		return usagef("give --to FILE, or a pipe", "a map with passwords is not written to a terminal")
	}
	_, err := x.a.out.Write(x.format.Text(wanted))
	return err
}
