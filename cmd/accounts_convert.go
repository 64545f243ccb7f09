package cmd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"mailmove/cmd/internal/accounts"
)

const accountsConvertLong = `Writes a list in our own format, with passwords, to a new file that only you
can read, or to a pipe. The separator stays, and so does a byte order mark.
FILE - is standard input.`

// convertFlags are what "mailmove accounts convert" takes.
type convertFlags struct {
	to          string
	encoding    encoding
	skipInvalid bool
}

func newAccountsConvert(a *app) *cobra.Command {
	f := &convertFlags{}
	c := &cobra.Command{
		Use: "convert FILE", Short: "Write a list of another tool as ours", Long: accountsConvertLong,
		Example: "  mailmove accounts convert imapsync.txt --to accounts.csv",
		Args:    oneFile, ValidArgsFunction: completeFile,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&f.to, "to", "", "new `FILE` to write (default: standard output, if it is no terminal)")
	c.Flags().Var(&f.encoding, "encoding", encodingUsage)
	c.Flags().BoolVar(&f.skipInvalid, "skip-invalid", false, "leave out lines that cannot be used, and tell them")
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.to == "" && toTerminal(a.out) {
			return usagef("give --to FILE, or a pipe", "a list with passwords is not written to a terminal")
		}
		l, err := readList(c.Context(), a, "list", args[0], f.encoding, false)
		if err != nil {
			return err
		}
		l.Check(mailboxKeys())
		return f.convert(a, l)
	}
	return c
}

// convert writes the rows that can be used, if all can be or the others may be left out.
func (f *convertFlags) convert(a *app, l *accounts.List) error {
	if bad := invalidRows(l, "set them right, or give --skip-invalid; nothing was written"); bad != nil {
		tellProblems(a.err, a.width, l)
		if !f.skipInvalid {
			return bad
		}
		l.Rows = slices.DeleteFunc(l.Rows, func(r accounts.Row) bool { return len(r.Problems) > 0 })
		if len(l.Rows) == 0 {
			return bad
		}
	}
	if f.to == "" {
		return l.Write(a.out)
	}
	return writeNew("--to", f.to, l.Write)
}

// writeNew makes a file that only its owner can read. It replaces none: what stands there may be the only list.
func writeNew(flag, name string, write func(io.Writer) error) (err error) {
	out, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return usagef("give another name, or remove it", "%s %s: there is such a file already", flag, name)
	case err != nil:
		return &failure{code: exitOutput, what: flag + " " + name + ": " + cause(err).Error(), err: err}
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = &failure{code: exitOutput, what: flag + " " + name + ": not all was written: " + cause(err).Error(), hint: "make room, and run it again", err: errors.Join(err, os.Remove(out.Name()))}
		}
	}()
	if err := write(out); err != nil {
		return err
	}
	return out.Sync()
}

// toTerminal tells whether results go to a terminal.
func toTerminal(w io.Writer) bool {
	if o, is := w.(*output); is {
		w = o.to
	}
	f, is := w.(*os.File)
	return is && isTerminal(f)
}
