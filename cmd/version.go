package cmd

import (
	"fmt"
	"io"
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
		Use:     "version",
		Short:   "Print version, commit and platform",
		Example: "  mailmove version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(a.out, versionLine())
			return err
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("mailmove %s (commit %s, %s, %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
