package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// run is the wiring: state, sessions, engine, renderer.
func (p *pass) run(ctx context.Context, a *app) (err error) {
	file, err := state.Open(ctx, state.Options{
		Dir: p.stateDir, Account: p.account, ReadOnly: p.dryRun,
		Source: endpointText(p.source), Target: endpointText(p.target),
		Known: whoseState(p.account, p.source, p.target),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !p.dryRun {
		a.task = moving
	}
	logins, err := p.openLogins(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logins.close()) }()
	traceFile, err := p.openTrace()
	if err != nil {
		return err
	}
	var tracer io.Writer // stays nil without a file: a nil *os.File in an interface is not nil
	if traceFile != nil {
		// Several connections share it: output takes one line after the other.
		trace := &output{name: "--trace " + p.trace, to: traceFile}
		defer func() {
			var lost error
			err, lost = trace.settle(errors.Join(err, traceFile.Close()), a.task.afterLoss())
			a.tellError(lost)
		}()
		tracer = trace
	}
	render := ui.New(p.uiOptions(a))
	defer render.Close()
	options := imapx.Options{Trace: tracer}
	stop := a.stops.pass()
	o := mailsync.Options{
		Account: p.account, State: file, SpoolDir: p.stateDir, Mapping: p.mapping,
		Memory: p.memory, Connections: p.connections, Filter: p.filter, RecopyGone: p.recopyGone, DryRun: p.dryRun, RetryFor: p.retryTime(),
		Events: render.Event, Stop: stop,
	}
	p.ports(&o, stop, logins, options)
	report, err := mailsync.Run(ctx, o)
	err = a.passError(report, err)
	if err == nil && p.strict {
		err = strictError(p.account, report)
	}
	if err != nil && !a.screen { // who sits at a terminal knows which account it is
		err = &accountError{account: p.account, err: err}
	}
	return err
}

// connect dials until the first stop: a connection that is not there yet has nothing to settle, and a server that
// says nothing would be waited for.
func connect[S io.Closer](ctx context.Context, stop <-chan struct{}, g *gate,
	dial func(context.Context, imapx.Endpoint, imapx.Options) (S, error), ep imapx.Endpoint, o imapx.Options) (S, error) {
	dialing, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-stop:
			cancel()
		case <-done:
		}
	})
	session, err := through(dialing, g, func() (S, error) { return dial(dialing, ep, o) })
	close(done)
	watcher.Wait()
	if err != nil && dialing.Err() != nil && ctx.Err() == nil {
		err = mailsync.ErrInterrupted
	}
	cancel()
	return session, ofUser(g.user, err)
}

// retryTime is how the engine wants --retry-for off: it takes 0 for its own default.
func (p *pass) retryTime() time.Duration { return max(p.retryFor, time.Nanosecond) }

func (p *pass) uiOptions(a *app) ui.Options {
	mode := p.output
	if mode == ui.Plain && a.screen {
		mode = ui.Terminal
	}
	return ui.Options{Mode: mode, Out: a.out, Err: a.err, Width: a.width, Heartbeat: p.progress, Words: errorWords, Colour: a.colour}
}

// passError is what the exit code is made of once a pass ended.
func (a *app) passError(r mailsync.Report, err error) error {
	switch {
	case errors.Is(err, mailsync.ErrInterrupted):
		return a.stops.interrupted(!r.DryRun, a.task.afterStop())
	case err != nil:
		return err
	case r.NewExceptions > 0:
		return &failure{code: exitExceptions} // each has its line already
	}
	return nil
}

// strictError is for who wants each pass to fail as long as exceptions are open that nobody agreed to.
func strictError(account string, r mailsync.Report) error {
	open := r.Exceptions - r.Accepted
	if open == 0 {
		return nil
	}
	are := "are"
	if open == 1 {
		are = "is"
	}
	return &failure{code: exitExceptions, what: fmt.Sprintf("%s %s open that nobody accepted (account %s)", ui.Plural(open, "exception"), are, account),
		hint: "mailmove exceptions list --id " + account + " lists them; mailmove exceptions accept agrees to them"}
}
