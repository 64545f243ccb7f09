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
	err = tls.Client(nc, auth.TLSConfig(tlsName(e), e.Roots)).HandshakeContext(ctx)
	var (
		untrusted *tls.CertificateVerificationError
		alert     *net.OpError // crypto/tls wraps the server's alert in one
		unknown   x509.UnknownAuthorityError
		said      tls.AlertError
	)
	return err == nil || errors.As(err, &untrusted) || errors.As(err, &unknown) || errors.As(err, &said) ||
		errors.As(err, &alert) && alert.Op == "remote error"
}

// tlsName is the name that the certificate must have.
func tlsName(e Endpoint) string {
	if e.TLSName != "" {
		return e.TLSName
	}
	return e.Host
}
