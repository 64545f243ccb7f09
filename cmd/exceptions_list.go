package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

const exceptionsListLong = `Lists what could not be carried, of one account or of all. No server is asked,
and a pass that is running is not disturbed.`

func newExceptionsList(a *app) *cobra.Command {
	s, asJSON := &selection{}, false
	c := &cobra.Command{
		Use:   "list",
		Short: "List what could not be carried",
		Long:  exceptionsListLong,
		Example: "  mailmove exceptions list --id alice\n" +
			"  mailmove exceptions list --reason too-big --json",
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&s.id, "id", "", "only the account with this `NAME`")
	c.Flags().StringVar(&s.reason, "reason", "", "only those with this `REASON`")
	bindStateDir(c.Flags(), &s.stateDir)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line (docs/exceptions.md)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.validateReason(); err != nil {
			return err
		}
		dir, err := stateDir(s.stateDir)
		if err != nil {
			return err
		}
		return s.list(c.Context(), a, dir, asJSON)
	}
	return c
}

// list prints what can be read. A file that cannot fails the command, after all others were shown.
func (s *selection) list(ctx context.Context, a *app, dir string, asJSON bool) error {
	paths, err := accountPaths(dir, s.id)
	if err != nil {
		return err
	}
	show := &exceptionTable{out: a.out, dir: dir}
	var print func(string, state.ListedException) error = show.row
	if asJSON {
		var kept map[keptAt]string
		of := ""
		print = func(account string, e state.ListedException) error {
			if of != account || kept == nil {
				of, kept = account, keptPaths(dir, account)
			}
			return exceptionJSON(a.out, account, e, kept[keptAt{e.Pair, e.UID}])
		}
	}
	failed := each(a, paths, func(path string) error {
		err := state.ReadExceptions(ctx, path, func(account string, e state.ListedException) error {
			if !s.takes(e.Exception) {
				return nil
			}
			return print(account, e)
		})
		return errors.Join(err, show.end())
	})
	switch {
	case asJSON || show.accounts > 0 || failed != nil:
	case len(paths) == 0:
		failed = noAccounts(a.out, dir)
	default:
		_, failed = fmt.Fprintln(a.out, "no exceptions")
	}
	return failed
}

// keptAt is a message of an account.
type keptAt struct {
	pair int64
	uid  uint32
}

// keptPaths gives the files of an account's quarantine. One that cannot be read has none to show.
func keptPaths(dir, account string) map[keptAt]string {
	out := make(map[keptAt]string)
	files, err := state.KeptFiles(dir, account)
	if err != nil {
		return out
	}
	for k, path := range files {
		out[keptAt{k.Pair, k.UID}] = path
	}
	return out
}

// exceptionState is the word for how an exception stands.
func exceptionState(e state.ListedException) string {
	switch {
	case e.Accepted:
		return "accepted"
	case e.AskedAgain():
		return "retry"
	case e.New:
		return "new"
	}
	return "known"
}

// Columns of the table. The last one takes what is left of a wide screen; text for programs is --json.
const (
	folderColumns = 20
	detailColumns = 60
)

// exceptionTable prints a heading for each account, a line for each exception, and a count. It keeps nothing: an account
// may have a hundred thousand.
type exceptionTable struct {
	out                     io.Writer
	dir                     string
	kept                    map[keptAt]string // of the account that is being printed
	accounts                int
	listed, accepted, fresh int
}

func (t *exceptionTable) row(account string, e state.ListedException) error {
	if t.listed == 0 {
		if t.accounts > 0 {
			fmt.Fprintln(t.out)
		}
		t.accounts++
		t.kept = keptPaths(t.dir, account)
		fmt.Fprintf(t.out, "%s:\n%-8s  %-14s  %-10s  %s  %s\n", ui.Clean(account), "STATE", "REASON", "UID", padded("FOLDER", folderColumns), "DETAIL")
	}
	t.listed++
	word := exceptionState(e)
	switch word {
	case "accepted":
		t.accepted++
	case "new":
		t.fresh++
	}
	path := t.kept[keptAt{e.Pair, e.UID}]
	if at := strings.LastIndex(e.Detail, "; kept: "); path != "" && at >= 0 { // it has a line of its own
		e.Detail = e.Detail[:at]
	}
	uid := "-"
	if e.UID != 0 {
		uid = fmt.Sprint(e.UID)
	}
	_, err := fmt.Fprintf(t.out, "%-8s  %-14s  %-10s  %s  %s\n", word, ui.Short(ui.Clean(e.Reason), 14), uid,
		padded(ui.Short(orElse(ui.Clean(e.Folder), "-"), folderColumns), folderColumns), exceptionDetail(e.Exception))
	if path != "" && err == nil {
		_, err = fmt.Fprintf(t.out, "%8s  dated %s, kept as %s\n", "", orElse(ui.Short(ui.Clean(e.Date), detailColumns), "-"), ui.Clean(path))
	}
	return err
}

func exceptionDetail(e state.Exception) string {
	detail := ui.Short(ui.Clean(e.Detail), detailColumns)
	if e.Subject != "" {
		detail += fmt.Sprintf("; subject: %s", ui.Short(ui.Clean(e.Subject), detailColumns))
	}
	return strings.TrimPrefix(detail, "; ")
}

// padded fills text up to so many columns; wide letters take two.
func padded(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-ui.Width(s)))
}

// end closes an account's part.
func (t *exceptionTable) end() error {
	if t.listed == 0 {
		return nil
	}
	_, err := fmt.Fprintf(t.out, "%s: %d new, %d accepted\n", ui.Plural(int64(t.listed), "exception"), t.fresh, t.accepted)
	t.listed, t.accepted, t.fresh = 0, 0, 0
	return err
}

// exceptionRecord is one line of "exceptions list --json", described in docs/exceptions.md.
type exceptionRecord struct {
	Account   string `json:"account"`
	State     string `json:"state"`
	Folder    string `json:"folder"`
	UID       uint32 `json:"uid"`
	Reason    string `json:"reason"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	MessageID string `json:"message_id"`
	Subject   string `json:"subject"`
	Date      string `json:"date"`
	FirstPass int64  `json:"first_pass"`
	LastPass  int64  `json:"last_pass"`
	Kept      string `json:"kept"`
}

func exceptionJSON(w io.Writer, account string, e state.ListedException, kept string) error {
	return printJSON(w, exceptionRecord{account, exceptionState(e), e.Folder, e.UID, e.Reason, e.Code, e.Detail,
		e.MessageID, e.Subject, e.Date, e.FirstPass, e.LastPass, kept})
}
