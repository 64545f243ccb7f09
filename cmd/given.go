package cmd

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArguments is for commands that take flags only. A value that is missing comes first: a word that follows would be
// taken for an argument.
func noArguments(c *cobra.Command, args []string) error {
	if err := checkGiven(c.Flags()); err != nil || len(args) == 0 {
		return err
	}
	return usagef("see "+c.CommandPath()+" --help", "%s takes no arguments, only flags", c.CommandPath())
}

// checkGiven refuses a flag whose value is empty, or is the next flag: a shell's variable that is empty, and without
// quotes is not there. Mail would go elsewhere than it should, or another server would be dialled.
func checkGiven(set *pflag.FlagSet) (err error) {
	set.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		} else if f.Value.Type() != "string" {
			return // the others know what they take
		}
		for _, v := range values {
			name, _, _ := strings.Cut(strings.TrimPrefix(v, "--"), "=")
			switch {
			case err != nil:
			case v == "":
				err = usagef("give it a value, or leave the flag out", "--%s is empty", f.Name)
			case strings.HasPrefix(v, "--") && set.Lookup(name) != nil:
				err = usagef("give it a value, or leave the flag out", "--%s has no value: the flag --%s follows", f.Name, name)
			}
		}
	})
	return err
}
