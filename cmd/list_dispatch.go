package cmd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mailmove/cmd/internal/sharing"
)

// dispatcher gives the accounts of a list their turns. One goroutine has it; passes report to it.
type dispatcher struct {
	*listRun
	queue
	running int
	others  atomic.Int64 // how many wait: a pass asks whether it is in the way
	done    chan turn
	passes  sync.WaitGroup
	blocked map[string]*blockade // servers that are left alone because logins failed there
	open    map[string]bool      // servers at which a login has worked in this run
}

// turn is one pass over an account, or a slice of one.
type turn struct {
	*entry
	more bool // its time was up, and there is more to do
}

// dispatch runs the accounts, --jobs at once, each as soon as both its servers have room and want no pause. It ends when all
// are done, or when what was begun is settled.
func (r *listRun) dispatch(ctx context.Context, waiting []*entry) (err error) {
	d := &dispatcher{listRun: r, done: make(chan turn), blocked: make(map[string]*blockade), open: make(map[string]bool)}
	d.add(waiting...)
	defer d.passes.Wait()
	for {
		changed := r.servers.Changed()
		now := time.Now() // one for all: a pause that ends between two looks at the clock would be waited for by nobody
		if r.intake.Err() == nil {
			d.begin(ctx, now)
			for _, e := range d.hopeless() {
				err = errors.Join(err, d.finish(ctx, e))
			}
		}
		if d.running == 0 && (len(d.waiting) == 0 || r.intake.Err() != nil) {
			return err
		}
		pause, stopPause := d.nextPause(now)
		select {
		case t := <-d.done:
			err = errors.Join(err, d.ended(ctx, t))
		case <-changed:
		case <-pause:
		case <-d.unlessEnded():
		}
		stopPause()
	}
}

// unlessEnded is closed when intake ends; nil when it has, for that is known.
func (d *dispatcher) unlessEnded() <-chan struct{} {
	if d.intake.Err() != nil {
		return nil
	}
	return d.intake.Done()
}

// begin starts what can be started.
func (d *dispatcher) begin(ctx context.Context, now time.Time) {
	open := func(server string) bool { return d.mayAsk(server, now) && d.servers.Room(now, server) }
	d.start(d.f.list.jobs-d.running, open, func(e *entry) bool {
		lease := d.servers.Reserve(now, e.lanes, e.claims...)
		if lease == nil {
			return false
		}
		d.begun(e)
		d.running++
		d.passes.Go(func() {
			more := d.turn(ctx, e, lease)
			lease.End()
			d.done <- turn{e, more}
		})
		return true
	})
	d.others.Store(int64(len(d.waiting)))
}

// ended takes note of a pass that is over. A slice goes to the end of the row, and so does who found a server left alone.
func (d *dispatcher) ended(ctx context.Context, t turn) error {
	d.running--
	if d.foundBlocked(t.entry) {
		d.add(t.entry)
		return nil
	}
	d.passed(t.entry)
	if t.more {
		d.add(t.entry)
		return nil
	}
	return d.finish(ctx, t.entry)
}

// finish closes an account.
func (d *dispatcher) finish(ctx context.Context, e *entry) error {
	if e.outcome.word != wordBusy || e.outcome.code != exitDone { // what another process is doing is for it to note
		d.seenSince(ctx, e)
		kept := d.remember(e, time.Now())
		d.unsaved = append(d.unsaved, kept)
		d.notices.account(e, d.before[e.account], kept)
	}
	d.tellFailure(e)
	d.tellEnd(e)
	d.show.Done()
	return d.save(ctx, false)
}

// nextPause fires when the first server that was left alone at now may be asked again; at once where that is past already.
func (d *dispatcher) nextPause(now time.Time) (<-chan time.Time, func()) {
	if len(d.waiting) == 0 {
		return nil, func() {}
	}
	first := d.servers.NextResume(now)
	for _, b := range d.blocked {
		if b.scout == nil && b.next.After(now) && (first.IsZero() || b.next.Before(first)) {
			first = b.next
		}
	}
	if first.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(time.Until(first))
	return timer.C, func() { timer.Stop() }
}

// turn runs one account until it is done, stopped, or in the way of others, and tells whether there is more.
func (d *dispatcher) turn(ctx context.Context, e *entry, lease *sharing.Lease) (more bool) {
	began := time.Now()
	defer func() { e.outcome.took += time.Since(began) }()
	stop, end := context.WithCancelCause(d.intake)
	defer end(nil)
	if d.sliced() {
		var timer *time.Timer
		var mu sync.Mutex // the timer's function may run before the variable is set
		mu.Lock()
		timer = time.AfterFunc(d.f.list.slice, func() {
			mu.Lock()
			defer mu.Unlock()
			if d.others.Load() > 0 {
				end(errSlice)
				return
			}
			timer.Reset(d.f.list.slice)
		})
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			timer.Stop()
		}()
	}
	report, err := d.account(ctx, e, lease, stop, end)
	d.listRun.ended(e, report, err)
	return e.outcome.word == wordStopped && errors.Is(context.Cause(stop), errSlice) && d.intake.Err() == nil
}

// sliced tells whether a pass may be interrupted for the others: an ordinary one goes on later where it was.
func (d *dispatcher) sliced() bool {
	c := d.f.cutover
	return d.f.list.slice > 0 && !d.f.dryRun && !c.final && !c.tail && !c.reverse && !c.reopen
}
