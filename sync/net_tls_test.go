package sync_test

import (
	"testing"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// tlsAccount reaches both sides by TLS.
func (s *servers) tlsAccount(t *testing.T) transfer {
	t.Helper()
	x := s.tinyAccount(t)
	x.Source, x.Target = s.src.TLSAddr(), s.dst.TLSAddr()
	x.SourceCA, x.TargetCA = s.src.CertPool(), s.dst.CertPool()
	return x
}

// tlsRecorded is an undisturbed pass: what goes over the wire, not what it means.
func (s *servers) tlsRecorded(t *testing.T) (source, target *tap) {
	t.Helper()
	return s.shortest(t, s.tlsAccount)
}

// TestCutTLS cuts connections at places all over a session, from the handshake on, without the close that TLS asks
// for. The end-to-end tests take every byte.
func TestCutTLS(t *testing.T) {
	t.Parallel()
	s := tinyServers(t, real.Options{})
	source, target := s.tlsRecorded(t)
	const places = 9
	var all []strike
	for side, b := range map[string]*tap{"source": source, "target": target} {
		for i := range int64(places) {
			how := []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST}[i%2]
			all = append(all, strike{side, "TLS", true, 1 + i*int64(len(b.up)-100)/places, how},
				strike{side, "TLS", false, 1 + i*int64(len(b.down)-200)/places, how}) // the goodbye has less than that
		}
	}
	atOnce(t, all, func(t *testing.T, k strike) { s.survives(t, s.tlsAccount(t), k) })
}
