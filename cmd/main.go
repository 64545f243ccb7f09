package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"mailmove/cmd/internal/spelling"
	"mailmove/cmd/internal/ui"
)

// app is what the commands share: the three streams and the signals.
type app struct {
	in     *os.File
	out    io.Writer
	err    io.Writer
	screen bool // err is a terminal on which lines can be drawn again
	colour bool // and that may be coloured
	width  int  // columns of it
	stops  *stops
	task   task
	tokens *tokenShelf // may be nil: nothing is shared
}

// Main runs the command line and gives the exit code.
func Main(args []string, stdin, stdout, stderr *os.File) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = fault(stderr, r)
		}
	}()
	out := &output{name: "standard output", to: stdout}
	a := &app{in: stdin, out: out, err: stderr, tokens: new(tokenShelf), screen: term.IsTerminal(int(stderr.Fd())) && os.Getenv("TERM") != "dumb", width: 80}
	a.colour = a.screen && os.Getenv("NO_COLOR") == ""
	if w, _, err := term.GetSize(int(stderr.Fd())); a.screen && err == nil && w > 20 {
		a.width = w
	}
	var tell func(string)
	if a.screen {
		tell = func(s string) { fmt.Fprintf(stderr, "\r\x1b[K%s\n", s) }
	}
	ctx, s, end := watchSignals(context.Background(), tell)
	defer end()
	a.stops = s
	root := newRoot(a)
	root.SetArgs(args)
	err := strayCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if cause := new(stopped); err != nil && errors.As(context.Cause(ctx), &cause) {
		err = s.interrupted(false, a.task.afterStop())
	}
	if a.screen && s.signal() != nil { // the terminal has echoed ^C, wherever the cursor was
		io.WriteString(stderr, "\r\x1b[K")
	}
	err, lost := out.settle(err, a.task.afterLoss())
	a.tellError(err)
	a.tellError(lost)
	return exitCode(err)
}

// tellError prints an error, in red where colours may be. Of errors that were joined each has lines of its own, once.
func (a *app) tellError(err error) {
	var told []string
	for _, one := range apart(err) {
		var b strings.Builder
		printError(&b, a.width, one)
		if !slices.Contains(told, b.String()) {
			told = append(told, b.String())
		}
	}
	io.WriteString(a.err, ui.Paint(ui.Red, strings.Join(told, ""), a.colour))
}

// apart gives the errors that errors.Join put together, or the one that there is.
func apart(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var words []string
	for _, one := range joined.Unwrap() {
		words, all = append(words, one.Error()), append(all, apart(one)...)
	}
	if strings.Join(words, "\n") != err.Error() { // fmt.Errorf has words of its own around them
		return []error{err}
	}
	return all
}

// warn prints a line that nobody should overlook, in yellow where colours may be.
func (a *app) warn(format string, args ...any) {
	io.WriteString(a.err, ui.Paint(ui.Yellow, "warning: "+ui.Clean(fmt.Sprintf(format, args...))+"\n", a.colour))
}

// printError writes one line that says what failed, where and why, and below it what to do next.
func printError(w io.Writer, width int, err error) {
	if err == nil {
		return
	}
	line, hint := describe(err)
	if line == "" {
		return
	}
	fmt.Fprintf(w, "mailmove: %s\n", ui.Clean(line))
	if hint != "" {
		io.WriteString(w, hanging("  ", ui.Clean(hint), width))
	}
}

// fault reports a programming error in one line with the place, which is what a report needs.
func fault(w io.Writer, r any) int {
	place := ""
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if file, _, ok := strings.Cut(strings.TrimSpace(line), " +0x"); ok && strings.Contains(file, "mailmove/") &&
			!strings.Contains(file, "cmd/main.go") {
			place = file
			break
		}
	}
	fmt.Fprintf(w, "mailmove: fault in mailmove itself at %s: %s\n  please report this, with the version (%s)\n",
		ui.Clean(place), ui.Clean(fmt.Sprint(r)), versionText())
	return exitInternal
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "mailmove",
		Short: "Move mailboxes from one IMAP server to another",
		Example: "  mailmove demo\n" +
			"  mailmove help sync",
		Long: "mailmove copies a mailbox from one IMAP server to another, exactly, and on every\n" +
			"further run only what changed. The old mailbox is never altered.",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          onlySubcommands,
		Args:          cobra.ArbitraryArgs,
	}
	root.Version = version
	root.Flags().Bool("version", false, "print the version") // else cobra takes -v for it
	root.SetVersionTemplate(versionLine())
	root.SetHelpCommand(newHelp())
	root.SetOut(silent{a.out})
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageFunc(func(c *cobra.Command) error { _, err := io.WriteString(c.OutOrStderr(), usage(c)); return err })
	root.AddCommand(newSync(a), newFolders(a), newCheck(a), newVerify(a), newStatus(a), newAccounts(a), newExceptions(a), newForget(a), newTrust(a), newCutover(a), newVersion(a), newDemo(a), newOAuth(a), &cobra.Command{
		Use: "exit-codes", Short: "What the exit codes say", Long: exitHelp(),
	})
	root.AddCommand(newProbe(a))
	root.AddCommand(newDNS(a))
	root.AddCommand(newExport(a))
	addCompletion(root)
	return root
}

// newHelp replaces cobra's own, which takes a topic that does not exist for success.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help on a command",
		Example: "  mailmove help sync\n" +
			"  mailmove help exit-codes",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("see mailmove --help", "no help on %s: there is no such command or topic", shown(strings.Join(args, " ")))
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// strayCommand refuses a misspelt command before its flags are looked at: with --help among them cobra would show the help
// of the command above it, and that would look like success.
func strayCommand(root *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) { // cobra's own, not in the tree yet
		return nil
	}
	root.InitDefaultHelpCmd()
	c, rest, err := root.Find(args)
	if err != nil || !c.HasAvailableSubCommands() {
		return nil // cobra says what is wrong
	}
	for _, arg := range rest {
		if !strings.HasPrefix(arg, "-") {
			return unknownCommand(c, arg)
		}
	}
	return nil
}

func unknownCommand(c *cobra.Command, name string) error {
	hint := "see " + c.CommandPath() + " --help"
	if near := nearest(name, commandNames(c)); near != "" {
		hint = "did you mean " + c.CommandPath() + " " + near + "?"
	}
	return usagef(hint, "unknown command %s", shown(name))
}

func commandNames(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// flagError turns what the flag parser says into our two lines, with a suggestion for a misspelt flag. The value of
// an unknown flag is not repeated: somebody may have tried --source-password. A misspelt command comes first, for
// its flags are unknown only because of it.
func flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	hint := "see " + c.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		// One dash before a whole name, as other tools take it. Nothing else behind one dash is repeated: it may be -pSECRET.
		long, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
		if len(long) > 1 && c.Flags().Lookup(long) != nil {
			return usagef("write --"+long+", with two dashes", "unknown flag -%s", long)
		}
		if strings.HasSuffix(name, "-password") || strings.HasSuffix(name, "-pass") || name == "password" {
			hint = "passwords are never arguments: use a -password-file, a -password-command or the environment"
		} else if near := nearest(name, names); near != "" && len(name) > 1 { // a letter is near every short name
			hint = "did you mean --" + near + "?"
		}
		return usagef(hint, "unknown flag %s", dashed(name))
	case errors.As(err, &invalid):
		return usagef(hint, "--%s %s: %v", invalid.GetFlag().Name, shown(invalid.GetValue()), wanted(invalid))
	}
	return usagef(hint, "%s", err.Error())
}

// wanted says what a flag's value may be. Our own types say it themselves; the parser's words are a programmer's.
func wanted(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "bool":
		return "write true or false, or nothing"
	case "int":
		return "write a whole number"
	}
	return e.Unwrap().Error()
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// nearest finds the name that a typing error could have been meant as, "" where none is near.
func nearest(typed string, names []string) string {
	return spelling.Nearest(typed, names, 1+len(typed)/3)
}

func versionText() string {
	return version + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
