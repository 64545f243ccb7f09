package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
)

const accountsLong = `A list is a file with an account a line: ours, or that of another tool
(docs/lists.md). These commands read it and talk to no server.`

func newAccounts(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "accounts",
		Short: "Show how a list of accounts is understood, or convert it",
		Long:  accountsLong,
		Example: "  mailmove accounts show accounts.csv\n" +
			"  mailmove accounts convert imapsync.txt --to accounts.csv",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	c.AddCommand(newAccountsShow(a), newAccountsConvert(a))
	return c
}

// oneFile is for commands that take one file, or - for standard input.
func oneFile(c *cobra.Command, args []string) error {
	if err := checkGiven(c.Flags()); err != nil {
		return err
	}
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return usagef("for example "+c.CommandPath()+" accounts.csv, or - for standard input", "%s takes one file", c.CommandPath())
}

// completeFile completes the one file.
func completeFile(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

// encoding is the value of --encoding; "" is found out.
type encoding string

func (e *encoding) Set(text string) error {
	if text = strings.ToLower(text); !slices.Contains(accounts.Encodings(), text) {
		return errors.New("write one of " + strings.Join(accounts.Encodings(), ", "))
	}
	*e = encoding(text)
	return nil
}

func (e *encoding) String() string { return string(*e) }
func (*encoding) Type() string     { return "NAME" }

const encodingUsage = "the list's encoding, where it is not found right: utf-8, utf-16 or windows-1252"

// readList reads a list from a file, or from standard input where its name is -, and warns of what may be a mistake, unless
// quiet. what says which argument names it.
func readList(ctx context.Context, a *app, what, name string, e encoding, quiet bool) (*accounts.List, error) {
	in, shownName := a.in, "standard input"
	if name != "-" {
		f, err := os.Open(filepath.Clean(name))
		if err != nil {
			return nil, noInput(what, err)
		}
		defer f.Close()
		in, shownName = f, ui.Clean(name)
	} else if isTerminal(in) {
		return nil, usagef("for example: mailmove accounts show - < accounts.csv", "standard input is a terminal, not a list")
	}
	l, err := readUntil(ctx, in, accounts.Options{Encoding: string(e), Columns: listColumns()}, shownName)
	if err != nil {
		return nil, listError(err)
	}
	if quiet {
		return l, nil
	}
	if name != "-" {
		a.warnOpenFile(in, shownName, l)
	}
	for _, p := range l.Warnings {
		a.warn("%s", problemText(l, p))
	}
	return l, nil
}

// readUntil reads a list, but not longer than ctx lasts: nothing may ever come from a pipe.
func readUntil(ctx context.Context, r io.Reader, o accounts.Options, name string) (*accounts.List, error) {
	type result struct {
		list *accounts.List
		err  error
	}
	done := make(chan result, 1)
	go func() {
		l, err := accounts.Read(r, name, o)
		done <- result{l, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-done:
		return r.list, r.err
	}
}

// listError gives a list that cannot be read its exit code.
func listError(err error) error {
	var list *accounts.Error
	if !errors.As(err, &list) {
		return err
	}
	return &failure{code: exitNoInput, what: list.Error(), hint: list.Next, err: err}
}

// warnOpenFile warns where others can read passwords, or write what is run: a list may name a password command.
func (a *app) warnOpenFile(f *os.File, name string, l *accounts.List) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		a.warn("%s: everyone on this machine can change this list: chmod o-rw", name)
	case mode&0o004 != 0 && hasSecrets(l):
		a.warn("%s: everyone on this machine can read the passwords in this list: chmod o-r", name)
	}
}

func hasSecrets(l *accounts.List) bool {
	return slices.ContainsFunc(l.Rows, func(r accounts.Row) bool { return len(r.Secrets) > 0 || len(r.Problems) > 0 })
}

// problemText is the line of a problem: where and what.
func problemText(l *accounts.List, p accounts.Problem) string {
	where := l.Name
	if p.Line > 0 {
		where += ":" + itoa(p.Line)
	}
	if p.Column != "" {
		where += ": column " + p.Column
	}
	text := ui.Clean(where + ": " + p.Text)
	if p.Hint != "" {
		text += "; " + ui.Clean(p.Hint)
	}
	return text
}

// invalidRows is the error of a list with rows that cannot be used, nil without any.
func invalidRows(l *accounts.List, hint string) error {
	bad := 0
	for _, r := range l.Rows {
		if len(r.Problems) > 0 {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return usagef(hint, "%s: %d of %d accounts cannot be used", l.Name, bad, len(l.Rows))
}

// tellProblems prints the problems of rows, the first of each row only where there are many rows.
func tellProblems(w io.Writer, width int, l *accounts.List) {
	for _, r := range l.Rows {
		for _, p := range r.Problems {
			hint := p.Hint
			p.Hint = ""
			fmt.Fprintln(w, problemText(l, p))
			if hint != "" {
				io.WriteString(w, hanging("  ", ui.Clean(hint), width))
			}
		}
	}
}
