package cmd

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/passwords"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state"
	mailsync "mailmove/sync"
)

const checkLong = `Looks at both sides before anything is copied: logins, certificates, folders,
sizes, the target's quota and what it deletes. Nothing is written on either
side, nor to the state. Exit code 0: the first pass can start; 78: it cannot.
With --accounts, each account of a list, and the room that each group needs.`

const checkExample = `  mailmove check --source mail.old.example --source-user alice@old.example \
                 --target mail.new.example --target-user alice@new.example \
                 --target-retention 60d --password-policy min=12,upper,dict
  mailmove check --accounts accounts.csv --csv`

// checkFlags are what "mailmove check" takes.
type checkFlags struct {
	sync syncFlags // both sides, the mapping, the account
	checkOwn
	csv bool
}

// checkOwn is what an account is held against.
type checkOwn struct {
	reserve   percent
	quota     byteSize
	retention age
	try       interval
	policy    string
}

const usualReserve = 5 // percent of the quota

func newCheck(a *app) *cobra.Command {
	f := &checkFlags{checkOwn: checkOwn{reserve: usualReserve}, sync: syncFlags{
		source: endpointFlags{side: "source"}, target: endpointFlags{side: "target"},
		memory: 64 << 20, connections: 1, retryFor: interval(5 * time.Minute), dryRun: true, list: newListFlags(),
	}}
	c := &cobra.Command{
		Use:     "check --source HOST --source-user NAME --target … [flags]",
		Short:   "Say whether the first pass can start",
		Long:    checkLong,
		Example: checkExample,
		Args:    noArguments,

		DisableFlagsInUseLine: true,
	}
	c.Flags().SortFlags = false
	f.bind(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.sync.list.file != "" {
			return f.runList(c, a)
		}
		if err := withoutList(c.Flags()); err != nil {
			return err
		}
		k, err := f.validate()
		if err != nil {
			return err
		}
		if err := k.pass.logins(c.Context(), &f.sync, terminal{a.in, a.err}); err != nil {
			return err
		}
		return k.pass.trusting(c.Context(), a, func() error { return k.run(c.Context(), a) })
	}
	return c
}

func (f *checkFlags) bind(set *pflag.FlagSet) {
	groups := flagGroups()
	s := &f.sync
	group(set, groups[0], s.source.bind)
	s.target.bind(set)
	set.VisitAll(func(fl *pflag.Flag) { fl.Hidden = headingOf(fl) == "" })
	group(set, groups[1], s.mapping.bind)
	group(set, groups[4], func(set *pflag.FlagSet) {
		f.checkOwn.bind(set)
		set.StringVar(&s.id, "id", "", "`NAME` of the account in the state (default: made of both mailboxes)")
		set.StringVar(&s.stateDir, "state-dir", "", "`DIR` of the state (default: as for sync)")
		set.BoolVar(&s.loginNow, "login-now", false, "log in although it failed before and the time to wait is not over")
	})
	group(set, groups[3], func(set *pflag.FlagSet) {
		set.BoolVar(&f.csv, "csv", false, "print a table for a spreadsheet (docs/check.md)")
		set.BoolVar(&s.json, "json", false, "print one JSON object for each line (docs/check.md)")
	})
	group(set, groups[listGroup], s.list.bindReading)
}

func (o *checkOwn) bind(set *pflag.FlagSet) {
	set.Var(&o.reserve, "quota-reserve", "share of the target's quota that stays free for new mail")
	o.bindTarget(set)
	set.StringVar(&o.policy, "password-policy", "", "what the target asks of a password: `RULES` of min=12,lower,upper,digit,special,ascii,dict")
	set.Var(&o.try, "try", "read mail from the source for so long and say how long all of it takes")
}

// bindTarget declares what may differ from account to account: a list has columns for it.
func (o *checkOwn) bindTarget(set *pflag.FlagSet) {
	set.Var(&o.quota, "target-quota", "the target's quota, where the server tells none, for example 5GB")
	set.Var(&o.retention, "target-retention", "the target deletes mail that is older, for example 60d")
}

// checking is a validated "mailmove check".
type checking struct {
	pass    *pass
	options mailsync.CheckOptions
	policy  *passwords.Policy // nil: none was given
	print   checkPrinter
}

// validate checks everything that needs no network and no password.
func (f *checkFlags) validate() (*checking, error) {
	if f.csv && f.sync.json {
		return nil, usagef("give one of them", "both --csv and --json")
	}
	p, err := f.sync.validate()
	if err != nil {
		return nil, err
	}
	k, err := f.checking(p)
	switch {
	case err != nil:
		return nil, err
	case f.csv:
		k.print = checkCSV
	case f.sync.json:
		k.print = checkJSON
	}
	return k, nil
}

// checking is the check of an account that prints a table.
func (f *checkOwn) checking(p *pass) (*checking, error) {
	now := time.Now()
	k := &checking{pass: p, print: checkTable}
	if !f.retention.day.IsZero() {
		return nil, usagef("write an age such as 60d", "--target-retention %s: a day is no age", f.retention.text)
	}
	if f.policy != "" {
		policy, err := passwords.Parse(f.policy)
		if err != nil {
			return nil, usagef("for example --password-policy min=12,lower,upper,digit", "--password-policy: %v", err)
		}
		k.policy = &policy
	}
	k.options = mailsync.CheckOptions{
		Account: k.pass.account, Mapping: k.pass.mapping, Reserve: float64(f.reserve) / 100, TargetQuota: int64(f.quota),
		Retention: f.retention.before(now), Try: time.Duration(f.try), Now: now,
	}
	return k, nil
}

// run asks both servers and prints what was found.
func (k *checking) run(ctx context.Context, a *app) (err error) {
	p := k.pass
	file, err := state.Open(ctx, state.Options{
		Dir: p.stateDir, Account: p.account, ReadOnly: true,
		Source: endpointText(p.source), Target: endpointText(p.target),
		Known: whoseState(p.account, p.source, p.target),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	logins, err := p.openLogins(ctx, a, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logins.close()) }()
	stop := a.stops.pass()
	o := k.options
	o.State, o.Stop = file, stop
	var later pausing
	o.ConnectSource = func(ctx context.Context) (mailsync.CheckSource, error) {
		s, err := connect(ctx, stop, logins.source, imapx.DialSource, p.source, imapx.Options{AwaitEnd: p.listed})
		if err != nil {
			later.note(err)
			return nil, err // never s: a nil session in an interface is not nil
		}
		return s, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.CheckTarget, error) {
		t, err := connect(ctx, stop, logins.target, imapx.DialTarget, p.target, imapx.Options{AwaitEnd: p.listed})
		if err != nil {
			later.note(err)
			return nil, err
		}
		return t, nil
	}
	report, err := mailsync.Check(ctx, o)
	if p.listed && err == nil {
		err = later.err() // the list comes back to it
	}
	switch {
	case errors.Is(err, mailsync.ErrInterrupted):
		return a.stops.interrupted(false, a.task.afterStop())
	case err != nil && !a.screen:
		return &accountError{account: p.account, err: err}
	case err != nil:
		return err
	}
	p.untrusted = untrustedIn(report)
	k.password(&report)
	if err := k.print(a, report); err != nil {
		return err
	}
	if report.Worst() == mailsync.CheckFailed {
		return &failure{code: exitCheck} // each reason has its line already
	}
	return nil
}

// untrustedIn is the first certificate of a report that is not trusted: somebody may be asked about it.
func untrustedIn(r mailsync.CheckReport) error {
	for _, f := range r.Findings {
		var untrusted *auth.UntrustedError
		if errors.As(f.Err, &untrusted) && !untrusted.Changed {
			return f.Err
		}
	}
	return nil
}

// password holds the target's password against the policy. Only sentences of the policy come back, nothing of the
// password.
func (k *checking) password(r *mailsync.CheckReport) {
	if k.policy == nil || k.pass.target.Token != nil { // no password is used there
		return
	}
	found := mailsync.Finding{Check: mailsync.CheckPassword}
	if faults := k.policy.Faults(k.pass.target.Password.Reveal(), k.pass.target.User); len(faults) > 0 {
		found.Verdict, found.Trouble, found.Text = mailsync.CheckFailed, mailsync.TroublePolicy, strings.Join(faults, "; ")
	}
	r.Findings = append(r.Findings, found)
}
