package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
)

const exceptionsAcceptLong = `Marks exceptions as agreed to: they are counted still, but are never new again,
and do not make the exit code 111 with sync --strict.`

func newExceptionsAccept(a *app) *cobra.Command {
	s := &selection{}
	c := &cobra.Command{
		Use:   "accept --id NAME",
		Short: "Agree to exceptions: they do not count as new or with --strict",
		Long:  exceptionsAcceptLong,
		Example: "  mailmove exceptions accept --id alice --reason flag\n" +
			"  mailmove exceptions accept --id alice --folder INBOX --uid 4711",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
	}
	s.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.validate(); err != nil {
			return err
		}
		dir, err := stateDir(s.stateDir)
		if err != nil {
			return err
		}
		return s.accept(c.Context(), a, dir)
	}
	return c
}

func (s *selection) accept(ctx context.Context, a *app, dir string) (err error) {
	a.task = changing
	file, err := openAccount(ctx, dir, s.id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	all, err := file.Exceptions(ctx)
	if err != nil {
		return err
	}
	if all, err = s.chosen(all); err != nil {
		return err
	}
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
