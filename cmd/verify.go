package cmd

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/sync/verify"
)

const verifyLong = `Compares both sides afresh and says what differs. Nothing is written to either.
  counts    messages of each folder
  identity  each message: what tells it from others, date, size, flags
  content   also every byte (SHA-256 on both sides)
Each difference has one word, explained in docs/verify.md. Missing, altered and
extra are what nothing explains: then the exit code is 121. With --accounts, a
line for each account of a list.`

const verifyExample = `  mailmove verify --source mail.old.example --source-user alice@old.example \
                  --target mail.new.example --target-user alice@new.example \
                  --level content --receipt alice.json
  mailmove verify --receipt alice.json --against target \
                  --target mail.new.example --target-user alice@new.example
  mailmove verify --accounts accounts.csv --level counts`

// verifyFlags are what "mailmove verify" takes beside what "mailmove folders" does.
type verifyFlags struct {
	syncFlags
	level   levelValue
	sample  share
	receipt string
	against string
	tell    func(verify.Report) error // over a list: instead of the table; else nil
}

func newVerify(a *app) *cobra.Command {
	f := &verifyFlags{level: levelValue(verify.Identity)}
	f.source, f.target = endpointFlags{side: "source"}, endpointFlags{side: "target"}
	f.memory, f.connections, f.dryRun, f.list = minMemory, 2, true, newListFlags()
	c := &cobra.Command{
		Use:     "verify --source HOST --source-user NAME --target … [flags]",
		Short:   "Compare both sides and say what differs",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    noArguments,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bindVerify(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.list.file != "" {
			return f.runList(c, a)
		}
		if err := withoutList(c.Flags()); err != nil {
			return err
		}
		if f.against != "" {
			return f.holdReceipt(c, a)
		}
		p, err := f.validate()
		if err == nil {
			err = f.checkVerify()
		}
		if err != nil {
			return err
		}
		if err := p.logins(c.Context(), &f.syncFlags, terminal{a.in, a.err}); err != nil {
			return err
		}
		return p.trusting(c.Context(), a, func() error { return f.compare(c.Context(), a, p) })
	}
	return c
}

func (f *verifyFlags) bindVerify(set *pflag.FlagSet) {
	groups := flagGroups()
	group(set, groups[0], f.source.bind)
	f.target.bind(set)
	set.VisitAll(func(fl *pflag.Flag) { fl.Hidden = headingOf(fl) == "" })
	group(set, groups[1], f.mapping.bind)
	group(set, groups[2], func(s *pflag.FlagSet) {
		s.Var(&f.level, "level", "how closely: counts, identity or content")
		s.Var(&f.sample, "sample", "with content: compare the bytes of `SHARE` of the messages only, for example 5%")
		s.StringVar(&f.receipt, "receipt", "", "write a receipt to `FILE`; with --against: hold a server against it")
		s.StringVar(&f.against, "against", "", "`SIDE` that is held against the receipt: source or target")
		s.StringVar(&f.id, "id", "", "`NAME` of the account in the state (default: made of both mailboxes)")
		s.StringVar(&f.stateDir, "state-dir", "", "`DIR` of the state (default: as for sync)")
		s.IntVar(&f.connections, "connections", 2, "`N` connections to each server, 1 to 16")
		s.BoolVar(&f.loginNow, "login-now", false, "log in although it failed before and the time to wait is not over")
	})
	group(set, groups[3], func(s *pflag.FlagSet) {
		s.BoolVar(&f.json, "json", false, "print one JSON object a line (docs/verify.md)")
	})
	group(set, groups[listGroup], f.list.bindReading)
}

func (f *verifyFlags) checkVerify() error {
	if f.sample != 0 && verify.Level(f.level) != verify.Content {
		return usagef("add --level content: a sample is of the bytes that are compared", "--sample with --level %s", f.level.String())
	}
	return nil
}

// checkAgainst refuses what a receipt says itself, and what belongs to the other side.
func (f *verifyFlags) checkAgainst(set *pflag.FlagSet) error {
	switch {
	case f.against != "source" && f.against != "target":
		return usagef("", "--against %q: write source or target", ui.Short(ui.Clean(f.against), maxShownValue))
	case f.receipt == "":
		return usagef("add --receipt FILE: what an earlier mailmove verify wrote", "--against without --receipt")
	}
	other := map[string]string{"source": "target", "target": "source"}[f.against]
	allowed := []string{"receipt", "against", "state-dir", "login-now", "json", f.against}
	var err error
	set.Visit(func(fl *pflag.Flag) {
		if err == nil && !slices.Contains(allowed, fl.Name) && !strings.HasPrefix(fl.Name, f.against+"-") {
			hint := "the receipt says what is compared, and how closely"
			if strings.HasPrefix(fl.Name, other) {
				hint = "only the " + f.against + " is asked"
			}
			err = usagef(hint, "both --against and --%s", fl.Name)
		}
	})
	return err
}

// levelValue is a flag value: one of verify.Levels.
type levelValue verify.Level

func (l *levelValue) Set(text string) error {
	level, err := verify.ParseLevel(text)
	if err != nil {
		return errors.New("write counts, identity or content")
	}
	*l = levelValue(level)
	return nil
}

func (l *levelValue) String() string { return verify.Level(*l).String() }
func (*levelValue) Type() string     { return "LEVEL" }

// share is a flag value over 0 % to 100 %, kept as 0 to 1.
type share float64

func (s *share) Set(text string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !percent || !(n > 0 && n <= 100) {
		return errors.New("write a share over 0% to 100%, for example 5%")
	}
	*s = share(n / 100)
	return nil
}

func (s *share) String() string {
	if *s == 0 {
		return ""
	}
	return percentText(float64(*s))
}

func (*share) Type() string { return "SHARE" }

func percentText(part float64) string { return strconv.FormatFloat(part*100, 'f', -1, 64) + "%" }
