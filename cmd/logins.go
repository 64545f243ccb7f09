package cmd

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/term"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state"
	"mailmove/state/fleet"
)

// logins remembers failed logins across runs. A server that sees many of them blocks the address of this machine, for
// every account that is still to be moved.
type logins struct {
	fleet  *fleet.Fleet // nil: nothing is remembered
	shared bool         // it is a list's: who opened it closes it
	source *gate
	target *gate
}

// openLogins opens the memory and asks for both sides before either is connected. A person at a terminal may always
// try, and so may who insists (--login-now); how it ends is noted all the same. A dry run makes no file for it, and
// uses the one that is there. Over a list nobody tries: who sits there means the list, not
// each login of it. The account's state, where it has one, tells whether its logins worked. The certificates that are
// remembered are in the same file, so the endpoints get them here.
func (p *pass) openLogins(ctx context.Context, a *app, file *state.File) (*logins, error) {
	l := &logins{fleet: p.fleet, shared: p.listed}
	if !p.listed && (!p.dryRun || exists(filepath.Join(p.stateDir, fleet.FileName))) {
		f, err := fleet.Open(ctx, p.stateDir)
		if err != nil {
			return nil, err
		}
		l.fleet = f
	}
	worked, err := workedBefore(ctx, file)
	if err == nil {
		err = errors.Join(rememberedPins(ctx, l.fleet, &p.source), rememberedPins(ctx, l.fleet, &p.target))
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.source, l.target = newGate(l.fleet, p.source, worked), newGate(l.fleet, p.target, worked)
	if p.loginNow || !p.listed && term.IsTerminal(int(a.in.Fd())) {
		return l, nil
	}
	for _, g := range []*gate{l.source, l.target} {
		if err := g.mayTry(ctx); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// mostInterrupted bounds how far back an interrupted pass, which tells nothing of its logins, is looked behind.
const mostInterrupted = 10

// workedBefore tells whether the last pass over an account that was not interrupted came to its end: then both logins worked.
func workedBefore(ctx context.Context, file *state.File) (bool, error) {
	if file == nil {
		return false, nil
	}
	passes, err := file.Passes(ctx, mostInterrupted)
	for _, p := range passes {
		switch p.Result {
		case state.ResultDone, state.ResultExceptions:
			return true, nil
		case state.ResultFailed:
			return false, nil
		}
	}
	return false, err
}

// exists tells whether something is there. What cannot be looked at counts: whoever opens it then says why.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (l *logins) close() error {
	if l.fleet == nil || l.shared {
		return nil
	}
	return l.fleet.Close()
}

// gate lets the first login of a side through alone: a wrong password is sent once, not once for each connection.
// When one has worked, all go through.
type gate struct {
	fleet  *fleet.Fleet // may be nil
	side   string
	server string
	user   string
	secret auth.Secret
	worked bool // in the account's last pass

	mu      sync.Mutex
	trial   *trial // the login that is under way, or the last one that failed
	refused error  // the server said no: for this run that is the answer
	open    bool   // a login worked
}

// trial is a first login, which others wait for.
type trial struct {
	began time.Time
	done  chan struct{}
	err   error // valid when done is closed
}

func newGate(f *fleet.Fleet, ep imapx.Endpoint, worked bool) *gate {
	return &gate{fleet: f, side: ep.Side, server: loginServer(ep), user: loginUser(ep), secret: credentialOf(ep), worked: worked}
}

func (g *gate) login() fleet.Login {
	return fleet.Login{Server: g.server, User: g.user, Credential: []byte(g.secret.Reveal()), Worked: g.worked}
}

// loginServer is what would block this machine: the address that is dialled. The standard ports belong to one
// server; at another port of the same address another one may be (a tunnel).
func loginServer(ep imapx.Endpoint) string {
	host, port := dialledAddress(ep)
	if port == defaultPort(imapx.TLSImplicit) || port == defaultPort(imapx.TLSStartTLS) {
		return host
	}
	return net.JoinHostPort(host, itoa(port))
}

// loginUser tells the mailboxes apart that one admin opens: a refusal may be due to either.
func loginUser(ep imapx.Endpoint) string {
	if ep.AuthzID == "" {
		return ep.User
	}
	return ep.User + " for " + ep.AuthzID
}

func (g *gate) mayTry(ctx context.Context) error {
	if g.fleet == nil {
		return nil
	}
	err := g.fleet.MayTry(ctx, g.login(), time.Now())
	var blocked *fleet.BlockedError
	if errors.As(err, &blocked) {
		return &failure{code: authCode(g.side), what: blockedText(g.side, blocked), hint: blocked.Hint(), err: err}
	}
	return err
}

func authCode(side string) int {
	row := kindTable()[imapx.KindAuth]
	if side == "target" {
		return row.target
	}
	return row.source
}

// through runs a dial when its turn has come.
func through[S io.Closer](ctx context.Context, g *gate, dial func() (S, error)) (S, error) {
	var none S
	first, err := g.enter(ctx)
	if err != nil {
		return none, err
	}
	session, err := dial()
	if first == nil {
		return session, err
	}
	noted := g.leave(ctx, first, err)
	if err == nil && noted != nil { // the login worked, and that could not be noted
		return none, errors.Join(noted, session.Close())
	}
	return session, errors.Join(err, noted)
}

// enter waits for the first login of the side. It gives a trial to who makes it, the error of the trial that was
// waited for, or neither: the way is open.
func (g *gate) enter(ctx context.Context) (*trial, error) {
	g.mu.Lock()
	if g.open || g.refused != nil {
		defer g.mu.Unlock()
		return nil, g.refused
	}
	if t := g.trial; t != nil {
		g.mu.Unlock()
		select {
		case <-t.done:
			return nil, t.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer g.mu.Unlock()
	g.trial = &trial{began: time.Now(), done: make(chan struct{})}
	return g.trial, nil
}

// leave ends a trial and notes how it ended, also when the run was stopped meanwhile.
func (g *gate) leave(ctx context.Context, t *trial, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.err = err
	var server *imapx.Error
	switch {
	case err == nil:
		g.open = true
	case errors.As(err, &server) && wasRefused(server):
		g.refused = err
	}
	g.trial = nil
	close(t.done)
	if g.fleet == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	told := g.login()
	told.Began = t.began
	switch {
	case g.open:
		return g.fleet.Succeeded(ctx, told, time.Now())
	case g.refused != nil:
		return g.fleet.Failed(ctx, told, time.Now(), server.Text+mechanismText(server))
	}
	return nil
}

// wasRefused tells a login that the server refused from one that was never sent, or not for its credential.
func wasRefused(e *imapx.Error) bool {
	var token *auth.TokenError
	return e.Kind == imapx.KindAuth && e.Code != "PRIVACYREQUIRED" && !auth.NotSent(e) && !errors.As(e, &token)
}
