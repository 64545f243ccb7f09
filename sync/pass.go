package sync

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// pass is one run over one account: what outlives a lost connection.
type pass struct {
	Options
	bodies *bodies
	rules  *rules
	intake context.Context // ends with the first stop

	stopIntake context.CancelFunc
	watched    map[int64]bool // windows that this pass recovered and looks at again before it ends
	late       map[key]bool   // messages of windows that were watched in this pass: what a dead connection sent may still land
	recovered  time.Time      // when the last of them was
	planned    bool           // the folder pairs were told
	damage     *damage
	appendOnly bool        // new mail only
	back       bool        // a reverse pass: mail goes from the target to the source
	ledgerOf   *state.File // of a reverse pass: the account as all other passes see it
	onTarget   func(imapx.Listing)
	lookBack   bool            // windows of a reverse pass are to be looked at
	finalAt    time.Time       // when the final pass was, where that is why only new mail is carried
	askedAgain bool            // what earlier passes found unreadable was asked for
	refusals   map[string]int  // how often a folder was refused for now, by side and name; under mu
	deletes    bool            // deletions are carried
	deleted    map[int64]int64 // what this pass deleted, by pair
	quotaAsked bool            // whether the target has room again, where an earlier pass found it full
	tooFull    string          // how much room is missing, where that is known

	window atomic.Int64 // bytes of a window now, from windowLeast to windowBytes

	mu       sync.Mutex // guards the rest, and the order of events
	report   Report
	progress time.Time      // when a message was last carried, for RetryFor
	online   bool           // both sides were reached once
	archives map[int64]bool // pairs whose deferred messages lie in other folders
	noted    map[told]bool  // exceptions that are in the state and not told yet (ladder.go)
	zones    map[int]bool   // seconds east of UTC: the target refused dates of these, and took them in UTC
}

func newPass(ctx context.Context, o Options, set ...func(*pass)) (*pass, error) {
	rules, err := o.Mapping.compile()
	if err != nil {
		return nil, err
	}
	p := &pass{
		Options:  o,
		rules:    rules,
		bodies:   newBodies(o.budget(), o.SpoolDir),
		watched:  make(map[int64]bool),
		late:     make(map[key]bool),
		damage:   newDamage(),
		refusals: make(map[string]int),
		deleted:  make(map[int64]int64),
		noted:    make(map[told]bool),
		archives: make(map[int64]bool),
		zones:    make(map[int]bool),
		progress: time.Now(),
	}
	p.window.Store(windowBytes)
	for _, f := range set {
		f(p)
	}
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	p.report = Report{Started: time.Now(), DryRun: o.DryRun}
	first := o.State.Fresh()
	if !o.DryRun {
		id, err := o.State.BeginPass(ctx, p.report.Started)
		if err != nil {
			return nil, err
		}
		p.report.Pass = id
	}
	p.intake, p.stopIntake = context.WithCancel(ctx)
	if o.Stop != nil {
		go func() {
			select {
			case <-o.Stop:
				p.stopIntake()
			case <-p.intake.Done():
			}
		}()
	}
	p.emit(PassStarted{Account: o.Account, Pass: p.report.Pass, First: first, DryRun: o.DryRun, Time: p.report.Started})
	p.tellFinal()
	return p, nil
}

// stopped reports the first stop.
func (p *pass) stopped() bool { return p.intake.Err() != nil }

// emit hands an event on; events come one after the other.
func (p *pass) emit(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Events != nil {
		p.Events(e)
	}
}

// count changes the report.
func (p *pass) count(f func(*Report)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.report)
}

// copied counts one message and tells it.
func (p *pass) copied(folder string, bytes int64) {
	p.mu.Lock()
	p.report.Copied++
	p.report.CopiedBytes += bytes
	p.progress = time.Now()
	p.mu.Unlock()
	p.emit(MessageCopied{Account: p.Account, Folder: folder, Bytes: bytes})
}

func (p *pass) notice(text string) { p.emit(Notice{Account: p.Account, Text: text}) }

// except records what could not be carried and tells it.
func (p *pass) except(ctx context.Context, e state.Exception) error {
	e.FirstPass, e.LastPass = p.report.Pass, p.report.Pass
	isNew, err := p.State.PutException(ctx, e)
	if err != nil {
		return err
	}
	if isNew {
		p.count(func(r *Report) { r.NewExceptions++ })
	}
	p.emit(Exception{Account: p.Account, Folder: e.Folder, UID: e.UID, Reason: e.Reason, Detail: e.Detail, New: isNew})
	return nil
}

// attempts repeats the work over new connections until it is done, stopped, or without hope.
func (p *pass) attempts(ctx context.Context) error {
	defer p.stopIntake()
	for n := 0; ; n++ {
		started := time.Now()
		err := p.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case p.stopped() && (err == nil || errors.Is(err, context.Canceled)):
			return ErrInterrupted
		case err == nil:
			return nil
		case errors.Is(err, errReadable):
			continue
		}
		var ie *imapx.Error
		if !errors.As(err, &ie) || ie.Retry == imapx.RetryNever || !p.online && n >= offlineTries(ie) {
			return p.measured(ctx, err)
		}
		if p.stopped() {
			return ErrInterrupted
		}
		if p.isolate(ctx) {
			n = -1 // the next attempt is the first one without that message
			continue
		}
		p.mu.Lock()
		if p.progress.After(started) {
			n = 0
		}
		if ie.Kind == imapx.KindLost && ie.Side != p.from() { // a MULTIAPPEND is stored whole or not at all: what the line does not last for may fit in parts
			p.window.Store(max(p.window.Load()/4, windowLeast))
		}
		idle := time.Since(p.progress)
		p.mu.Unlock()
		delay := backoff(n, ie.Delay)
		if idle+delay > p.RetryFor {
			return err
		}
		p.emit(Throttled{Account: p.Account, Side: ie.Side, Delay: delay, Why: ie.Error(), Err: ie})
		if pause(p.intake, delay) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrInterrupted
		}
	}
}

// offlineTries is how often a side is tried again that was never reached. Name or port may be wrong, which has to be
// told at once, and a server that drops the line at each login must not see many. One that says that it is
// unavailable, or names a delay, is waited for as at any other time.
func offlineTries(e *imapx.Error) int {
	switch {
	case e.Kind == imapx.KindUnavailable || e.Delay > 0:
		return math.MaxInt
	case e.Kind == imapx.KindConnect || e.Kind == imapx.KindTLS:
		return 0
	}
	return 1
}

// end writes the pass into the state, also after a cancelled context.
func (p *pass) end(ctx context.Context, err error) (Report, error) {
	p.stopIntake()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	p.report.Ended = time.Now()
	p.report.Interrupted = errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled)
	if all, accepted, e := p.State.CountExceptions(ctx); e == nil {
		p.report.Exceptions, p.report.Accepted = all, accepted
	}
	if counts, e := p.State.CountDeferred(ctx); e == nil && !p.DryRun { // a dry run has foreseen them
		for pair, n := range counts {
			if !p.archives[pair] {
				p.report.Deferred += n
			}
		}
	}
	if !p.DryRun {
		if e := p.State.EndPass(ctx, p.report.Pass, p.record(err)); err == nil {
			err = e
		}
	}
	p.emit(PassEnded{Account: p.Account, Report: p.report, Err: err})
	return p.report, err
}

// record is the report as the state keeps it.
func (p *pass) record(err error) state.PassRecord {
	r := p.report
	rec := state.PassRecord{
		ID: r.Pass, Started: r.Started, Ended: r.Ended,
		Folders: r.Folders, SourceMessages: r.SourceMessages, Copied: r.Copied, CopiedBytes: r.CopiedBytes,
		Matched: r.Matched, Flags: r.Flags, Recovered: r.Recovered, Doubles: r.Doubles,
		Exceptions: r.Exceptions, NewExceptions: r.NewExceptions, Deferred: r.Deferred, Deleted: r.Deleted,
	}
	switch {
	case r.Interrupted:
		rec.Result = "interrupted"
	case err != nil:
		rec.Result, rec.Error = "failed", err.Error()
	case r.NewExceptions > 0:
		rec.Result = "exceptions"
	default:
		rec.Result = "done"
	}
	return rec
}
