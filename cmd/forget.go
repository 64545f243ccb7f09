package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

const forgetLong = `Removes what is kept of an account: its state file with log and lock, its
failed logins, and the files of mail that the target refused. No mail is touched
on either side. The next pass over the account is a first one: it matches what
is on both sides and copies what is missing, and also what was deleted on the
target.`

type forgetFlags struct {
	ids      []string
	yes      bool
	stateDir string
}

func newForget(a *app) *cobra.Command {
	f := &forgetFlags{}
	c := &cobra.Command{
		Use:   "forget --id NAME",
		Short: "Remove everything that is kept of an account",
		Long:  forgetLong,
		Example: "  mailmove forget --id alice\n" +
			"  mailmove forget --id alice --id bob --yes",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	c.Flags().StringArrayVar(&f.ids, "id", nil, "`NAME` of the account; may be given more than once")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	bindStateDir(c.Flags(), &f.stateDir)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(f.ids) == 0 {
			return usagef("mailmove status lists the accounts", "no --id")
		}
		dir, err := stateDir(f.stateDir)
		if err != nil {
			return err
		}
		return f.run(c.Context(), a, dir)
	}
	return c
}

func (f *forgetFlags) run(ctx context.Context, a *app, dir string) error {
	if _, err := stateFiles(dir); err != nil {
		return err
	}
	slices.Sort(f.ids)
	f.ids = slices.Compact(f.ids)
	for _, id := range f.ids { // a misspelt one stops all, before anything is gone
		if !keptOf(dir, id) {
			return noAccount(dir, id)
		}
	}
	if !f.yes {
		question := fmt.Sprintf("Forget all that is kept of %s? No mail on either side is touched.", ui.Clean(strings.Join(f.ids, ", ")))
		a.task = asking
		if err := confirm(ctx, terminal{a.in, a.err}, question, nothingRemoved); err != nil {
			return err
		}
	}
	a.task = changing
	return each(a, f.ids, func(id string) error { return forget(ctx, a, dir, id) })
}

// keptOf tells whether there is anything of an account. A state file that was lost may have left the rest behind.
func keptOf(dir, id string) bool {
	found, err := filepath.Glob(globbed(filepath.Join(dir, state.FileName(id))) + "*")
	return err == nil && len(found) > 0 || exists(state.Quarantine(dir, id))
}

// globbed keeps what a folder's name holds from being taken for a pattern.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func forget(ctx context.Context, a *app, dir, id string) error {
	removed, err := state.Remove(ctx, dir, id)
	if errors.Is(err, fs.ErrNotExist) {
		return noAccount(dir, id)
	}
	if err != nil {
		return err
	}
	for _, path := range removed.Files {
		fmt.Fprintf(a.out, "removed %s\n", ui.Clean(path))
	}
	for _, path := range removed.Left {
		fmt.Fprintf(a.out, "left    %s (mailmove did not make it)\n", ui.Clean(path))
	}
	logins, err := forgetInFleet(ctx, dir, id, removed)
	if err == nil {
		err = mailsync.RemoveSpool(dir, time.Now().Add(-spoolAge))
	}
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%s: forgotten (%s", ui.Clean(id), ui.Bytes(removed.Bytes))
	if logins > 0 {
		line += ", " + ui.Plural(int64(logins), "failed login")
	}
	_, err = fmt.Fprintln(a.out, line+"); the next pass matches what is on both sides")
	return err
}

// spoolAge keeps away from files that a pass over another account is just making.
const spoolAge = time.Minute

// forgetInFleet removes how the account's last pass ended, and the failed logins of both mailboxes, where the state knew them
// and there is a fleet file.
func forgetInFleet(ctx context.Context, dir, id string, r state.Removed) (n int, err error) {
	if !exists(filepath.Join(dir, fleet.FileName)) {
		return 0, nil
	}
	var boxes []fleet.Mailbox
	for _, text := range []string{r.Source, r.Target} {
		if box, ok := mailboxOfText(text); ok {
			boxes = append(boxes, box)
		}
	}
	f, err := fleet.Open(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.ForgetOutcome(ctx, id); err != nil || len(boxes) == 0 {
		return 0, err
	}
	return f.ForgetMailboxes(ctx, boxes)
}

// mailboxOfText takes endpointText apart: the user ends at the last "@".
func mailboxOfText(text string) (fleet.Mailbox, bool) {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return fleet.Mailbox{}, false
	}
	host, _, err := net.SplitHostPort(text[at+1:])
	if err != nil { // an IPv6 address stands there without brackets
		colon := strings.LastIndexByte(text, ':')
		if colon <= at {
			return fleet.Mailbox{}, false
		}
		host = text[at+1 : colon]
	}
	return fleet.Mailbox{Server: host, User: text[:at]}, true
}

const nothingRemoved = "nothing was removed"

// confirm asks a person. Where nobody sits there, --yes is wanted. nothing says what was not done without it.
func confirm(ctx context.Context, t terminal, question, nothing string) error {
	if !isTerminal(t.in) {
		return usagef("give --yes where nobody can be asked", "not confirmed; %s", nothing)
	}
	yes, err := answered(ctx, t, question+" [y/N] ")
	if err == nil && !yes {
		err = &failure{code: exitOther, what: "not confirmed; " + nothing}
	}
	return err
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
