package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

const exceptionsLong = `An exception is a message or a folder that could not be carried as it is. It is
told once, in the pass that finds it, and stays in the state until it is carried
or gone from the source.`

func newExceptions(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "exceptions",
		Short: "List what could not be carried; try it again, or accept it",
		Long:  exceptionsLong,
		Example: "  mailmove exceptions list --id alice\n" +
			"  mailmove exceptions retry --id alice --reason too-big",
		Args: cobra.ArbitraryArgs,
		RunE: onlySubcommands,
	}
	c.AddCommand(newExceptionsList(a), newExceptionsRetry(a), newExceptionsAccept(a))
	return c
}

// onlySubcommands is for a command that does nothing by itself.
func onlySubcommands(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(c, args[0])
	}
	return c.Help()
}

// reasonRow says of a reason (docs/state.md) what trying again means.
type reasonRow struct {
	reason  string
	not     string // why the message is not tried again; "": it is
	warning string // what may come of it; such messages are tried again only where the reason is named
}

func reasonTable() []reasonRow {
	return []reasonRow{
		{"folder", "each pass tries the folder again by itself", ""},
		{"listing", "each pass reads the list again by itself", ""},
		{"subscription", "the folder is there; subscribe it in a mail program", ""},
		{"refused", "", ""},
		{"too-big", "", ""},
		{"empty", "", ""},
		{"unreadable", "", ""},
		{"stub", "each pass asks the source for it by itself", ""},
		{"altered", "the message is there, in a form that the target takes", ""},
		{"over-quota", "each pass asks the target for its quota by itself", ""},
		{"flag", "the message is there, without the flag", ""},
		{"date", "the message is there, with the date of its header", ""},
		{"gone-on-target", "mailmove sync --recopy-gone copies what is gone", ""},
		{"moved", "", "what its user moved to another folder of the target will be there twice"},
		{"ambiguous", "", "what a rule moved away on the target will be there twice"},
		{"late-double", "the message is there; remove one of the two by hand", ""},
		{"deletions", "each pass with --deletions decides anew; docs/deletions.md says what to do", ""},
	}
}

// rowOf gives the row of a reason. One that this program does not know is a later program's.
func rowOf(reason string) reasonRow {
	for _, r := range reasonTable() {
		if r.reason == reason {
			return r
		}
	}
	return reasonRow{reason: reason, not: "this program does not know the reason"}
}

func reasonNames() []string {
	var names []string
	for _, r := range reasonTable() {
		names = append(names, r.reason)
	}
	return names
}

// selection is which exceptions a command works on.
type selection struct {
	id       string
	stateDir string
	reason   string
	folder   string
	uids     uidRanges
	all      bool
}

func (s *selection) bind(set *pflag.FlagSet) {
	set.SortFlags = false
	set.StringVar(&s.id, "id", "", "`NAME` of the account")
	set.StringVar(&s.reason, "reason", "", "only those with this `REASON` (see mailmove exceptions list)")
	set.StringVar(&s.folder, "folder", "", "only those of this source `FOLDER`")
	set.Var(&s.uids, "uid", "only these source UIDs of the folder: 7, or 7,9:12")
	set.BoolVar(&s.all, "all", false, "all of the account")
	bindStateDir(set, &s.stateDir)
}

// validate wants an account and a choice: what is changed is named.
func (s *selection) validate() error {
	if err := s.validateReason(); err != nil {
		return err
	}
	chosen := s.reason != "" || s.folder != "" || len(s.uids) > 0
	switch {
	case s.id == "":
		return usagef("mailmove status lists the accounts", "no --id")
	case !chosen && !s.all:
		return usagef("give --reason, --folder with --uid, or --all", "which exceptions?")
	case chosen && s.all:
		return usagef("give one of them", "both --all and a choice of exceptions")
	case len(s.uids) > 0 && s.folder == "":
		return usagef("a UID is a folder's: give --folder too", "--uid without --folder")
	}
	return nil
}

func (s *selection) validateReason() error {
	if s.reason == "" || slices.Contains(reasonNames(), s.reason) {
		return nil
	}
	hint := "it is one of " + strings.Join(reasonNames(), ", ")
	if near := nearest(s.reason, reasonNames()); near != "" {
		hint = "did you mean " + near + "?"
	}
	return usagef(hint, "--reason %s: there is no such reason", shown(s.reason))
}

// takes tells whether an exception is meant. A folder may be given as it is, or as it is shown.
func (s *selection) takes(e state.Exception) bool {
	return (s.reason == "" || e.Reason == s.reason) &&
		(s.folder == "" || e.Folder == s.folder || ui.Clean(e.Folder) == s.folder) &&
		(len(s.uids) == 0 || s.uids.contain(e.UID))
}

// chosen are those of an account that are meant; none is an error.
func (s *selection) chosen(all []state.Exception) ([]state.Exception, error) {
	all = slices.DeleteFunc(all, func(e state.Exception) bool { return !s.takes(e) })
	if len(all) == 0 {
		return nil, &failure{code: exitNoInput, what: fmt.Sprintf("account %s has no such exception", shown(s.id)),
			hint: "mailmove exceptions list --id " + ui.Clean(s.id) + " lists them"}
	}
	return all, nil
}

// change is what a command does to the exceptions that are meant, of an account that no pass works on.
type change func(context.Context, *app, *state.File, []state.Exception) error

// changing completes a command that changes some.
func (s *selection) changing(a *app, c *cobra.Command, do change) *cobra.Command {
	c.Args, c.DisableFlagsInUseLine = noArguments, true
	s.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.validate(); err != nil {
			return err
		}
		dir, err := stateDir(s.stateDir)
		if err != nil {
			return err
		}
		return s.change(c.Context(), a, dir, do)
	}
	return c
}

func (s *selection) change(ctx context.Context, a *app, dir string, do change) (err error) {
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
	return do(ctx, a, file, all)
}

// uidRanges is a flag value such as 7,9:12.
type uidRanges [][2]uint32

func (r *uidRanges) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, ":")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 32)
		b, errB := strconv.ParseUint(last, 10, 32)
		if errors.Join(errA, errB) != nil || a == 0 || b < a {
			return errors.New("write UIDs such as 7 or 7,9:12")
		}
		*r = append(*r, [2]uint32{uint32(a), uint32(b)})
	}
	return nil
}

func (r *uidRanges) String() string {
	var parts []string
	for _, x := range *r {
		if x[0] == x[1] {
			parts = append(parts, strconv.FormatUint(uint64(x[0]), 10))
		} else {
			parts = append(parts, fmt.Sprintf("%d:%d", x[0], x[1]))
		}
	}
	return strings.Join(parts, ",")
}

func (*uidRanges) Type() string { return "UIDS" }

func (r uidRanges) contain(uid uint32) bool {
	return slices.ContainsFunc(r, func(x [2]uint32) bool { return uid >= x[0] && uid <= x[1] })
}
