package coexist

import (
	"net/netip"
	"slices"
)

// Verdict says what a place is for the machine that sends there.
type Verdict int

// The values of Verdict.
const (
	Elsewhere Verdict = iota // another machine
	SamePort                 // the old server itself: what is sent there comes back
	OldHost                  // the old server's machine, with a port that it is not known to serve
	OwnHost                  // this machine, with such a port
	NoPlace                  // an address that nobody has
)

// Ports that an old server serves, by what is sent there.
func Ports(f Format) []uint16 {
	if f.Proxy {
		return []uint16{110, 143, 993, 995}
	}
	return []uint16{25, 465, 587}
}

// Judge says whether something that is sent to an address would come back. old are the old server's addresses, own those
// of this machine, ports those that the old server serves. Loopback is this machine, whatever its number.
func Judge(to netip.AddrPort, old, own []netip.Addr, ports []uint16) Verdict {
	addr := to.Addr().Unmap()
	same := func(a netip.Addr) bool { return a.Unmap() == addr }
	isOld := slices.ContainsFunc(old, same)
	isOwn := addr.IsLoopback() || slices.ContainsFunc(own, same)
	switch {
	case !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast():
		return NoPlace
	case (isOld || isOwn) && slices.Contains(ports, to.Port()):
		return SamePort
	case isOld:
		return OldHost
	case isOwn:
		return OwnHost
	}
	return Elsewhere
}
