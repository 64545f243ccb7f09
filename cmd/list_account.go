package cmd

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"mailmove/cmd/internal/sharing"
	"mailmove/imapx"
	mailsync "mailmove/sync"
)

// account makes one pass over one account of the list. It ends early when intake does; end ends that.
func (r *listRun) account(ctx context.Context, e *entry, lease *sharing.Lease, intake context.Context, end context.CancelCauseFunc) (report mailsync.Report, err error) {
	e.outcome.final, e.outcome.looked = false, false // of an earlier turn: another process may have been there since
	f := newRowFlags(r.more)
	p, err := r.build(f, e.row)
	if err != nil {
		return report, err
	}
	log, err := r.openLog(e)
	if err != nil {
		return report, err
	}
	defer func() {
		log.end(err)
		err = errors.Join(err, log.close())
	}()
	stop := intake.Done()
	m := r.meterOf(ctx, e, p, time.Now(), end)
	if m.full() {
		end(errDaily)
		e.outcome.usedUp(m)
		return report, mailsync.ErrInterrupted
	}
	if err := r.logins(ctx, e.row, f.syncFlags, p); err != nil {
		return report, err
	}
	open, err := p.open(ctx, r.a)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	o := mailsync.Options{
		Account: p.account, State: open.file, SpoolDir: p.stateDir, Mapping: p.mapping, Memory: p.memory, Budget: r.budget,
		Connections: p.connections, Filter: p.filter, RecopyGone: p.recopyGone, AlterNever: bool(p.alter),
		Deletions: mailsync.Deletions(p.deletions.how), MaxDeletions: mailsync.Ceiling(p.deletions.most), DryRun: p.dryRun, RetryFor: p.retryTime(),
		Stop: stop,
		Events: func(ev mailsync.Event) {
			r.show.Event(ev)
			log.event(ev)
			m.count(ev, time.Now())
			r.heed(e, ev)
		},
	}
	if open.file.Fresh() { // it would dial all of them at once, and of each side some would be refused
		o.Connections = lease.Lanes
	}
	sides := [2]int{0, 1} // which claim the engine's source is, and its target
	ports := p.ports
	if p.cutover.reverse {
		ports, sides = p.reversePorts, [2]int{1, 0}
	}
	ports(&o, stop, open.logins, imapx.Options{Compress: p.compress, Logger: log.logger, AwaitEnd: true})
	r.gated(&o, e, lease, sides)
	report, err = p.move(ctx, o)
	if final, e2 := open.file.Final(context.WithoutCancel(ctx)); e2 == nil {
		e.outcome.final, e.outcome.looked = !final.IsZero(), true
	}
	if m.most > 0 {
		err = errors.Join(err, m.close())
		if errors.Is(context.Cause(intake), errDaily) {
			e.outcome.usedUp(m)
		}
	}
	return report, err
}

// heed makes one account's pause everybody's: what a server says of its load is not for one login.
func (r *listRun) heed(e *entry, ev mailsync.Event) {
	t, is := ev.(mailsync.Throttled)
	var ie *imapx.Error
	if !is || !errors.As(t.Err, &ie) || ie.Kind != imapx.KindUnavailable && ie.Delay == 0 {
		return
	}
	r.servers.Pause(e.claims[sideIndex(ie.Side)].Server, time.Now().Add(t.Delay))
}

func sideIndex(side string) int {
	if side == "target" {
		return 1
	}
	return 0
}

// gated puts what the run shares between the engine and its connections: each is counted while it lives, a server that
// wants a pause is left alone, and nothing is sent faster than it may.
func (r *listRun) gated(o *mailsync.Options, e *entry, lease *sharing.Lease, sides [2]int) {
	source, target := o.ConnectSource, o.ConnectTarget
	var open [2]atomic.Int64
	o.ConnectSource = func(ctx context.Context) (mailsync.Source, error) {
		release, err := r.admitted(ctx, e, lease, sides[0], &open[sides[0]])
		if err != nil {
			return nil, err
		}
		s, err := source(ctx)
		if err != nil {
			r.refused(ctx, e, sides[0], &open[sides[0]], err)
			release()
			return nil, err
		}
		return &heldSource{s, r, e.claims[sides[0]].Server, release}, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.Target, error) {
		release, err := r.admitted(ctx, e, lease, sides[1], &open[sides[1]])
		if err != nil {
			return nil, err
		}
		t, err := target(ctx)
		if err != nil {
			r.refused(ctx, e, sides[1], &open[sides[1]], err)
			release()
			return nil, err
		}
		return &heldTarget{t, r, e.claims[sides[1]].Server, release}, nil
	}
}

// admitted waits until the server may be asked, and counts a connection to it.
func (r *listRun) admitted(ctx context.Context, e *entry, lease *sharing.Lease, side int, open *atomic.Int64) (func(), error) {
	if err := r.patience(ctx, e.claims[side].Server); err != nil {
		return nil, err
	}
	release, ok := lease.Open(side)
	if !ok {
		return nil, mailsync.ErrNoLane
	}
	open.Add(1)
	return func() { open.Add(-1); release() }, nil
}

// patience waits for a server. Who is stopped meanwhile has nothing to wait for.
func (r *listRun) patience(ctx context.Context, server string) error {
	err := r.untilStopped(ctx, func(ctx context.Context) error { return r.servers.Wait(ctx, server) })
	if err != nil && ctx.Err() == nil {
		return mailsync.ErrInterrupted
	}
	return err
}

// untilStopped waits no longer than intake lasts.
func (r *listRun) untilStopped(ctx context.Context, wait func(context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.intake, cancel)()
	return wait(within)
}

// refused learns from a server that takes no further connection. Where the account had one there already it may be the
// login that has enough, which says nothing of the others.
func (r *listRun) refused(ctx context.Context, e *entry, side int, open *atomic.Int64, err error) {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Kind != imapx.KindUnavailable || ie.Code != "LIMIT" || open.Load() > 1 {
		return
	}
	server := e.claims[side].Server
	most := max(r.servers.Used(server)-1, 2)
	r.servers.Lower(server, most)
	if r.fleet != nil && !r.f.dryRun {
		// What is not kept is learned again.
		_ = r.fleet.Limited(context.WithoutCancel(ctx), server, most, time.Now())
	}
}
