package cmd

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	mailsync "mailmove/sync"
)

// runList is "mailmove check --accounts".
func (f *checkFlags) runList(c *cobra.Command, a *app) error {
	if f.csv && f.sync.json {
		return usagef("give one of them", "both --csv and --json")
	}
	var (
		mu      sync.Mutex
		reports = make(map[string]mailsync.CheckReport)
	)
	print := checkLines
	switch {
	case f.sync.json:
		print = checkJSON
	case f.csv:
		print = func(a *app, r mailsync.CheckReport) error { return csv.NewWriter(a.out).WriteAll(checkRows(r)) }
	}
	l := &listReader{flags: &f.sync.list, login: &f.sync, lanes: 1}
	l.more = func(row *syncFlags, set *pflag.FlagSet) {
		row.check = &checkOwn{reserve: usualReserve}
		row.check.bind(set)
	}
	l.work = func(ctx context.Context, a *app, t listTurn) error {
		k, err := t.flags.check.checking(t.pass)
		if err != nil {
			return err
		}
		k.print = func(a *app, r mailsync.CheckReport) error {
			mu.Lock()
			reports[t.account] = summaryOf(r)
			mu.Unlock()
			return print(a, r)
		}
		return k.run(ctx, a)
	}
	l.end = func(entries []*entry) error { return checkGroups(a, entries, reports) }
	if f.csv || f.sync.json {
		l.end = func([]*entry) error { return nil }
	}
	if f.csv {
		l.begin = func() error { return csv.NewWriter(a.out).WriteAll([][]string{checkHeads()}) }
	}
	return l.run(c, a)
}

// summaryOf keeps of a report what the sum over many needs: their findings on folders may be long.
func summaryOf(r mailsync.CheckReport) mailsync.CheckReport {
	worst := mailsync.Finding{Verdict: r.Worst()}
	r.Findings = append(slices.DeleteFunc(slices.Clone(r.Findings), func(f mailsync.Finding) bool {
		return f.Check != mailsync.CheckQuota
	}), worst)
	return r
}

// checkLines are an account's among many: its sum, and what is not as it should be, each with the account.
func checkLines(a *app, r mailsync.CheckReport) error {
	var b strings.Builder
	b.WriteString(checkSum(r) + "\n")
	for _, f := range r.Findings {
		if f.Verdict == mailsync.CheckOK {
			continue
		}
		what, next := checkWords(f)
		line := fmt.Sprintf("%s  %s  %s  %s", ui.Clean(r.Account), strings.ReplaceAll(f.Check, "-", " "), f.Verdict, what)
		if next != "" {
			line += "; next: " + next
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// roomSum is what check found of the accounts of a group.
type roomSum struct {
	can, cannot    int64
	toCome, room   int64
	known, missing int64 // accounts whose room is known; bytes that are missing in these
}

func (g *roomSum) add(r mailsync.CheckReport, checked bool) {
	if !checked || r.Worst() == mailsync.CheckFailed {
		g.cannot++
	} else {
		g.can++
	}
	g.toCome += r.ToCome
	for _, f := range r.Findings {
		if f.Check == mailsync.CheckQuota && f.Limit > 0 {
			g.known++
			g.room += max(f.Limit-f.Used, 0)
			g.missing += f.Missing
		}
	}
}

func (g *roomSum) row(name string) []string {
	room, missing := "?", "?"
	if g.known > 0 {
		room, missing = ui.Bytes(g.room), ui.Bytes(g.missing)
	}
	return []string{ui.Count(g.can), ui.Count(g.cannot), ui.Bytes(g.toCome), room, missing, ui.Clean(name)}
}

// checkGroups prints a line for each group, and the sum.
func checkGroups(a *app, entries []*entry, reports map[string]mailsync.CheckReport) error {
	groups, all := make(map[string]*roomSum), &roomSum{}
	var names []string
	for _, e := range entries {
		if !e.chosen {
			continue
		}
		g := groups[e.group]
		if g == nil {
			g = &roomSum{}
			groups[e.group] = g
			names = append(names, e.group)
		}
		r, checked := reports[e.account]
		g.add(r, checked)
		all.add(r, checked)
	}
	rows := [][]string{{"CAN START", "CANNOT", "TO COME", "FREE", "MISSING", "GROUP"}}
	for _, name := range names {
		rows = append(rows, groups[name].row(name))
	}
	text := "\n" + columns(rows, []bool{true, true, true, true, true, false})
	_, err := fmt.Fprintf(a.out, "%s%s: %s can start, %s cannot\n", text, countText(all.can+all.cannot, "account", "accounts"), ui.Count(all.can), ui.Count(all.cannot))
	return err
}
