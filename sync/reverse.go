package sync

import (
	"context"
	"errors"
)

// ErrNotFinal: there was no final pass, and so nothing to call off.
var ErrNotFinal = errors.New("there was no final pass over this account")

// ErrForwardOpen: what an interrupted pass sent to the target may be there twice, or without being in the ledger. Nobody
// can tell it from mail that came to the target, until a pass has looked.
var ErrForwardOpen = errors.New("an earlier pass was interrupted, and what it sent to the target is not settled")

// Reverse is the way back, when a cutover is called off: what came to the target since the final pass began is carried to
// the source, and nothing that came from there. It is the ordinary work with the sides exchanged and new mail only: so
// o.ConnectSource leads to the target, which is only read, and o.ConnectTarget to the source. The state makes the ledger
// of that way from the account's, and takes into it what was carried (state.BeginReverse).
//
// On the source it selects and appends, makes a folder where there is mail for one, and removes what it has proven to
// have stored twice itself. Errors are those of Run, ErrNotFinal and ErrForwardOpen.
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
	if windows, err := whole.Windows(ctx); err != nil {
		return Report{}, err
	} else if len(windows) > 0 {
		return Report{}, ErrForwardOpen
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
