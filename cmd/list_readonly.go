package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/sharing"
)

// listReader runs a command that only reads over the accounts of a list.
type listReader struct {
	flags *listFlags
	login *syncFlags                       // of the command line: --id, --state-dir, --json
	more  func(*syncFlags, *pflag.FlagSet) // declares what the command takes beside the flags of sync; may be nil
	lanes int                              // most connections to each side; 0: as --connections says
	work  func(context.Context, *app, listTurn) error
	begin func() error         // prints a head, when all rows were understood; may be nil
	end   func([]*entry) error // tells the sum, after all
}

// listTurn is one account of a command that reads.
type listTurn struct {
	*entry
	flags *syncFlags
	pass  *pass
}

// bindReading declares the list's flags of a command that only reads.
func (l *listFlags) bindReading(set *pflag.FlagSet) {
	l.bindSelection(set)
	set.IntVar(&l.jobs, "jobs", l.jobs, "`N` accounts at once, 1 to 256")
	set.IntVar(&l.perServer, "connections-per-server", l.perServer, "`N` connections to one server, of all accounts")
}

// run asks every account that is meant. Nobody is asked before all rows were understood.
func (l *listReader) run(c *cobra.Command, a *app) error {
	f := newSyncFlags()
	f.list, f.id, f.stateDir, f.json, f.dryRun = *l.flags, l.login.id, l.login.stateDir, l.login.json, true
	if err := f.list.check(f); err != nil {
		return err
	}
	r := newListRun(c, a, f, l.more)
	return r.over(c.Context(), false, func() error {
		if l.begin != nil {
			if err := l.begin(); err != nil {
				return err
			}
		}
		l.all(c.Context(), r)
		if stopped := a.stops.interrupted(false, ""); stopped != nil {
			return stopped
		}
		if err := l.end(r.entries); err != nil {
			return err
		}
		return r.verdict(nil)
	})
}

// all gives each account its turn, in the list's order as far as its servers have room, --jobs at once. After a stop
// nothing is begun any more.
func (l *listReader) all(ctx context.Context, r *listRun) {
	var (
		waiting queue
		printed sync.Mutex
		turns   sync.WaitGroup
	)
	for _, e := range r.entries {
		if e.chosen {
			waiting.add(e)
		}
	}
	defer func() {
		turns.Wait()
		l.tellUnasked(ctx, r)
	}()
	done, running := make(chan turn, len(waiting.waiting)), 0
	for len(waiting.waiting)+running > 0 {
		changed, now := r.servers.Changed(), time.Now()
		open := func(server string) bool { return r.servers.Room(now, server) }
		waiting.start(r.f.list.jobs-running, open, func(e *entry) bool {
			lease := r.servers.Reserve(now, l.lanesOf(e), e.claims...)
			if lease == nil {
				return false
			}
			running++
			turns.Go(func() {
				later := l.turn(ctx, r, e, lease, &printed)
				lease.End()
				done <- turn{e, later}
			})
			return true
		})
		select {
		case t := <-done:
			running--
			if t.more {
				waiting.add(t.entry)
			}
		case <-changed:
		case <-r.resumed(waiting.waiting, now):
		case <-r.a.stops.settle:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *listReader) lanesOf(e *entry) int {
	if l.lanes > 0 {
		return min(l.lanes, e.lanes)
	}
	return e.lanes
}

// inTurn takes one write after the other.
type inTurn struct {
	*sync.Mutex
	to      io.Writer
	written int
}

func (w *inTurn) Write(b []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	n, err := w.to.Write(b)
	w.written += n
	return n, err
}

// turn asks one account, and tells whether its server wants it to come again later. What it prints comes whole; lines of
// JSON say themselves whose they are, and come at once.
func (l *listReader) turn(ctx context.Context, r *listRun, e *entry, lease *sharing.Lease, printed *sync.Mutex) (later bool) {
	began := time.Now()
	if e.began.IsZero() {
		e.began = began
	}
	var out, notes bytes.Buffer
	one := *r.a
	one.out, one.err, one.screen = &out, &notes, false
	lines := &inTurn{Mutex: printed, to: r.a.out}
	if r.f.json {
		one.out = lines
	}
	err := l.one(ctx, r, &one, e, lease.Lanes)
	if l.heed(ctx, r, e, err) && out.Len() == 0 && lines.written == 0 {
		return true
	}
	e.outcome = outcome{word: wordDone, took: time.Since(began)}
	if err != nil {
		var named *accountError
		if errors.As(err, &named) {
			err = named.err // its line begins with the account
		}
		e.stopped = ctx.Err() != nil || r.a.stops.signal() != nil
		text, next := describe(err)
		e.outcome = outcome{word: wordFailed, code: exitCode(err), text: text, next: next, err: err, took: time.Since(began)}
	}
	printed.Lock()
	defer printed.Unlock()
	_, _ = io.Copy(r.a.err, &notes)
	_, _ = io.Copy(r.a.out, &out) // an output remembers a write that fails (output.go)
	if e.outcome.text != "" && r.a.stops.signal() == nil {
		r.a.tellError(&accountFailed{e.account, e.outcome})
	}
	return false
}

func (l *listReader) one(ctx context.Context, r *listRun, a *app, e *entry, lanes int) error {
	f := newRowFlags(r.more)
	p, err := r.build(f, e.row)
	if err != nil {
		return err
	}
	p.dryRun, p.connections = true, lanes
	e.patience = p.retryFor
	if err := r.logins(ctx, e.row, f.syncFlags, p); err != nil {
		return err
	}
	return l.work(ctx, a, listTurn{e, f.syncFlags, p})
}
