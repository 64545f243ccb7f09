package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/sharing"
	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// listRun is one run over a list: what its accounts have in common.
type listRun struct {
	a      *app
	f      *syncFlags // of the command line
	given  []given
	more   func(*syncFlags, *pflag.FlagSet) // declares what a command takes beside the flags of sync; nil: nothing
	list   *accounts.List
	nobody *os.File // where a password would be asked for, if somebody sat there

	dir     string
	fleet   *fleet.Fleet             // nil: a dry run, and nothing is known
	before  map[string]fleet.Outcome // how each account's last pass ended
	kept    map[string]fleet.Group   // how far each group is
	unsaved []fleet.Outcome
	notices *notices // who is told of what
	saved   time.Time
	// saveAfter is when it may be tried again, after it could not be.
	saveAfter time.Time

	servers  *sharing.Servers
	bytes    *sharing.Rate
	messages *sharing.Rate
	budget   *mailsync.Budget

	mu        sync.Mutex
	volumes   map[string]int64 // bytes that were copied on volumeDay, by account
	volumeDay string

	entries []*entry
	byGroup map[string][]*entry // entries, from when a group was first asked for: rows keep their groups
	show    *ui.List
	intake  context.Context // ends with the first stop, and with the time
	started time.Time
}

// sliceTime is how long one account copies while others wait: long beside the round trips of going on later.
const sliceTime = 10 * time.Minute

// runList is "mailmove sync --accounts".
func (f *syncFlags) runList(c *cobra.Command, a *app) error { return f.runListWith(c, a) }

// runListWith has more flags for every row than the command line.
func (f *syncFlags) runListWith(c *cobra.Command, a *app, more ...given) error {
	if err := f.list.check(f); err != nil {
		return err
	}
	r := newListRun(c, a, f, nil)
	r.given = append(r.given, more...)
	var err error
	if r.notices, err = f.notify.prepare(c.Context(), terminal{a.in, a.err}, f.dryRun); err != nil {
		return err
	}
	return r.over(c.Context(), f.quiet, func() error {
		return profiled(f.profile, func() error { return r.run(c.Context()) })
	})
}

func newListRun(c *cobra.Command, a *app, f *syncFlags, more func(*syncFlags, *pflag.FlagSet)) *listRun {
	return &listRun{a: a, f: f, given: givenFlags(c), more: more, started: time.Now(), volumes: make(map[string]int64), kept: make(map[string]fleet.Group), notices: &notices{}}
}

// over does the work of a command over the accounts that are meant. It is not begun before all rows were understood.
func (r *listRun) over(ctx context.Context, quiet bool, work func() error) (err error) {
	if r.list, err = r.f.list.read(ctx, r.a, quiet); err != nil {
		return err
	}
	if r.dir, err = stateDir(r.f.stateDir); err != nil {
		return err
	}
	if r.nobody, err = os.Open(os.DevNull); err != nil {
		return err
	}
	defer r.nobody.Close() // nothing was written to it
	r.understand()
	if err := r.refuse(); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if r.fleet != nil {
		defer func() { err = errors.Join(err, r.fleet.Close()) }()
	}
	if err := r.tellSkipped(ctx); err != nil {
		return err
	}
	if err := r.choose(ctx); err != nil {
		return err
	}
	r.leaveClosed(quiet)
	return work()
}

// open makes what all accounts share.
func (r *listRun) open(ctx context.Context) (err error) {
	l := &r.f.list
	if l.logDir != "" {
		if err := os.MkdirAll(l.logDir, 0o700); err != nil {
			return noInput("--log-dir", err)
		}
	}
	r.servers = sharing.NewServers(l.serverLimit())
	r.bytes, r.messages = sharing.NewRate(int64(l.maxRate)), sharing.NewRate(int64(l.maxMessages))
	if r.budget, err = mailsync.NewBudget(int64(r.f.memory)); err != nil {
		return err
	}
	boundHeap(int64(r.f.memory))
	if r.f.dryRun && !exists(filepath.Join(r.dir, fleet.FileName)) {
		return nil
	}
	if r.fleet, err = fleet.Open(ctx, r.dir); err != nil {
		return err
	}
	limits, err := r.fleet.Limits(ctx, time.Now())
	if err == nil {
		r.before, err = r.fleet.Outcomes(ctx)
	}
	if err == nil {
		r.kept, err = r.fleet.Groups(ctx)
	}
	if err == nil {
		r.volumeDay = dayOf(r.started)
		r.volumes, err = r.fleet.Volumes(ctx, r.started)
	}
	if err != nil {
		return errors.Join(err, r.fleet.Close())
	}
	for server, n := range limits {
		r.servers.Lower(server, n)
	}
	return nil
}

// run makes a pass over each account that is meant, and tells what became of them.
func (r *listRun) run(ctx context.Context) (err error) {
	waiting := r.inOrder()
	for _, e := range waiting {
		e.outcome = outcome{word: wordWaiting, code: exitLater, next: nextOf(exitLater)}
	}
	if !r.f.dryRun {
		r.a.task = moving
	}
	stop := r.a.stops.pass()
	intake, end := context.WithCancelCause(ctx)
	defer end(nil)
	r.intake = intake
	go func() {
		select {
		case <-stop:
			end(mailsync.ErrInterrupted)
		case <-intake.Done():
		}
	}()
	if at := r.f.list.deadline(r.started); !at.IsZero() {
		timer := time.AfterFunc(time.Until(at), func() { end(errTimeUp) })
		defer timer.Stop()
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.show = ui.NewList(r.uiOptions(), len(waiting))
	err = r.dispatch(ctx, waiting)
	r.show.Close()
	lost := r.save(ctx, true)
	if lost == nil { // else one reason is enough
		lost = r.keepGroups(ctx)
	}
	err = errors.Join(err, lost)
	r.report()
	err = errors.Join(r.verdict(err), r.write())
	r.notices.close(r)
	return err
}

func (r *listRun) uiOptions() ui.Options {
	p := &pass{output: r.f.output(), progress: time.Duration(r.f.progress)}
	return p.uiOptions(r.a)
}

// verdict is what the exit code of the list is made of.
func (r *listRun) verdict(err error) error {
	if stopped := r.a.stops.interrupted(!r.f.dryRun, r.a.task.afterStop()); stopped != nil {
		return stopped
	}
	if err != nil {
		return err
	}
	var codes []int
	for _, e := range r.entries {
		if e.chosen && r.counts(e.outcome) {
			codes = append(codes, e.outcome.code)
		}
	}
	if code := gravest(codes); code != exitDone {
		return &failure{code: code} // each account has its line already
	}
	return nil
}

// saveAgain is how long a fleet file that could not be written is left alone: where another program has it locked, each try waits
// for that, and all accounts with it.
const saveAgain = 30 * time.Second

// save keeps outcomes, some together: a second's worth may be lost in a kill, and is asked of the accounts' own state then. What
// cannot be kept is tried again later, and is an error with all, at the end.
func (r *listRun) save(ctx context.Context, all bool) error {
	const together, within = 32, time.Second
	if r.f.dryRun || r.fleet == nil || len(r.unsaved) == 0 {
		return nil
	}
	if !all && (time.Now().Before(r.saveAfter) || len(r.unsaved) < together && time.Since(r.saved) < within) {
		return nil
	}
	err := r.fleet.Keep(context.WithoutCancel(ctx), fleet.Change{Outcomes: r.unsaved, Notes: r.notices.unsaved})
	r.saved = time.Now()
	switch {
	case err == nil:
		if len(r.notices.unsaved) > 0 {
			r.notices.wakeSoon()
		}
		r.unsaved, r.notices.unsaved = nil, nil
	case all:
		return err
	default:
		r.saveAfter = r.saved.Add(saveAgain)
	}
	return nil
}
