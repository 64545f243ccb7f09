package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

type statusFlags struct {
	id       string
	stateDir string
	json     bool
	list     listFlags
	watch    interval // 0: once
	shown    bool     // by a watch, at least once
}

const statusLong = `What the state folder knows of each account: how much is on the target, what
could not be carried, when the last pass ended and how. No server is asked, and
a pass that is running is not disturbed. With --id, also each message that could
not be carried. With --watch it is shown again and again until Ctrl-C.`

func newStatus(a *app) *cobra.Command {
	f := &statusFlags{}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is known of each account",
		Long:  statusLong,
		Example: "  mailmove status\n" +
			"  mailmove status --accounts accounts.csv --only failed\n" +
			"  mailmove status --accounts accounts.csv --group sales --watch\n" +
			"  mailmove status --id alice --json",
		Args: f.watchArguments,
	}
	c.Flags().StringVar(&f.id, "id", "", "only the account with this `NAME`, with its exceptions")
	bindStateDir(c.Flags(), &f.stateDir)
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object for each account")
	c.Flags().Var(&f.watch, "watch", "show it again and again, each `TIME` after the last")
	c.Flags().Lookup("watch").NoOptDefVal = watchEvery
	group(c.Flags(), flagGroups()[listGroup], f.list.bindSelection)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.list.file == "" {
			if err := withoutList(c.Flags()); err != nil {
				return err
			}
		}
		if err := f.checkWatch(a); err != nil {
			return err
		}
		dir, err := stateDir(f.stateDir)
		if err != nil {
			return err
		}
		if f.watch != 0 {
			return f.watched(c.Context(), a, dir)
		}
		return f.run(c.Context(), a, dir)
	}
	return c
}

// run prints what can be read. A file that cannot fails the command, after all others were shown.
func (f *statusFlags) run(ctx context.Context, a *app, dir string) error {
	var (
		all    []state.Summary
		groups map[string]string // by account, where there is a list
		failed error
	)
	if f.list.file != "" {
		all, groups, failed = f.listed(ctx, a, dir)
	} else {
		paths, err := accountPaths(dir, f.id)
		if err != nil {
			return err
		}
		failed = each(a, paths, func(path string) error {
			s, err := state.Inspect(ctx, path)
			if err == nil {
				all = append(all, s)
			}
			return err
		})
	}
	var err error
	switch {
	case f.json:
		err = statusJSON(a.out, all, groups)
	case len(all) == 0 && failed == nil:
		err = noAccounts(a.out, dir)
	case len(all) > 0:
		err = statusTable(a.out, all, groups)
	}
	if err == nil && f.id != "" && !f.json && len(all) == 1 {
		err = statusExceptions(a.out, all[0])
	}
	if err == nil && f.id == "" {
		err = f.statusWaits(ctx, a.out, dir)
	}
	return errors.Join(err, failed)
}

// statusTable prints a line for each account. The id stands last: it may be long, and the columns stay in line.
// Messages that their users moved on the target, those that a filter left out, those that went back, and final passes
// have a column where there are any; so have the groups of a list.
func statusTable(w io.Writer, all []state.Summary, groups map[string]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	moved := someColumn(all, func(s state.Summary) int64 { return s.Messages.Moved })
	deferred := someColumn(all, func(s state.Summary) int64 { return s.Messages.Deferred })
	reversed := someColumn(all, func(s state.Summary) int64 { return s.Reversed })
	final := someColumn(all, func(s state.Summary) int64 { return max(0, s.Final.Unix()) })
	group := func(text string) string {
		if groups == nil {
			return ""
		}
		return ui.Clean(text) + "\t"
	}
	some := func(cells ...string) string { return strings.Join(cells, "") }
	fmt.Fprintf(t, "FOLDERS\tMESSAGES\tSIZE\t%sEXCEPTIONS\t%sLAST PASS\t%sACCOUNT\n",
		some(moved("MOVED"), deferred("DEFERRED"), reversed("REVERSED")), final("FINAL"), group("GROUP"))
	for _, s := range all {
		m := s.Messages
		fmt.Fprintf(t, "%d\t%s\t%s\t%s%s\t%s%s\t%s%s\n", len(s.Pairs), ui.Count(m.Stored), ui.Bytes(m.Bytes),
			some(moved(ui.Count(m.Moved)), deferred(ui.Count(m.Deferred)), reversed(ui.Count(s.Reversed))), ui.Count(s.Exceptions),
			final(finalText(s)), lastPass(s), group(groups[s.Account]), ui.Clean(s.Account))
	}
	return t.Flush()
}

// finalText says when the final pass was.
func finalText(s state.Summary) string {
	if s.Final.IsZero() {
		return "-"
	}
	return stamp(s.Final)
}

// someColumn makes the cells of a column that is there if one account has a number for it.
func someColumn(all []state.Summary, number func(state.Summary) int64) func(string) string {
	there := slices.ContainsFunc(all, func(s state.Summary) bool { return number(s) > 0 })
	return func(text string) string {
		if there {
			return text + "\t"
		}
		return ""
	}
}

// lastPass says when and how the last pass ended, or who is at it.
func lastPass(s state.Summary) string {
	switch {
	case s.Running && s.Holder.PID > 0:
		return fmt.Sprintf("running (process %d)", s.Holder.PID)
	case s.Running:
		return "running"
	case len(s.Passes) == 0:
		return "no pass yet"
	}
	p := s.Passes[0]
	when := p.Ended
	if when.IsZero() {
		when = p.Started
	}
	return fmt.Sprintf("%s %s", p.Result, stamp(when))
}

func statusExceptions(w io.Writer, s state.Summary) error {
	if len(s.Passes) > 0 && s.Passes[0].Error != "" {
		if _, err := fmt.Fprintln(w, "  last pass: "+ui.Clean(s.Passes[0].Error)); err != nil {
			return err
		}
	}
	for _, e := range s.Listed {
		where := orElse(ui.Clean(e.Folder), "account")
		if e.UID != 0 {
			where += fmt.Sprintf(" uid %d", e.UID)
		}
		line := "  exception: " + where + ": " + ui.Clean(e.Reason)
		for _, more := range []string{e.Detail, e.Date, e.Subject, e.MessageID} {
			if more != "" {
				line += "; " + ui.Clean(more)
			}
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	if left := s.Exceptions - int64(len(s.Listed)); left > 0 {
		if _, err := fmt.Fprintf(w, "  and %s more\n", ui.Count(left)); err != nil {
			return err
		}
	}
	return nil
}

// statusRecord is one line of "status --json", described in docs/status.md.
type statusRecord struct {
	Account    string          `json:"account"`
	Group      string          `json:"group"`
	Source     string          `json:"source"`
	Target     string          `json:"target"`
	File       string          `json:"file"`
	FileBytes  int64           `json:"file_bytes"`
	Running    bool            `json:"running"`
	PID        int             `json:"pid"`
	Folders    int             `json:"folders"`
	Stored     int64           `json:"stored"`
	Bytes      int64           `json:"bytes"`
	Moved      int64           `json:"moved"`
	Gone       int64           `json:"gone"`
	Refused    int64           `json:"refused"`
	Deferred   int64           `json:"deferred"`
	SourceGone int64           `json:"source_gone"`
	Open       int64           `json:"open"`
	Reversed   int64           `json:"reversed"`
	Exceptions int64           `json:"exceptions"`
	Accepted   int64           `json:"accepted"`
	Final      *time.Time      `json:"final"`
	LastResult string          `json:"last_result"`
	LastStart  *time.Time      `json:"last_start"`
	LastEnd    *time.Time      `json:"last_end"`
	LastError  string          `json:"last_error"`
	Listed     []jsonException `json:"listed"`
}

type jsonException struct {
	Folder    string `json:"folder"`
	UID       uint32 `json:"uid"`
	Reason    string `json:"reason"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	MessageID string `json:"message_id"`
	Subject   string `json:"subject"`
	Date      string `json:"date"`
	Accepted  bool   `json:"accepted"`
}

func statusJSON(w io.Writer, all []state.Summary, groups map[string]string) error {
	for _, s := range all {
		r := record(s)
		r.Group = groups[s.Account]
		if err := printJSON(w, r); err != nil {
			return err
		}
	}
	return nil
}

func record(s state.Summary) statusRecord {
	r := statusRecord{
		Account: s.Account, Source: s.Source, Target: s.Target, File: s.Path, FileBytes: s.FileBytes,
		Running: s.Running, PID: s.Holder.PID, Folders: len(s.Pairs), Stored: s.Messages.Stored, Bytes: s.Messages.Bytes,
		Moved: s.Messages.Moved, Gone: s.Messages.Gone, Refused: s.Messages.Refused, Deferred: s.Messages.Deferred,
		SourceGone: s.Messages.SourceGone, Reversed: s.Reversed, Final: moment(s.Final), Open: s.WindowMessages, Exceptions: s.Exceptions, Accepted: s.Accepted,
		Listed: []jsonException{},
	}
	if len(s.Passes) > 0 {
		p := s.Passes[0]
		r.LastResult, r.LastError, r.LastStart, r.LastEnd = p.Result, p.Error, moment(p.Started), moment(p.Ended)
	}
	for _, e := range s.Listed {
		r.Listed = append(r.Listed, jsonException{e.Folder, e.UID, e.Reason, e.Code, e.Detail, e.MessageID, e.Subject, e.Date, e.Accepted})
	}
	return r
}

// moment is null where nothing is known.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
