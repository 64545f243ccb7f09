package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

const exceptionsAcceptLong = `Marks exceptions as agreed to: they are counted still, but are never new again,
and do not make the exit code 111 with sync --strict.`

func newExceptionsAccept(a *app) *cobra.Command {
	s := &selection{}
	return s.changing(a, &cobra.Command{
		Use:   "accept --id NAME",
		Short: "Agree to exceptions: they do not count as new or with --strict",
		Long:  exceptionsAcceptLong,
		Example: "  mailmove exceptions accept --id alice --reason flag\n" +
			"  mailmove exceptions accept --id alice --folder INBOX --uid 4711",
	}, s.accept)
}

func (s *selection) accept(ctx context.Context, a *app, file *state.File, all []state.Exception) error {
	ids := make([]int64, len(all))
	for i, e := range all {
		ids[i] = e.ID
	}
	n, err := file.Accept(ctx, ids)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%s: %s accepted", ui.Clean(s.id), ui.Plural(n, "exception"))
	if before := len(all) - int(n); before > 0 {
		line += fmt.Sprintf(", %s before", ui.Count(int64(before)))
	}
	_, err = fmt.Fprintln(a.out, line)
	return err
}
