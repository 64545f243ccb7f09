package sync

import (
	"context"
	"errors"
)

// ErrNotFinal: there was no final pass, and so nothing to call off.
var ErrNotFinal = errors.New("there was no final pass over this account")

// Reverse is the way back, when a cutover is called off: what came to the target since the final pass began is carried to
// the source, and nothing that came from there. It is the ordinary work with the sides exchanged and new mail only: so
// o.ConnectSource leads to the target, which is only read, and o.ConnectTarget to the source. The state makes the ledger
// of that way from the account's, and takes into it what was carried (state.BeginReverse).
//
// On the source it selects and appends, makes a folder where there is mail for one, and removes what it has proven to
// have stored twice itself. Errors are those of Run, and ErrNotFinal.
func Reverse(ctx context.Context, o Options) (Report, error) {
	if err := o.complete(); err != nil {
		return Report{}, err
	}
	whole := o.State
	at, err := whole.Final(ctx)
	if err != nil {
		return Report{}, err
	}
	if at.IsZero() {
		return Report{}, ErrNotFinal
	}
	if err := whole.BeginReverse(ctx); err != nil {
		return Report{}, err
	}
	o.State = whole.Reversed()
	r, err := run(ctx, o, func(p *pass) { p.back, p.ledgerOf = true, whole })
	if _, e := whole.TakeReversed(context.WithoutCancel(ctx)); err == nil {
		err = e // after another error an intent may be open, and the next reverse pass settles it
	}
	return r, err
}
