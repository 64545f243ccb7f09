package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

const exceptionsRetryLong = `Makes the next pass try messages again that could not be carried, once the cause
is mended: a larger limit, a repaired message. Their exceptions stay until they
are carried; one that fails again is told again.

What may be on the target already (the reasons moved and ambiguous) is tried
again only where --reason names it.`

func newExceptionsRetry(a *app) *cobra.Command {
	s := &selection{}
	c := s.changing(a, &cobra.Command{
		Use:   "retry --id NAME",
		Short: "Make the next pass try messages again",
		Long:  exceptionsRetryLong,
		Example: "  mailmove exceptions retry --id alice --reason too-big\n" +
			"  mailmove exceptions retry --id alice --folder INBOX --uid 4711,4720:4730",
	}, s.retry)
	c.PreRunE = func(*cobra.Command, []string) error { return s.retriable() }
	return c
}

// retriable refuses a reason that trying again cannot help, whether there is such an exception or not.
func (s *selection) retriable() error {
	if err := s.validateReason(); err != nil || s.reason == "" {
		return err
	}
	if row := rowOf(s.reason); row.not != "" {
		return usagef("mailmove exceptions accept agrees to them, so that they do not count with --strict",
			"--reason %s: retry has nothing to do: %s", s.reason, row.not)
	}
	return nil
}

func (s *selection) retry(ctx context.Context, a *app, file *state.File, all []state.Exception) error {
	again, left := s.triable(all)
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		fmt.Fprintf(a.err, "left as they are: %d of the reason %s: %s\n", left[reason], ui.Clean(reason), s.whyLeft(reason))
	}
	if len(again) == 0 {
		return usagef("mailmove exceptions list --id "+ui.Clean(s.id)+" shows them", "nothing is tried again")
	}
	n, err := tryAgain(ctx, file, again)
	if err != nil {
		return err
	}
	if warning := rowOf(s.reason).warning; warning != "" {
		a.warn("%s", warning)
	}
	_, err = fmt.Fprintf(a.out, "%s: the next pass tries %s again\n", ui.Clean(s.id), ui.Plural(int64(n), "message"))
	return err
}

// triable parts the messages that can be tried again from those that are left, counted by reason.
func (s *selection) triable(all []state.Exception) (again []state.Exception, left map[string]int) {
	left = make(map[string]int)
	for _, e := range all {
		if row := rowOf(e.Reason); row.not != "" || row.warning != "" && s.reason == "" || e.UID == 0 || e.Pair == 0 {
			left[e.Reason]++
			continue
		}
		again = append(again, e)
	}
	return again, left
}

func (s *selection) whyLeft(reason string) string {
	row := rowOf(reason)
	return cmp.Or(row.not, row.warning+"; give --reason "+reason+" if it shall be so")
}

// tryAgain asks for the messages folder by folder and says how many there are.
func tryAgain(ctx context.Context, file *state.File, all []state.Exception) (n int, err error) {
	type folder struct {
		name string
		uids []uint32
	}
	folders := make(map[int64]folder)
	for _, e := range all {
		f := folders[e.Pair]
		if f.name = e.Folder; !slices.Contains(f.uids[max(0, len(f.uids)-1):], e.UID) { // ordered: reasons of a message are neighbours
			f.uids = append(f.uids, e.UID)
		}
		folders[e.Pair] = f
	}
	for _, pair := range slices.Sorted(maps.Keys(folders)) {
		f := folders[pair]
		err := file.Retry(ctx, pair, f.uids)
		if errors.Is(err, state.ErrUnsettled) {
			return n, &failure{code: exitOther, err: err, what: fmt.Sprintf("folder %s: the last pass was interrupted, and some of these messages may be stored", shown(f.name)),
				hint: "run a pass first (mailmove sync): it finds out; then try them again"}
		}
		if err != nil {
			return n, err
		}
		n += len(f.uids)
	}
	return n, nil
}
