package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	mailsync "mailmove/sync"
)

// run is the wiring: state, sessions, engine, renderer.
func (p *pass) run(ctx context.Context, a *app) (err error) {
	boundHeap(p.memory)
	open, err := p.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	if !p.dryRun {
		a.task = moving
	}
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
	options := imapx.Options{Trace: tracer, Compress: p.compress}
	stop := a.stops.pass()
	o := mailsync.Options{
		Account: p.account, State: open.file, SpoolDir: p.stateDir, Mapping: p.mapping,
		Memory: p.memory, Connections: p.connections, Filter: p.filter, RecopyGone: p.recopyGone, AlterNever: bool(p.alter),
		Deletions: mailsync.Deletions(p.deletions.how), MaxDeletions: mailsync.Ceiling(p.deletions.most), DryRun: p.dryRun, RetryFor: p.retryTime(),
		Events: render.Event, Stop: stop,
	}
	ports := p.ports
	if p.cutover.reverse {
		ports = p.reversePorts
	}
	ports(&o, stop, open.logins, options)
	report, err := p.move(ctx, o)
	noted := p.note(ctx, a, open.logins.fleet, report, err)
	err = errors.Join(a.passError(report, err), noted)
	if err == nil && p.strict {
		err = strictError(p.account, report)
	}
	if err != nil && !a.screen { // who sits at a terminal knows which account it is
		err = &accountError{account: p.account, err: err}
	}
	return err
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
