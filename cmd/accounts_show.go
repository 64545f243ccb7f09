package cmd

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

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
		l.Check(mailboxKeys())
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
	if err := showRows(w, l); err != nil {
		return err
	}
	for _, n := range l.Notes {
		fmt.Fprintln(w, "note: "+problemText(l, n))
	}
	tellProblems(w, width, l)
	return nil
}

// showRows prints the table of accounts that can be used. It goes over them twice instead of keeping what it prints: a list
// may be long.
func showRows(w io.Writer, l *accounts.List) error {
	columns := showColumns(l)
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = len(c.title)
		for _, r := range l.Rows {
			if len(r.Problems) == 0 {
				widths[i] = max(widths[i], ui.Width(c.text(r)))
			}
		}
	}
	out := bufio.NewWriter(w) // keeps its first error
	line := func(text func(showColumn) string) {
		for i, c := range columns {
			cell := text(c)
			out.WriteString(cell)
			if i == len(columns)-1 {
				out.WriteByte('\n')
				return
			}
			out.WriteString(strings.Repeat(" ", widths[i]-ui.Width(cell)+2))
		}
	}
	line(func(c showColumn) string { return c.title })
	for _, r := range l.Rows {
		if len(r.Problems) == 0 {
			line(func(c showColumn) string { return c.text(r) })
		}
	}
	return out.Flush()
}

// text is what is printed of a row.
func (c showColumn) text(r accounts.Row) string {
	return orElse(ui.Short(ui.Clean(c.cell(r)), c.most), "-")
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
