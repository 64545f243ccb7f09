package imapx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"mailmove/imapx/auth"
)

// silentShare is which part of the DialTimeout a server may be silent before we ask why: 5 of 30 seconds.
const silentShare = 6

// silence watches a connection in clear text for its greeting. A server that says nothing may be one that waits for TLS
// (RFC 8314 section 3.2), which costs the whole timeout and ends with a firewall being blamed. So after a while a second
// connection to the same address tries TLS; where that is answered in TLS, the first is ended.
type silence struct {
	tls atomic.Bool // the server talks TLS here
	end func()
}

// watchSilence begins to watch; end is to be called when the greeting came or the connection failed.
func watchSilence(ctx context.Context, e Endpoint, o Options, dialled string, giveUp func()) *silence {
	ctx, cancel := context.WithCancel(ctx)
	s, done := &silence{}, make(chan struct{})
	go func() {
		defer close(done)
		wait := time.NewTimer(o.DialTimeout / silentShare)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		if answersTLS(ctx, e, o, dialled) {
			s.tls.Store(true)
			giveUp()
		}
	}()
	s.end = func() { cancel(); <-done }
	return s
}

// answersTLS tries a handshake on a connection of its own. A certificate that is not trusted and an alert are answers.
func answersTLS(ctx context.Context, e Endpoint, o Options, dialled string) bool {
	nc, err := o.Dial(ctx, "tcp", dialled)
	if err != nil {
		return false
	}
	defer nc.Close()
	err = tls.Client(nc, trust(e).Config()).HandshakeContext(ctx)
	var (
		untrusted *tls.CertificateVerificationError
		changed   *auth.ChangedError
		unknown   x509.UnknownAuthorityError
		said      tls.AlertError
	)
	return err == nil || errors.As(err, &untrusted) || errors.As(err, &changed) || errors.As(err, &unknown) || errors.As(err, &said) ||
		isAlert(err)
}

// isAlert: the server ended TLS by saying why. crypto/tls wraps an alert of the other side in an error of package net.
func isAlert(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}

// trust is which certificate an endpoint must show.
func trust(e Endpoint) auth.Trust {
	return auth.Trust{Name: tlsName(e), Roots: e.Roots, Pins: e.Pins, PinnedAs: e.PinnedAs, Oldest: e.OldestTLS, Own: e.ClientCert}
}

// tlsName is the name that the certificate must have.
func tlsName(e Endpoint) string {
	if e.TLSName != "" {
		return e.TLSName
	}
	return e.Host
}
