package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
)

const accountsShowLong = `Shows how a list is understood: whose format it is, and what each line says. A
password shows as dots, and what a line leaves to the command line as "-". Lines
that cannot be used follow, each with what is wrong. FILE - is standard input.`

func newAccountsShow(a *app) *cobra.Command {
	var e encoding
	c := &cobra.Command{
		Use: "show FILE", Short: "Show how a list is understood, passwords as dots", Long: accountsShowLong,
		Example: "  mailmove accounts show accounts.csv",
		Args:    oneFile, ValidArgsFunction: completeFile,

		DisableFlagsInUseLine: true,
	}
	c.Flags().Var(&e, "encoding", encodingUsage)
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := readList(c.Context(), a, "list", args[0], e, false)
		if err != nil {
			return err
		}
		l.Check(mailboxKeys)
		if err := showList(a.out, a.width, l); err != nil {
			return err
		}
		return invalidRows(l, "set them right; --skip-invalid goes on without them")
	}
	return c
}

// showList prints a line on the list, a line for each account that can be used, notes, and problems.
func showList(w io.Writer, width int, l *accounts.List) error {
	fmt.Fprintln(w, listLine(l))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := showColumns(l)
	for i, c := range columns {
		fmt.Fprint(t, tabbed(i), c.title)
	}
	fmt.Fprintln(t)
	for _, r := range l.Rows {
		if len(r.Problems) > 0 {
			continue
		}
		for i, c := range columns {
			fmt.Fprint(t, tabbed(i), orElse(ui.Short(ui.Clean(c.cell(r)), c.most), "-"))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range l.Notes {
		fmt.Fprintln(w, "note: "+problemText(l, n))
	}
	tellProblems(w, width, l)
	return nil
}

func tabbed(i int) string {
	if i == 0 {
		return ""
	}
	return "\t"
}

// listLine says what kind of list it is.
func listLine(l *accounts.List) string {
	parts := []string{"format " + l.Format}
	if l.Header == nil {
		parts = append(parts, "no header")
	}
	delim := string(l.Delim)
	if l.Delim == '\t' {
		delim = "tab"
	}
	mark := ""
	if l.BOM {
		mark = " with a byte order mark"
	}
	accountsText := "1 account"
	if len(l.Rows) != 1 {
		accountsText = ui.Count(int64(len(l.Rows))) + " accounts"
	}
	return ui.Clean(l.Name+": "+strings.Join(append(parts, "separator "+delim, l.Encoding+mark), ", ")) + ", " + accountsText
}

// showColumn is a column of what show prints.
type showColumn struct {
	title string
	cell  func(accounts.Row) string
	most  int // columns that it takes
}

// dots stand for a password of any length.
const dots = "••••••"

// showColumns are the columns that are always there, and those that a row has something in.
func showColumns(l *accounts.List) []showColumn {
	columns := []showColumn{{"LINE", func(r accounts.Row) string { return itoa(r.Line) }, 10}}
	for _, c := range []showColumn{
		{"ID", func(r accounts.Row) string { return r.ID }, 48},
		{"GROUP", func(r accounts.Row) string { return r.Group }, 48},
	} {
		if slices.ContainsFunc(l.Rows, func(r accounts.Row) bool { return len(r.Problems) == 0 && c.cell(r) != "" }) {
			columns = append(columns, c)
		}
	}
	for _, side := range []string{"source", "target"} {
		columns = append(columns,
			showColumn{strings.ToUpper(side), func(r accounts.Row) string { return r.Fields[side] }, 48},
			showColumn{"USER", func(r accounts.Row) string { return r.Fields[side+"_user"] }, 48},
			showColumn{"PASSWORD", func(r accounts.Row) string {
				if s, given := r.Secrets[side+"_password"]; given && !s.Empty() {
					return dots
				}
				return ""
			}, 10})
	}
	flags := showColumn{"FLAGS", otherFlags, 400}
	if slices.ContainsFunc(l.Rows, func(r accounts.Row) bool { return len(r.Problems) == 0 && flags.cell(r) != "" }) {
		columns = append(columns, flags)
	}
	return columns
}

// otherFlags are the row's fields that have no column of their own, and its options, as on the command line.
func otherFlags(r accounts.Row) string {
	var words []string
	for _, name := range sortedFields(r) {
		switch name {
		case "source", "source_user", "target", "target_user":
		default:
			words = append(words, "--"+strings.ReplaceAll(name, "_", "-"), r.Fields[name])
		}
	}
	return accounts.JoinWords(append(words, r.Args...))
}
