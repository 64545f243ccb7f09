package cmd

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"mailmove/imapx"
	"mailmove/state/fleet"
)

// remember opens the fleet file where there is one: for certificates that somebody trusts, and logins that failed. A probe
// makes none.
func (p *probing) remember(ctx context.Context) (closed func(*error), err error) {
	dir, err := stateDir(p.stateDir)
	if err != nil {
		return nil, err
	}
	if !exists(filepath.Join(dir, fleet.FileName)) {
		return func(*error) {}, nil
	}
	if p.fleet, err = fleet.Open(ctx, dir); err != nil {
		return nil, err
	}
	return func(err *error) { *err = errors.Join(*err, p.fleet.Close()) }, nil
}

// examine looks at a server. A login goes through the gate that those of passes go through: a wrong password that cron
// sends each hour gets this machine blocked, whichever command sends it. A person at a terminal may always try.
func (p *probing) examine(ctx context.Context, ep imapx.Endpoint, o imapx.ExamineOptions) (*imapx.Probe, error) {
	if !o.LogIn || p.fleet == nil {
		return imapx.Examine(ctx, ep, o)
	}
	g := newGate(p.fleet, ep, false)
	if !p.loginNow && !isTerminal(p.a.in) {
		if err := g.mayTry(ctx); err != nil {
			return nil, err
		}
	}
	t := &trial{began: time.Now(), done: make(chan struct{})} // nobody else tries
	found, err := imapx.Examine(ctx, ep, o)
	ended := err
	if found != nil && found.LoggedIn { // what failed came later
		ended = nil
	}
	return found, errors.Join(err, g.leave(ctx, t, ended))
}
