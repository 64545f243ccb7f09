package cmd

import (
	"context"
	"errors"
	"fmt"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
	"mailmove/sync/verify"
)

// compare is the wiring of a comparison.
func (f *verifyFlags) compare(ctx context.Context, a *app, p *pass) (err error) {
	file, err := state.Open(ctx, state.Options{
		Dir: p.stateDir, Account: p.account, ReadOnly: true,
		Source: endpointText(p.source), Target: endpointText(p.target),
		Known: whoseState(p.account, p.source, p.target),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	receipt, err := openReceipt(f.receipt)
	if err != nil {
		return err
	}
	defer receipt.drop()
	logins, err := p.openLogins(ctx, a, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logins.close()) }()
	out := &verifyOutput{app: a, account: p.account, json: f.json, shown: make(map[verify.Word][]verify.Difference)}
	report, err := verify.Run(ctx, verify.Options{
		Account: p.account, State: file, Mapping: p.mapping, Level: verify.Level(f.level), Sample: float64(f.sample),
		Connections:   p.connections,
		ConnectSource: side(logins.source, p.source, p.listed), ConnectTarget: side(logins.target, p.target, p.listed),
		Difference: out.difference,
	})
	if err != nil {
		return a.ofAccount(p.account, err)
	}
	report.Receipt.Version = version
	report.Receipt.Source.Endpoint, report.Receipt.Target.Endpoint = endpointText(p.source), endpointText(p.target)
	if err := receipt.write(report.Receipt); err != nil {
		return err
	}
	tell, whose := out.report, fmt.Sprintf(" (account %s)", p.account)
	if f.tell != nil {
		tell, whose = f.tell, "" // the line begins with it
		if f.json {
			tell = func(r verify.Report) error { return errors.Join(out.report(r), f.tell(r)) }
		}
	}
	if err := tell(report); err != nil || report.Verified() {
		return err
	}
	return &failure{code: exitNotEqual,
		what: fmt.Sprintf("not equal: %s%s", countText(report.Unexplained(), "difference that nothing explains", "differences that nothing explains"), whose),
		hint: notEqualHint(report)}
}

// notEqualHint says what to do next.
func notEqualHint(r verify.Report) string {
	switch {
	case r.TooMany && r.Level == verify.Counts:
		return "more is gone from its folders than people take away; --level identity tells what was moved from what is lost"
	case r.TooMany:
		return "more is gone from the target than people take away: a restored server, retention or a fault? mailmove sync --recopy-gone copies it again"
	case !r.State && (r.Words[verify.Extra] > 0 || r.Words[verify.Missing] > 0):
		return "there is no state of a finished pass to explain anything: give the --id and --state-dir of the passes"
	case r.Words[verify.Missing] > 0:
		return "mailmove sync carries what no pass has carried yet; docs/verify.md explains the words"
	}
	return "docs/verify.md explains the words"
}

// ofAccount says which account an error belongs to, except to who sits at a terminal.
func (a *app) ofAccount(account string, err error) error {
	if a.screen {
		return err
	}
	return &accountError{account: account, err: err}
}

// side is a way to a server that only reads.
func side(g *gate, ep imapx.Endpoint, listed bool) func(context.Context) (verify.Side, error) {
	return func(ctx context.Context) (verify.Side, error) {
		s, err := connect(ctx, nil, g, imapx.DialSource, ep, imapx.Options{AwaitEnd: listed})
		if err != nil {
			return nil, err // never s: a nil session in an interface is not nil
		}
		return s, nil
	}
}

func countText(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Count(n) + " " + many
}
