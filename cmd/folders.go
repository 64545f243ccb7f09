package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	mailsync "mailmove/sync"
)

const foldersLong = `Where each folder of the source would go on the target, and why: what mailmove
sync with the same flags does. Both servers are asked, nothing is written, not
even state. With --accounts, for each account of a list.`

const foldersExample = `  mailmove folders --source mail.old.example --source-user alice@old.example \
                   --target mail.new.example --target-user alice@new.example \
                   --map 'Alte Ablage=Archive/Old' --exclude 'Spam*'
  mailmove folders --accounts accounts.csv --group sales`

func newFolders(a *app) *cobra.Command {
	f := &syncFlags{
		source: endpointFlags{side: "source"}, target: endpointFlags{side: "target"},
		memory: 64 << 20, connections: 1, retryFor: interval(5 * time.Minute), dryRun: true, list: newListFlags(),
	}
	c := &cobra.Command{
		Use:     "folders --source HOST --source-user NAME --target … [flags]",
		Short:   "Show where each folder would go",
		Long:    foldersLong,
		Example: foldersExample,
		Args:    noArguments,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bindFolders(c.Flags())
	single := f.run(a, (*pass).folders)
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.list.file != "" {
			return f.foldersOfList(c, a)
		}
		if err := withoutList(c.Flags()); err != nil {
			return err
		}
		return single(c, args)
	}
	return c
}

func (f *syncFlags) bindFolders(set *pflag.FlagSet) {
	f.bindPair(set)
	groups := flagGroups()
	group(set, groups[2], f.bindAccount)
	group(set, groups[3], func(s *pflag.FlagSet) {
		s.BoolVar(&f.json, "json", false, "print one JSON object for each folder (docs/folders.md)")
	})
	group(set, groups[listGroup], f.list.bindReading)
}

// folders asks both servers and prints the plan.
func (p *pass) folders(ctx context.Context, a *app) (err error) {
	open, err := p.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	stop := a.stops.pass()
	o := mailsync.Options{Account: p.account, State: open.file, Mapping: p.mapping, RetryFor: p.retryTime(), Stop: stop,
		Events: func(e mailsync.Event) {
			if n, is := e.(mailsync.Notice); is {
				fmt.Fprintln(a.err, ui.Paint(ui.Yellow, ui.NoticeLine(n), a.colour && n.Rule != ""))
			}
		}}
	p.ports(&o, stop, open.logins, imapx.Options{AwaitEnd: p.listed})
	plans, err := mailsync.Preview(ctx, o)
	switch {
	case errors.Is(err, mailsync.ErrInterrupted):
		return a.stops.interrupted(false, a.task.afterStop())
	case err != nil && !a.screen:
		return &accountError{account: p.account, err: err}
	case err != nil:
		return err
	case p.output == ui.JSON:
		return foldersJSON(a.out, p.account, plans)
	}
	return foldersTable(a.out, a.width, plans)
}

// maxAligned is the width up to which a name keeps the columns in line, in columns of the screen.
const maxAligned = 32

// foldersTable prints a line for each folder, and below it what an admin should look at. Names are never cut.
func foldersTable(w io.Writer, width int, plans []mailsync.FolderPlan) error {
	rows := [][]string{{"SOURCE", "MESSAGES", "SIZE", "TARGET", "THERE", "WHY"}}
	for _, p := range plans {
		rows = append(rows, folderRow(p))
	}
	var b strings.Builder
	for i, line := range slices.Collect(strings.Lines(columns(rows, []bool{false, true, true, false, false, false}))) {
		b.WriteString(line)
		if i > 0 && plans[i-1].Trouble != "" {
			b.WriteString(hanging("  trouble: ", ui.Clean(plans[i-1].Trouble), max(width, 40)))
		}
	}
	b.WriteString(foldersSum(plans))
	_, err := io.WriteString(w, b.String())
	return err
}

func folderRow(p mailsync.FolderPlan) []string {
	there := map[bool]string{true: "there", false: "new"}[p.Exists]
	target, why := ui.Clean(p.Target), p.Why
	if p.LeftOut != "" {
		target, there, why = "-", "-", "left out: "+ui.Clean(p.LeftOut)
	}
	return []string{ui.Clean(p.Source), known(p.Messages, ui.Count), known(p.Bytes, ui.Bytes), target, there, why}
}

// known writes a number that a server may not have told.
func known(n int64, text func(int64) string) string {
	if n < 0 {
		return "?"
	}
	return text(n)
}

// foldersSum is the last line of the table.
func foldersSum(plans []mailsync.FolderPlan) string {
	var carried, fresh, out, trouble, messages int64
	made := make(map[string]bool)
	for _, p := range plans {
		if p.Trouble != "" {
			trouble++
		}
		if p.LeftOut != "" {
			out++
			continue
		}
		carried++
		messages += max(p.Messages, 0)
		if !p.Exists && !made[p.Target] {
			made[p.Target] = true
			fresh++
		}
	}
	return fmt.Sprintf("%s with %s; %s to make, %s left out, %s with trouble\n",
		ui.Plural(carried, "folder"), ui.Plural(messages, "message"), ui.Count(fresh), ui.Count(out), ui.Count(trouble))
}

// jsonFolder is one line of "folders --json", described in docs/folders.md.
type jsonFolder struct {
	Account  string `json:"account"`
	Source   string `json:"source"`
	Messages *int64 `json:"messages"`
	Bytes    *int64 `json:"bytes"`
	Target   string `json:"target"`
	Why      string `json:"why"`
	Exists   bool   `json:"exists"`
	Trouble  string `json:"trouble"`
	LeftOut  string `json:"left_out"`
}

func foldersJSON(w io.Writer, account string, plans []mailsync.FolderPlan) error {
	told := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	for _, p := range plans {
		if err := printJSON(w, jsonFolder{account, p.Source, told(p.Messages), told(p.Bytes), p.Target, p.Why, p.Exists, p.Trouble, p.LeftOut}); err != nil {
			return err
		}
	}
	return nil
}
