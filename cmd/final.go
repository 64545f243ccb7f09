package cmd

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
	mailsync "mailmove/sync"
	"mailmove/sync/verify"
)

// cutover is what a pass is for, beside the ordinary.
type cutover struct {
	final   bool
	passes  int
	tail    bool
	reverse bool
	reopen  bool
}

func (c *cutover) bind(set *pflag.FlagSet) {
	set.BoolVar(&c.final, "final", false, "passes until one finds nothing new, then compare; later ones: new mail only")
	set.IntVar(&c.passes, "final-passes", mailsync.DefaultFinalPasses, "at most `N` passes for --final, 1 to 100")
	set.BoolVar(&c.tail, "tail", false, "after the switch: only new mail that still reaches the source")
	set.BoolVar(&c.reverse, "reverse", false, "call it off: carry to the source what came to the target since --final")
	set.BoolVar(&c.reopen, "reopen", false, "take --final back: an ordinary pass again")
}

// check refuses what makes no sense together.
func (c *cutover) check(f *syncFlags, filter mailsync.Filter, mapping mailsync.Mapping) error {
	mapping.Labels = mailsync.LabelFolders // says what Gmail is, not where folders go
	given := map[string]bool{
		"--final": c.final, "--tail": c.tail, "--reverse": c.reverse, "--reopen": c.reopen,
		"--dry-run": f.dryRun, "--recopy-gone": f.recopyGone, "--final-passes": c.passes != 0 && c.passes != mailsync.DefaultFinalPasses, // 0: a command without the flag
		"a filter": filter != mailsync.Filter{}, "a rule for folders": !reflect.DeepEqual(mapping, mailsync.Mapping{}),
	}
	for _, row := range []struct{ one, other, hint string }{
		{"--final", "--tail", "give one of them"},
		{"--final", "--reverse", "give one of them"},
		{"--final", "--reopen", "give one of them: --final is allowed again as it is"},
		{"--tail", "--reverse", "give one of them"},
		{"--tail", "--reopen", "give one of them"},
		{"--reverse", "--reopen", "give one of them, --reverse first"},
		{"--final", "--dry-run", "try an ordinary pass with --dry-run"},
		{"--reverse", "--dry-run", "what came back is counted, and on the source once"},
		{"--reopen", "--dry-run", "leave --dry-run out: it writes nothing, and --reopen is written to the state"},
		{"--final", "a filter", "the final pass carries everything"},
		{"--reverse", "a filter", "everything that is new goes back"},
		{"--reverse", "a rule for folders", "each folder goes back to where it came from"},
		{"--tail", "--recopy-gone", "a tail is new mail only"},
		{"--reverse", "--recopy-gone", "what is gone on the target is on the source"},
	} {
		if given[row.one] && given[row.other] {
			return usagef(row.hint, "both %s and %s", row.one, row.other)
		}
	}
	switch {
	case given["--final-passes"] && !c.final:
		return usagef("give --final too, or leave it out", "--final-passes without --final")
	case c.final && (c.passes < 1 || c.passes > 100):
		return usagef("", "--final-passes %d: it is from 1 to 100", c.passes)
	}
	return nil
}

// move does what the flags ask for.
func (p *pass) move(ctx context.Context, o mailsync.Options) (mailsync.Report, error) {
	switch {
	case p.cutover.final:
		r, err := mailsync.Final(ctx, o, mailsync.FinalOptions{Passes: p.cutover.passes, Verify: func(ctx context.Context) (mailsync.Unexplained, error) {
			return p.verify(ctx, o)
		}})
		if err == nil {
			o.Events(mailsync.Notice{Account: p.account, Text: "final: nothing new on the source, and both sides agree; from now on a pass carries new mail only"})
		}
		return r.Report, p.finalError(r, err)
	case p.cutover.reverse:
		r, err := mailsync.Reverse(ctx, o)
		return r, p.cutoverError(err)
	case p.cutover.tail:
		o.Mode = mailsync.Tail
	case p.cutover.reopen:
		if err := o.State.Reopen(ctx); err != nil {
			return mailsync.Report{}, p.cutoverError(err)
		}
	}
	r, err := mailsync.Run(ctx, o)
	return r, p.cutoverError(err)
}

// mostUnexplained is how many of the differences that nothing explains a final pass tells; mailmove verify tells all.
const mostUnexplained = 20

// verify compares both sides message by message at the end of a final pass, and tells what nothing explains.
func (p *pass) verify(ctx context.Context, o mailsync.Options) (u mailsync.Unexplained, err error) {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Stop != nil {
		var watcher sync.WaitGroup
		defer watcher.Wait()
		defer cancel() // before the wait
		watcher.Go(func() {
			select {
			case <-o.Stop:
				cancel()
			case <-within.Done():
			}
		})
	}
	tell := func(text string) { o.Events(mailsync.Notice{Account: p.account, Text: text}) }
	tell("nothing new on the source: comparing both sides, message by message")
	var told int64
	report, err := verify.Run(within, verify.Options{
		Account: p.account, State: o.State, Mapping: p.mapping, Level: verify.Identity, Connections: max(p.connections, 2),
		ConnectSource: o.ConnectSource,
		ConnectTarget: func(ctx context.Context) (verify.Side, error) {
			t, err := o.ConnectTarget(ctx)
			if err != nil {
				return nil, err // never t: a nil session in an interface is not nil
			}
			return t, nil
		},
		Difference: func(d verify.Difference) {
			if d.Word.Explained() {
				return
			}
			if u.Why == "" {
				u.Why = differenceText(d)
			}
			if told++; told <= mostUnexplained {
				tell(differenceText(d))
			}
		},
	})
	if err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = mailsync.ErrInterrupted
		}
		return u, err
	}
	if u.Differences = report.Unexplained(); told > mostUnexplained {
		tell(countText(u.Differences-mostUnexplained, "difference more", "differences more") + ": mailmove verify lists all")
	}
	if u.Differences > 0 && u.Why == "" {
		u.Why = notEqualHint(report)
	}
	tell(strings.TrimSuffix(verifySum(report), "\n"))
	return u, nil
}

// reversePorts lead a reverse pass: the target is only read, and the source is the one that is written to.
func (p *pass) reversePorts(o *mailsync.Options, stop <-chan struct{}, logins *logins, options imapx.Options) {
	o.ConnectSource = func(ctx context.Context) (mailsync.Source, error) {
		s, err := connect(ctx, stop, logins.target, imapx.DialSource, p.target, options)
		if err != nil {
			return nil, err // never s, as in ports
		}
		return s, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.Target, error) {
		t, err := connect(ctx, stop, logins.source, imapx.DialTarget, p.source, options)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
}

// finalError gives the ends of a final pass their codes.
func (p *pass) finalError(r mailsync.FinalReport, err error) error {
	switch {
	case errors.Is(err, mailsync.ErrChanging):
		return &failure{code: exitChanging, err: err,
			what: fmt.Sprintf("the source is still changing: each of %s found something new (account %s)", passesText(r.Passes), p.account),
			hint: "what came is carried. Run --final again when the source takes no more mail; else switch, and carry what comes after it with mailmove sync --tail"}
	case errors.Is(err, mailsync.ErrNotEqual):
		what := fmt.Sprintf("source and target are not equal: %s (account %s)", ui.Plural(r.Differences, "difference"), p.account)
		if r.Why != "" {
			what += ": " + ui.Clean(r.Why)
		}
		return &failure{code: exitNotEqual, err: err, what: what,
			hint: "it is not noted as final. mailmove verify lists every difference, docs/verify.md says what the words mean; then run --final again"}
	}
	return p.cutoverError(err)
}

func passesText(n int) string {
	if n == 1 {
		return "1 pass"
	}
	return fmt.Sprintf("%d passes", n)
}

// cutoverError words what is missing for what was asked.
func (p *pass) cutoverError(err error) error {
	for _, row := range []struct {
		is   error
		code int
		hint string
	}{
		{mailsync.ErrNoDeletions, exitUsage, "leave --deletions out; nothing was written"},
		{mailsync.ErrNoLedger, exitUsage, "a tail comes after the other passes: run mailmove sync without --tail first; with --id, see mailmove status for the account's name"},
		{mailsync.ErrNotFinal, exitUsage, "only what came to the target since mailmove sync --final goes back; mailmove status shows when that was"},
		{mailsync.ErrForwardOpen, exitOther, "run mailmove sync --tail until it ends without that, which is once or twice, then --reverse again"},
		{state.ErrReverseOpen, exitOther, "run mailmove sync --reverse again: it settles that, and carries the rest"},
	} {
		if errors.Is(err, row.is) {
			return &failure{code: row.code, err: err, what: row.is.Error() + " (account " + p.account + ")", hint: row.hint}
		}
	}
	return err
}
