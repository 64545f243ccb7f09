package cmd

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
	"mailmove/state"
	"mailmove/sync/verify"
)

// addCompletion adds cobra's own command, in our words, and teaches it what flags may hold. It comes last: it looks at
// every command.
func addCompletion(root *cobra.Command) {
	root.CompletionOptions.DisableNoDescFlag = true
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			wordCompletion(c)
		}
	}
	completeFlags(root)
}

const completionLong = `Prints a script that makes a shell complete commands, flags and their values:
accounts of the state folder for --id, files where a file is wanted.`

func wordCompletion(c *cobra.Command) {
	c.Short, c.Long = "Print the completion script of a shell", completionLong
	c.Example = "  source <(mailmove completion bash)"
	c.Args, c.RunE = cobra.ArbitraryArgs, onlySubcommands
	install := map[string]string{
		"bash": "  mailmove completion bash > /etc/bash_completion.d/mailmove",
		"zsh":  `  mailmove completion zsh > "${fpath[1]}/_mailmove"`,
		"fish": "  mailmove completion fish > ~/.config/fish/completions/mailmove.fish",
	}
	for _, shell := range c.Commands() {
		example, ok := install[shell.Name()]
		if !ok { // it runs on Linux
			c.RemoveCommand(shell)
			continue
		}
		shell.Short = "Print the completion script of " + shell.Name()
		shell.Long = "Prints the script that makes " + shell.Name() + " complete mailmove's commands. Put it where the\n" +
			"shell looks for such scripts; a new shell has it then."
		shell.Example = example
		shell.Args = noArguments
	}
}

// completeFlags says what each flag's value may be: files where the help says FILE, folders where it says DIR, and
// otherwise what there is to choose from, never files. A name of another kind would be a guess.
func completeFlags(c *cobra.Command) {
	if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		_ = c.RegisterFlagCompletionFunc(f.Name, valuesOf(f)) // it fails for a flag that is not there, and for one that has one
	})
	for _, sub := range c.Commands() {
		completeFlags(sub)
	}
}

func valuesOf(f *pflag.Flag) cobra.CompletionFunc {
	kind, _ := pflag.UnquoteUsage(f)
	switch {
	case kind == "FILE":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	case kind == "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case f.Name == "id":
		return completeAccounts
	case f.Name == "reason":
		return cobra.FixedCompletions(reasonNames(), cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "level":
		return cobra.FixedCompletions(verify.Levels(), cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "encoding":
		return cobra.FixedCompletions(accounts.Encodings(), cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "against":
		return cobra.FixedCompletions([]string{"source", "target"}, cobra.ShellCompDirectiveNoFileComp)
	case f.Value.Type() == (*tlsMode)(nil).Type():
		return cobra.FixedCompletions(tlsModes(), cobra.ShellCompDirectiveNoFileComp)
	case f.Name == "alter":
		return cobra.FixedCompletions(alterModes(), cobra.ShellCompDirectiveNoFileComp)
	case f.Value.Type() == (*labelMode)(nil).Type():
		return cobra.FixedCompletions(labelModes(), cobra.ShellCompDirectiveNoFileComp)
	case f.Value.Type() == (*compressMode)(nil).Type():
		return cobra.FixedCompletions(compressModes(), cobra.ShellCompDirectiveNoFileComp)
	}
	return cobra.NoFileCompletions
}

// Somebody waits at a prompt.
const (
	completionTime = 2 * time.Second
	mostCompleted  = 1000
)

// completeAccounts gives the accounts of the state folder. What cannot be read completes nothing: it is no place for errors.
func completeAccounts(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	flag := c.Flags().Lookup("state-dir")
	if flag == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, err := stateDir(flag.Value.String())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	parent := c.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionTime)
	defer cancel()
	names, err := state.AccountNames(ctx, dir, typed, mostCompleted)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// A name with a tab or a line end would be taken for two, and a terminal shows what a shell offers.
	names = slices.DeleteFunc(names, func(s string) bool { return ui.Clean(s) != s })
	return names, cobra.ShellCompDirectiveNoFileComp
}
