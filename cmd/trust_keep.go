package cmd

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/state/fleet"
)

// rememberedPins gives an endpoint the certificates that somebody trusts its server to have, where the flags name none.
func rememberedPins(ctx context.Context, f *fleet.Fleet, ep *imapx.Endpoint) error {
	if f == nil || ep.TLS == imapx.TLSNone || len(ep.Pins) > 0 {
		return nil
	}
	server := loginServer(*ep)
	known, err := f.Trusted(ctx, server)
	if err != nil || len(known) == 0 {
		return err
	}
	for _, t := range known {
		ep.Pins = append(ep.Pins, t.SHA256)
	}
	ep.PinnedAs = server
	return nil
}

// trusting runs what talks to both servers. Where that ends because a certificate is not trusted, and a person sits there, it
// asks, remembers a yes, and runs it again: once for each side at most. Nothing was done by then but connecting.
func (p *pass) trusting(ctx context.Context, a *app, work func() error) error {
	for range 2 {
		p.untrusted = nil // of the run before
		err := work()
		yes, wrong := p.askTrust(ctx, a, cmp.Or(p.untrusted, err))
		switch {
		case wrong != nil:
			return wrong
		case !yes:
			return err
		}
	}
	return work()
}

// askTrust asks whether a certificate that is not trusted is to be. One that has changed is refused, and nobody is asked:
// that is the attack that pins are for.
func (p *pass) askTrust(ctx context.Context, a *app, failed error) (yes bool, err error) {
	var (
		untrusted *auth.UntrustedError
		server    *imapx.Error
	)
	if !errors.As(failed, &untrusted) || untrusted.Changed || !errors.As(failed, &server) ||
		p.cutover.reopen || // that is done by now, and cannot be done again
		p.listed || p.output != ui.Plain || !a.screen || !isTerminal(a.in) {
		return false, nil
	}
	if a.stops.asking() {
		return false, nil
	}
	ep := &p.source
	if server.Side == p.target.Side {
		ep = &p.target
	}
	name := loginServer(*ep)
	line, _ := describe(server)
	io.WriteString(a.err, hanging("", ui.Clean(line), max(a.width, 40)))
	yes, err = answered(ctx, terminal{a.in, a.err}, fmt.Sprintf("Is this the certificate of %s? Trust it from now on? [y/N] ", ui.Clean(name)))
	if err != nil || !yes {
		return false, err
	}
	f, err := fleet.Open(ctx, p.stateDir)
	if err != nil {
		return false, err
	}
	err = errors.Join(f.Trust(ctx, trusted(name, untrusted.Certificate, time.Now())), f.Close())
	if err == nil {
		a.say("remembered; mailmove trust list shows it")
	}
	return err == nil, err
}

// say prints a line for who sits at the terminal.
func (a *app) say(text string) { io.WriteString(a.err, text+"\n") }

func trusted(server string, c *x509.Certificate, now time.Time) fleet.TrustedCertificate {
	return fleet.TrustedCertificate{Server: server, SHA256: auth.PinOf(c), Names: auth.Names(c), Issuer: c.Issuer.String(), Ends: c.NotAfter, Added: now}
}

// answered puts a question whose answer is no, if it is not y or yes.
func answered(ctx context.Context, t terminal, question string) (yes bool, err error) {
	io.WriteString(t.out, question)
	answer := make(chan string, 1)
	go func() { // the read cannot be interrupted; where the context ends, the process does
		line, err := bufio.NewReader(io.LimitReader(t.in, 100)).ReadString('\n')
		if err != nil { // Ctrl-D: the cursor is still behind the question
			io.WriteString(t.out, "\n")
		}
		answer <- line
	}()
	select {
	case <-ctx.Done():
		io.WriteString(t.out, "\n")
		return false, context.Cause(ctx)
	case line := <-answer:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	}
}
