package cmd

import (
	"context"
	"errors"
	"io"
	"sync"

	"mailmove/imapx"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// opened is what is known of an account and its logins, before anything is connected.
type opened struct {
	file   *state.File
	logins *logins
}

// open opens both; a dry run finds them as they are and makes nothing. close must be called.
func (p *pass) open(ctx context.Context, a *app) (*opened, error) {
	file, err := state.Open(ctx, state.Options{
		Dir: p.stateDir, Account: p.account, ReadOnly: p.dryRun,
		Source: endpointText(p.source), Target: endpointText(p.target),
		Known: whoseState(p.account, p.source, p.target),
	})
	if err != nil {
		return nil, err
	}
	logins, err := p.openLogins(ctx, a, file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &opened{file, logins}, nil
}

func (o *opened) close() error { return errors.Join(o.logins.close(), o.file.Close()) }

// ports are the engine's ways to both servers.
func (p *pass) ports(o *mailsync.Options, stop <-chan struct{}, logins *logins, options imapx.Options) {
	source, target := options, options
	source.Line, target.Line = new(imapx.Line), new(imapx.Line) // what one connection learns holds for the others of its side
	o.ConnectSource = func(ctx context.Context) (mailsync.Source, error) {
		s, err := connect(ctx, stop, logins.source, imapx.DialSource, p.source, source)
		if err != nil {
			return nil, err // never s: a nil session in an interface is not nil
		}
		return s, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.Target, error) {
		t, err := connect(ctx, stop, logins.target, imapx.DialTarget, p.target, target)
		if err != nil {
			return nil, err
		}
		return t, nil
	}
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
