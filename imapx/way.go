package imapx

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// dialFunc opens a TCP connection to host:port.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// way is how an endpoint is dialled: by base, or directly where that is nil, and through its proxy where it has one.
func way(e Endpoint, base dialFunc) dialFunc {
	if base == nil {
		base = direct(e.Bind).DialContext
	}
	if e.Proxy != nil {
		return e.Proxy.through(base)
	}
	return base
}

// direct dials without a proxy. Where a name has addresses of both kinds, net.Dialer tries the other kind after 300 ms and
// takes what answers first (RFC 8305).
func direct(bind netip.Addr) *net.Dialer {
	d := new(net.Dialer)
	if bind.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
	}
	return d
}

// noSuchAddress tells that a connection could not go out from the address it was to.
func noSuchAddress(e Endpoint, err error) bool {
	return e.Bind.IsValid() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EINVAL) ||
			strings.Contains(err.Error(), "no suitable address")) // net keeps that error to itself
}
