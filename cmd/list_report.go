package cmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
)

// groupSum is a group with one word for all of it, so that a domain moves as one.
type groupSum struct {
	name       string
	status     string // one of groupStates
	trouble    int    // accounts that failed
	accounts   []*entry
	copied     int64
	bytes      int64
	exceptions int64
	oldest     time.Time // the last good pass of the account that waits longest for one; zero: one had none
}

// groups sums up the accounts that were chosen, by group, in the order of the list. The state is that of the whole group.
func (r *listRun) groups() []*groupSum {
	var all []*groupSum
	place := make(map[string]*groupSum)
	for _, e := range r.entries {
		if !e.chosen {
			continue
		}
		g := place[e.group]
		if g == nil {
			g = &groupSum{name: e.group}
			place[e.group] = g
			all = append(all, g)
		}
		g.accounts = append(g.accounts, e)
		g.copied += e.outcome.copied
		g.bytes += e.outcome.bytes
		g.exceptions += e.outcome.exceptions
	}
	for _, g := range all {
		g.judge(r)
	}
	return all
}

// judge finds the state of a group, from all of its accounts, and how many of those in this run fail.
func (g *groupSum) judge(r *listRun) {
	for i, e := range g.accounts {
		if at := r.lastGood(e); i == 0 || at.Before(g.oldest) {
			g.oldest = at
		}
		if e.outcome.word == wordFailed || e.outcome.code == exitBusy {
			g.trouble++
		}
	}
	g.status = stageOf(r.kept[g.name], r.membersOf(g.name))
}

// lastGood is when the last pass over an account ended that came to its end; a dry run is none.
func (r *listRun) lastGood(e *entry) time.Time {
	if r.f.dryRun {
		return r.before[e.account].Good
	}
	if e.outcome.word == wordDone || e.outcome.word == wordExceptions {
		return time.Now()
	}
	return r.before[e.account].Good
}

// report tells what became of the list.
func (r *listRun) report() {
	groups := r.groups()
	switch {
	case r.f.json:
		r.reportJSON(groups)
	case !r.f.quiet:
		for _, g := range groups {
			r.tellLine(g.line(r.f.dryRun))
		}
		r.tellLine(r.sum())
	}
}

// tellLine wraps a line for who reads it on a screen, and leaves it whole for a log.
func (r *listRun) tellLine(line string) {
	if r.a.screen {
		line = strings.TrimSuffix(hanging("", line, r.a.width), "\n")
	}
	fmt.Fprintln(r.a.out, line)
}

// copiedText is how much all accounts of a group or a list come to.
func copiedText(copied, bytes int64, dryRun bool) string {
	if dryRun {
		return fmt.Sprintf("would copy %s (%s)", ui.Plural(copied, "message"), ui.Bytes(bytes))
	}
	return fmt.Sprintf("%s copied (%s)", ui.Plural(copied, "message"), ui.Bytes(bytes))
}

// line is one group's.
func (g *groupSum) line(dryRun bool) string {
	parts := []string{copiedText(g.copied, g.bytes, dryRun)}
	if g.exceptions > 0 {
		parts = append(parts, ui.Plural(g.exceptions, "open exception"))
	}
	status := g.status
	if g.trouble > 0 {
		status += ", trouble"
	}
	return fmt.Sprintf("group %s: %s; %s: %s; %s", ui.Clean(g.name), status,
		ui.Plural(int64(len(g.accounts)), "account"), strings.Join(sumOf(g.accounts), ", "), strings.Join(parts, ", "))
}

// sum is the last line.
func (r *listRun) sum() string {
	met := slices.DeleteFunc(slices.Clone(r.entries), func(e *entry) bool { return e.outcome.word == "" })
	var copied, bytes int64
	for _, e := range met {
		copied += e.outcome.copied
		bytes += e.outcome.bytes
	}
	text := ui.Plural(int64(len(met)), "account")
	if words := sumOf(met); len(words) > 0 {
		text += ": " + strings.Join(words, ", ")
	}
	if left := len(r.entries) - len(met); left > 0 {
		text += fmt.Sprintf("; %s left out", ui.Count(int64(left)))
	}
	text += fmt.Sprintf("; %s, %s", copiedText(copied, bytes, r.f.dryRun), ui.Elapsed(time.Since(r.started)))
	if r.f.dryRun {
		text += ", nothing written"
	}
	return text
}

// jsonAccountEnded closes an account in --json; docs/lists-run.md describes it.
type jsonAccountEnded struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"time"`
	Account    string    `json:"account"`
	Group      string    `json:"group"`
	Outcome    string    `json:"outcome"`
	ExitCode   int       `json:"exit_code"`
	New        bool      `json:"new"`
	Messages   int64     `json:"messages"`
	Bytes      int64     `json:"bytes"`
	Exceptions int64     `json:"exceptions"`
	Seconds    float64   `json:"seconds"`
	Error      string    `json:"error"`
	Next       string    `json:"next_action"`
}

// tellEnd prints it.
func (r *listRun) tellEnd(e *entry) {
	if !r.f.json {
		return
	}
	o := e.outcome
	r.show.Above(func() {
		// A write that fails is remembered by the output.
		_ = printJSON(r.a.out, jsonAccountEnded{"account-ended", time.Now().UTC(), e.account, e.group, o.word, o.code, o.isNew,
			o.copied, o.bytes, o.exceptions, o.took.Seconds(), o.text, o.next})
	})
}

// jsonGroupEnded sums up a group, jsonListEnded the list.
type jsonGroupEnded struct {
	Type       string         `json:"type"`
	Time       time.Time      `json:"time"`
	Group      string         `json:"group"`
	Status     string         `json:"status"`
	Trouble    int            `json:"trouble"`
	Accounts   map[string]int `json:"accounts"`
	Messages   int64          `json:"messages"`
	Bytes      int64          `json:"bytes"`
	Exceptions int64          `json:"exceptions"`
}

type jsonListEnded struct {
	Type     string         `json:"type"`
	Time     time.Time      `json:"time"`
	Accounts map[string]int `json:"accounts"`
	LeftOut  int            `json:"left_out"`
	Seconds  float64        `json:"seconds"`
}

func (r *listRun) reportJSON(groups []*groupSum) {
	for _, g := range groups {
		_ = printJSON(r.a.out, jsonGroupEnded{"group-ended", time.Now().UTC(), g.name, g.status, g.trouble, byOutcome(g.accounts), g.copied, g.bytes, g.exceptions})
	}
	all := byOutcome(r.entries)
	left := all[""]
	delete(all, "")
	_ = printJSON(r.a.out, jsonListEnded{"list-ended", time.Now().UTC(), all, left, time.Since(r.started).Seconds()})
}

// byOutcome gives how many entries have each outcome.
func byOutcome(entries []*entry) map[string]int {
	counts := make(map[string]int)
	for _, e := range entries {
		counts[e.outcome.word]++
	}
	return counts
}
