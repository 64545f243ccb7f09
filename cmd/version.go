package cmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// Set by the linker (Makefile, -ldflags -X), never by code.
var (
	version = "devel"
	commit  = "unknown"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and platform",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "mailmove %s (commit %s, %s, %s/%s)\n", version, commit,
				runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("see "+c.CommandPath()+" --help", "%s takes no arguments, only flags", c.CommandPath())
}
