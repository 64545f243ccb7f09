package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
)

// attempt is a pass over one set of connections. When one of them dies, intake ends for all, what is in flight
// elsewhere is settled, and the pass makes another attempt.
type attempt struct {
	*pass
	lanes  []*lane
	intake context.Context
	halt   context.CancelFunc

	source, target imapx.Listing
	ledger         int64 // rows of all pairs, where they were counted
	hindered       map[*job]error
	deferred       map[int64]int64           // what earlier passes left out, by pair
	unkept         map[int64][]string        // flags that target folders do not keep, by pair; under mu
	intended       map[int64]map[uint32]bool // source UIDs that intents named when the attempt began, by pair
	asides         map[string]aside          // source folders by raw name
	adrift         map[int64][]state.Window  // by pair: see adrift.go
	settled        map[*job]map[uint32]bool  // source UIDs that were moved nowhere: see matchfirst.go
	foreseen       foreseen                  // of a dry run

	mu     sync.Mutex
	err    error           // why the attempt ended early
	missed map[string]bool // folders that vanished meanwhile, by side and name
}

// lane is a connection to each side with the folder pairs that go through them.
type lane struct {
	*attempt
	src  Source
	dst  Target
	jobs []*job
	load int64
}

func newAttempt(p *pass) *attempt {
	return &attempt{pass: p, hindered: make(map[*job]error), asides: make(map[string]aside), foreseen: newForeseen(),
		settled: make(map[*job]map[uint32]bool), intended: make(map[int64]map[uint32]bool), adrift: make(map[int64][]state.Window)}
}

func (p *pass) attempt(ctx context.Context) error {
	a := newAttempt(p)
	a.intake, a.halt = context.WithCancel(p.intake)
	defer a.halt()
	defer a.close()
	if err := a.connect(ctx); err != nil {
		return err
	}
	if err := a.canDelete(); err != nil {
		return err
	}
	if err := a.list(ctx); err != nil {
		return err
	}
	if err := a.fits(ctx); err != nil {
		return err
	}
	if err := a.lateBack(ctx); err != nil {
		return err
	}
	if !p.DryRun { // before planning: what is found again belongs to the ledger
		if err := a.recoverWindows(ctx, a.lanes[0].dst); err != nil {
			return err
		}
		if err := a.recoverDeletions(ctx); err != nil {
			return err
		}
	}
	jobs, err := a.plan(ctx)
	if err != nil {
		return err
	}
	if p.DryRun {
		return a.foretell(ctx, jobs)
	}
	if err := a.landfall(ctx, jobs); err != nil {
		return err
	}
	if err := a.tellUnlisted(ctx); err != nil {
		return err
	}
	if err := a.review(ctx, jobs); err != nil {
		return err
	}
	if err := a.thin(ctx, jobs); err != nil {
		return err
	}
	if err := a.followMoves(ctx, jobs); err != nil {
		return err
	}
	if err := a.work(ctx, jobs); err != nil {
		return err
	}
	if p.stopped() {
		return nil
	}
	if err := a.askAgain(ctx, jobs); err != nil {
		return err
	}
	if err := a.purge(ctx, jobs); err != nil {
		return err
	}
	if p.stopped() {
		return nil
	}
	if err := a.alarm(ctx); err != nil {
		return err
	}
	if err := a.tellUnkept(ctx); err != nil {
		return err
	}
	if err := p.State.ClearAccountExceptions(ctx, reasonOverQuota, nil); err != nil {
		return err
	}
	if err := p.State.SweepKept(ctx, quarantined()); err != nil {
		return err
	}
	if p.RecopyGone { // what was told of it is mended
		if err := p.State.ClearAccountExceptions(ctx, reasonGone, nil); err != nil {
			return err
		}
	}
	return a.watchWindows(ctx)
}

// connect opens one lane; a first pass will want all of them and opens them together.
func (a *attempt) connect(ctx context.Context) error {
	n := 1
	if a.State.Fresh() && !a.DryRun {
		n = a.Connections
	}
	if err := a.addLanes(ctx, n); err != nil {
		return err
	}
	a.pass.mu.Lock()
	a.online = true
	a.pass.mu.Unlock()
	return nil
}

// addLanes dials both sides at once until there are n lanes. Only the first lane must succeed: a server that
// takes no further connection still takes the mail.
func (a *attempt) addLanes(ctx context.Context, n int) error {
	type dialled struct {
		lane     *lane
		src, dst error
	}
	had := len(a.lanes)
	if n <= had {
		return nil
	}
	fresh := make([]dialled, n-had)
	var wg sync.WaitGroup
	for i := range fresh {
		l := &lane{attempt: a}
		fresh[i].lane = l
		wg.Go(func() { l.src, fresh[i].src = a.connectSource(ctx) })
		wg.Go(func() { l.dst, fresh[i].dst = a.ConnectTarget(ctx) })
	}
	wg.Wait()
	var first error
	for _, d := range fresh {
		if err := errors.Join(d.src, d.dst); err != nil {
			if first == nil {
				first = cmp.Or(d.src, d.dst)
			}
			d.lane.close()
			continue
		}
		a.lanes = append(a.lanes, d.lane)
	}
	if len(a.lanes) == 0 {
		return first
	}
	if first != nil && !errors.Is(first, ErrNoLane) {
		a.notice("going on with fewer connections: " + first.Error())
	}
	return nil
}

// connectSource dials the source under watch.
func (a *attempt) connectSource(ctx context.Context) (Source, error) {
	s, err := a.ConnectSource(ctx)
	if err != nil {
		return nil, err
	}
	return watched{a.Mapping.LabelsAsKeywords(s), a.damage}, nil
}

func (l *lane) close() {
	if l.src != nil {
		l.src.Close()
	}
	if l.dst != nil {
		l.dst.Close()
	}
}

func (a *attempt) close() {
	var wg sync.WaitGroup
	for _, l := range a.lanes {
		wg.Go(l.close)
	}
	wg.Wait()
}

// list reads both sides and makes sure that they are two.
func (a *attempt) list(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { a.source, err = a.listed(gctx, a.lanes[0].src); return err })
	g.Go(func() (err error) { a.target, err = a.listed(gctx, a.lanes[0].dst); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := a.apart(ctx); err != nil {
		return err
	}
	if a.onTarget != nil {
		a.onTarget(a.target)
	}
	return nil
}

// work spreads the pairs that need something over lanes and runs them. Errors of a folder alone become its
// exception; any other ends intake everywhere.
func (a *attempt) work(ctx context.Context, jobs []*job) error {
	var busy []*job
	heavy := 0
	for _, j := range jobs {
		if j.stored == nil || j.task != nothing || j.retarget {
			if err := a.State.PutPair(ctx, &j.pair); err != nil {
				return err
			}
		}
		if j.archive {
			a.archives[j.pair.ID] = true
		}
		if err := a.hindered[j]; err != nil {
			a.settle(ctx, j, err)
			continue
		}
		if j.task != nothing || j.retarget || j.subscribe {
			busy = append(busy, j)
			if j.task != createOnly {
				heavy++
			}
		}
	}
	if len(busy) == 0 || a.err != nil {
		return a.err
	}
	if err := a.addLanes(ctx, min(a.Connections, heavy)); err != nil {
		return err
	}
	a.spread(busy)
	var wg sync.WaitGroup
	for _, l := range a.lanes {
		wg.Go(func() { l.prepare(ctx) })
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// spread gives the fullest folders out first, each to the lane with the least to do; within a lane parents come
// before their children again.
func (a *attempt) spread(jobs []*job) {
	order := slices.Clone(jobs)
	slices.SortStableFunc(order, func(x, y *job) int { return int(y.weight() - x.weight()) })
	home := make(map[string]*lane) // pairs of one target folder share a lane
	for _, j := range order {
		l := home[j.raw]
		if l == nil {
			l = a.lanes[0]
			for _, m := range a.lanes[1:] {
				if m.load < l.load {
					l = m
				}
			}
			home[j.raw] = l
		}
		l.load += j.weight()
		l.jobs = append(l.jobs, j)
	}
	for _, l := range a.lanes {
		slices.SortStableFunc(l.jobs, func(x, y *job) int { return x.order - y.order })
	}
}

// weight is a job's share of a lane: its messages and the round trips of any folder.
func (j *job) weight() int64 { return j.estimate + 20 }

// fail ends intake on all lanes, once, for this reason.
func (a *attempt) fail(err error) {
	a.mu.Lock()
	if a.err == nil {
		a.err = err
	}
	a.mu.Unlock()
	a.halt()
}

// settle ends a job: marks are committed by then, or the reason why not is told.
func (a *attempt) settle(ctx context.Context, j *job, err error) {
	var ie *imapx.Error
	switch {
	case err == nil:
	case a.intake.Err() != nil && errors.Is(err, context.Canceled):
		// the reason is told by whoever ended intake
	case errors.As(err, &ie) && a.vanished(ctx, j, ie):
	case errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount:
		err = a.except(ctx, state.Exception{Pair: j.pair.ID, Folder: j.source.Name, Reason: reasonFolder, Code: string(ie.Code), Detail: ie.Error()})
		if err != nil {
			a.fail(err)
		}
	default:
		a.fail(err)
	}
}
