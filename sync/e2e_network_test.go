//go:build e2e

package sync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// until shuffles the items and lets f have them, some at a time, until the time is over.
func until[T any](t *testing.T, end time.Time, rng *rand.Rand, items []T, f func(t *testing.T, item T)) {
	t.Helper()
	rng.Shuffle(len(items), func(i, k int) { items[i], items[k] = items[k], items[i] })
	var done atomic.Int64
	atOnce(t, items, func(t *testing.T, item T) {
		if time.Now().Before(end) {
			f(t, item)
			done.Add(1)
		}
	})
	t.Logf("%d of %d", done.Load(), len(items))
	if done.Load() == 0 {
		t.Error("no time for a single one")
	}
}

// everyByte aims at each byte of a stream, in one of the two ways.
func everyByte(side string, up bool, n int, rng *rand.Rand) (out []strike) {
	for at := range n {
		how := []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST, imaptest.BreakLate}[rng.IntN(3)]
		if !up && how == imaptest.BreakLate {
			how = imaptest.BreakRST
		}
		out = append(out, strike{side, "any byte", up, int64(at + 1), how})
	}
	return out
}

// TestE2ECutAtEveryByte cuts a small session at every byte of both directions of both sides, as far as the time goes.
func TestE2ECutAtEveryByte(t *testing.T) {
	end, rng := share(20), seed(t)
	s := tinyServers(t, real.Options{})
	source, target := s.recorded(t)
	var all []strike
	for side, b := range map[string]*tap{"source": source, "target": target} {
		all = append(all, everyByte(side, true, lastCommand(b.up), rng)...)
		all = append(all, everyByte(side, false, lastCommand(b.down), rng)...)
	}
	until(t, end, rng, all, func(t *testing.T, k strike) { s.survives(t, s.tinyAccount(t), k) })
}

// lastCommand is where the goodbye begins: a cut behind it finds nobody.
func lastCommand(stream []byte) int {
	f := framesOf(stream)
	return f[max(0, len(f)-2)].start
}

// TestE2EEveryRefusal refuses each kind of command with every code, as NO and as BYE.
func TestE2EEveryRefusal(t *testing.T) {
	end, rng := share(15), seed(t)
	g := sceneServers(t)
	var all []disturbance
	for _, d := range g.places(t) {
		for _, d.code = range codes() {
			for _, d.how = range []imaptest.Meddling{imaptest.AnswerNo, imaptest.AnswerBye} {
				all = append(all, d)
			}
		}
	}
	until(t, end, rng, all, func(t *testing.T, d disturbance) { g.befall(t, d) })
}

// TestE2ERandomCuts moves preset S over connections that break each 50 to 500 KB, 25 times. Some of its messages are
// larger than that: a pass may give up on such a line, and the next one goes on.
func TestE2ERandomCuts(t *testing.T) {
	end, rng := share(10), seed(t)
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	for first := true; first || time.Now().Before(end); first = false {
		for _, side := range []string{"source", "target"} {
			x := s.account(t)
			x.Settle, x.LateWindow = 300*time.Millisecond, time.Second
			x.Compress = imapx.Compress(rng.IntN(3))
			direct := x
			addr := map[string]*string{"source": &x.Source, "target": &x.Target}[side]
			n := 100<<10 + rng.Int64N(233<<10)
			f := imaptest.Faults{CutUp: n, CutDown: n, Conns: 25, Seed: rng.Uint64() | 1,
				Break: []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST}[rng.IntN(2)]}
			p, err := imaptest.NewProxy(*addr, f)
			must(t, err)
			*addr = p.Addr()
			r := persisted(t, x)
			when := fmt.Sprintf("%s cut %d times each %d bytes or so", side, p.Stats().Breaks, n)
			p.Close()
			t.Logf("%s: %d found again, %d doubles removed", when, r.Recovered, r.Doubles)
			if p.Stats().Breaks < 10 {
				t.Errorf("%s: that is too few", when)
			}
			s.settled(t, direct, when)
			s.src.Wipe(x.SourceUser)
			s.dst.Wipe(x.TargetUser)
		}
	}
}

// persisted runs passes until one comes through, a few at the most. The others end because the line is bad.
func persisted(t *testing.T, x transfer) mailsync.Report {
	t.Helper()
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		r, err := x.run(ctx)
		cancel()
		var ie *imapx.Error
		if err == nil {
			return r
		} else if !errors.As(err, &ie) || ie.Kind != imapx.KindLost {
			t.Fatalf("pass: %v", err)
		}
		t.Logf("a pass gave up: %v", err)
	}
	t.Fatal("no pass came through")
	return mailsync.Report{}
}

// flip changes one byte of what the first connection receives.
type flip struct {
	net.Conn
	at   int64
	done *atomic.Bool
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= 0x20
		f.done.Store(true)
	}
	f.at -= int64(n)
	return n, err
}

// TestE2ECutTLS cuts TLS connections in the handshake, in records and between them, without the close that TLS asks
// for, and lets bytes be changed on the way, which ends in an alert.
func TestE2ECutTLS(t *testing.T) {
	end, rng := share(15), seed(t)
	s := tinyServers(t, real.Options{})
	source, target := s.tlsRecorded(t)
	var all []strike
	for side, b := range map[string]*tap{"source": source, "target": target} {
		all = append(all, everyByte(side, true, len(b.up)-100, rng)...) // TLS records of the goodbye have less
		all = append(all, everyByte(side, false, len(b.down)-200, rng)...)
		for at := range len(b.down) - 200 {
			all = append(all, strike{side, "changed on the way", false, int64(at), changed})
		}
	}
	t.Logf("%d + %d bytes to and from the source, %d + %d the target", len(source.up), len(source.down), len(target.up), len(target.down))
	var tried, unchanged atomic.Int64
	until(t, end, rng, all, func(t *testing.T, k strike) {
		x := s.tlsAccount(t)
		if k.how != changed {
			s.survives(t, x, k)
			return
		}
		tried.Add(1)
		if !s.altered(t, x, k) {
			unchanged.Add(1)
		}
	})
	if unchanged.Load() > 1+tried.Load()/20 {
		t.Errorf("%d of %d passes ended before the byte that was to be changed", unchanged.Load(), tried.Load())
	}
}

// changed is no way to break a connection that a proxy has: a byte is another one.
const changed imaptest.Break = -1

// altered changes one byte. In the handshake that is an attack, which ends the pass; behind it, a broken connection. It
// reports whether the pass got so far.
func (s *servers) altered(t *testing.T, x transfer, k strike) (hit bool) {
	t.Helper()
	direct := x
	var struck atomic.Bool
	var once sync.Once
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			once.Do(func() { c = &flip{c, k.at, &struck} })
		}
		return c, err
	}
	if k.side == "source" {
		x.SourceDial = dial
	} else {
		x.TargetDial = dial
	}
	x.Timeout = stallTimeout
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := x.run(ctx)
	if err != nil {
		if !struck.Load() || k.at > handshakeBytes {
			t.Errorf("%v: the pass did not recover: %v", k, err)
		}
		direct.pass(t)
	}
	s.settled(t, direct, k.String())
	return struck.Load()
}

// handshakeBytes is more than a server's part of a TLS handshake has, with a chain of two small certificates.
const handshakeBytes = 2000
