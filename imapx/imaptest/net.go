package imaptest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Break says how a connection fails when its time has come.
type Break int

const (
	BreakFIN  Break = iota // both sides see an orderly end of the stream
	BreakRST               // both sides see a reset
	BreakHole              // everything is swallowed from now on, nothing ends: a firewall that forgot the connection
	BreakFull              // nothing is read any more, so that writers block once the sockets are full
	BreakLate              // the client is cut at once, what it had sent still reaches the server after Faults.Late
)

// Faults are what a network does to its connections. The zero value is a perfect one.
type Faults struct {
	RTT       time.Duration // half of it is added in each direction; pipelining is not limited
	Bandwidth int64         // bytes a second and direction, all connections together; 0: unlimited

	CutUp   int64  // break after so many bytes from client to server; 0: never
	CutDown int64  // break after so many bytes from server to client; 0: never
	Break   Break  // how
	Conns   int    // only the first so many connections break; 0: all
	Seed    uint64 // not 0: each connection draws its CutUp and CutDown from N/2 to 3N/2, the same for the same seed

	Late      time.Duration   // BreakLate: when the rest reaches the server
	LateUntil <-chan struct{} // BreakLate: it does not before this is closed either; nil: Late alone decides
	LateHold  time.Duration   // BreakLate: longest wait for the server's answer after that; 0: 5 s
}

// forConn is what connection number n, counted from 1, has to suffer.
func (f Faults) forConn(n int) Faults {
	if f.Conns > 0 && n > f.Conns {
		f.CutUp, f.CutDown = 0, 0
	}
	if f.LateHold == 0 {
		f.LateHold = 5 * time.Second
	}
	if f.Seed != 0 {
		rng := rand.New(rand.NewPCG(f.Seed, uint64(n)))
		for _, cut := range []*int64{&f.CutUp, &f.CutDown} {
			if *cut > 0 {
				*cut = max(1, *cut/2+rng.Int64N(*cut+1))
			}
		}
	}
	return f
}

// Stats is what a Proxy or Network saw.
//
// A round trip is counted by dependence. What a client sends depends on all that it had received when it sent it; a
// server's answer depends on all that it had received. The length of the longest such chain, in answers that came
// back, is the number of round trips: a client that waits for each of ten answers has ten, one that sends ten commands
// at once has one. The greeting counts nothing, a TLS handshake one or two. Where both sides send all the time, any
// byte may depend on any earlier one, and the count is an upper bound: at most the time taken divided by the RTT, plus
// one. So use it with an RTT of a few milliseconds or more.
type Stats struct {
	Conns         int
	Open          int   // connections of which a client's side is still open
	Serving       int   // connections that the server has not ended yet
	Peak          int   // the most that it had of those at once
	Up, Down      int64 // bytes delivered to the server and to the client
	RoundTrips    int   // all connections together
	MaxRoundTrips int   // of the connection that has the most
	Breaks        int   // connections that were broken on purpose
}

func (s *Stats) add(o Stats) {
	s.Conns += o.Conns
	s.Open += o.Open
	s.Serving += o.Serving
	s.Peak += o.Peak
	s.Up += o.Up
	s.Down += o.Down
	s.RoundTrips += o.RoundTrips
	s.MaxRoundTrips = max(s.MaxRoundTrips, o.MaxRoundTrips)
	s.Breaks += o.Breaks
}

// Proxy is a TCP port on loopback that leads to a server through a faulty network.
type Proxy struct {
	target string
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	up     bandwidth
	down   bandwidth

	mu     sync.Mutex
	faults Faults
	links  []*link

	serving, peak int // see Stats
}

// NewProxy listens on a free port of 127.0.0.1 and passes connections on to target (host:port).
func NewProxy(target string, f Faults) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p := &Proxy{target: target, ln: ln, faults: f}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.serve)
	return p, nil
}

// Addr is the host:port to connect to.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// SetFaults changes what connections suffer that are made from now on; they are counted on, see Faults.Conns.
func (p *Proxy) SetFaults(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Stats may be asked at any time, also after Close.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Serving: p.serving, Peak: p.peak}
	for _, l := range p.links {
		s.add(l.stats())
	}
	return s
}

// served counts a connection that the server has; the function takes it back, however often it is called.
func (p *Proxy) served() (ended func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serving++
	p.peak = max(p.peak, p.serving)
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.serving--
	})
}

// Close ends the port and every connection, and waits until all is gone.
func (p *Proxy) Close() {
	p.cancel()
	p.ln.Close()
	p.wg.Wait()
}

func (p *Proxy) serve() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		l := newLink(p, c.(*net.TCPConn), p.faults.forConn(len(p.links)+1))
		p.links = append(p.links, l)
		p.mu.Unlock()
		p.wg.Go(l.run)
	}
}

// Network leads to any number of servers through the same faults: a dialer to put in place of a real one.
type Network struct {
	mu      sync.Mutex
	faults  Faults
	proxies map[string]*Proxy
}

// NewNetwork makes a network without connections.
func NewNetwork(f Faults) *Network { return &Network{faults: f, proxies: map[string]*Proxy{}} }

// Dial has the signature of net.Dialer.DialContext.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	p := n.proxies[address]
	if p == nil {
		var err error
		if p, err = NewProxy(address, n.faults); err != nil {
			n.mu.Unlock()
			return nil, err
		}
		n.proxies[address] = p
	}
	n.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, p.Addr())
}

// SetFaults changes what connections suffer that are made from now on.
func (n *Network) SetFaults(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
	for _, p := range n.proxies {
		p.SetFaults(f)
	}
}

// Stats adds up all servers.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	var s Stats
	for _, p := range n.proxies {
		s.add(p.Stats())
	}
	return s
}

// Close ends all connections and waits until all is gone.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.proxies {
		p.Close()
	}
}

// bandwidth is one direction of a wire that all connections share.
type bandwidth struct {
	mu   sync.Mutex
	free time.Time
}

// depart books n bytes and tells when the last of them has left.
func (b *bandwidth) depart(n int, perSecond int64) time.Time {
	now := time.Now()
	if perSecond <= 0 {
		return now
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free.Before(now) {
		b.free = now
	}
	b.free = b.free.Add(time.Duration(float64(n) / float64(perSecond) * float64(time.Second)))
	return b.free
}
