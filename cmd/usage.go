package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const helpColumns = 80

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}
{{end}}{{if or .Runnable .HasSubCommands}}
{{.UsageString}}{{end}}`

// groupOf is the annotation that puts a flag under a heading of the help.
const groupOf = "group"

// flagGroups are the headings, in order.
func flagGroups() []string {
	return []string{"Servers (each flag also as --target…)", "Folders", "Pass", "Output", "Check", "Cutover (docs/final.md)",
		"A list of accounts (docs/lists-run.md)", "Notifications (docs/notify.md)", "Step (docs/cutover.md)", ""}
}

// Places in flagGroups.
const (
	serversGroup = 0
	foldersGroup = 1
	passGroup    = 2
	outputGroup  = 3
	listGroup    = 6
	notifyGroup  = 7
	stepGroup    = 8
)

// group puts flags under a heading.
func group(set *pflag.FlagSet, heading string, bind func(*pflag.FlagSet)) {
	part := pflag.NewFlagSet("", pflag.ContinueOnError)
	part.SortFlags = false
	bind(part)
	part.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{groupOf: {heading}} })
	set.AddFlagSet(part)
}

// usage is the part of the help below the description: examples, commands and flags, in 80 columns.
func usage(c *cobra.Command) string {
	var b strings.Builder
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "Usage: %s COMMAND [flags]\n", c.CommandPath())
	} else {
		fmt.Fprintf(&b, "Usage: %s\n", c.UseLine())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-10s  %s\n", sub.Name(), sub.Short)
			}
		}
		b.WriteByte('\n')
		if !c.HasParent() {
			b.WriteString("Help topics: mailmove help exit-codes\n")
		}
		fmt.Fprintf(&b, "Flags of a command: %s COMMAND --help\n", c.CommandPath())
		return b.String()
	}
	rest := "Flags" // of a command that has no groups of them
	for _, heading := range flagGroups() {
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		set.SortFlags = false
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if headingOf(f) == heading && !f.Hidden {
				set.AddFlag(f)
			}
		})
		if set.HasFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s", orElse(heading, rest), set.FlagUsagesWrapped(helpColumns))
			rest = "Other"
		}
	}
	return b.String()
}

func headingOf(f *pflag.Flag) string {
	if g := f.Annotations[groupOf]; len(g) > 0 {
		return g[0]
	}
	return ""
}
