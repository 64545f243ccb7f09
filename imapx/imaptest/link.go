package imaptest

import (
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	linkWindow = 8 << 20                // bytes on the way in one direction, as a TCP window would allow
	linkDrain  = 2 * time.Millisecond   // BreakLate: what the client had sent is in the socket by then
	linkLinger = 2 * time.Second        // BreakFIN: how long the other side is read out, for a close before that is a reset
	linkQuiet  = 200 * time.Millisecond // BreakLate: the server has answered when it then says nothing for so long
)

// link is one connection through a Proxy.
type link struct {
	p      *Proxy
	f      Faults
	client *net.TCPConn
	server *net.TCPConn
	broken chan struct{}
	once   sync.Once
	ended  func() // the server has ended the connection

	mu         sync.Mutex
	lateAt     time.Time // when the rest reaches the server
	holdEnd    time.Time // not zero: the rest was delivered, the answer is waited for until then
	heard      bool      // the server said something since it got the last bytes
	open       bool
	up, down   int64
	breaks     int
	clientSeen int // longest chain among what the client received, see Stats
	serverSeen int // … and the server
}

func newLink(p *Proxy, client *net.TCPConn, f Faults) *link {
	return &link{p: p, f: f, client: client, broken: make(chan struct{}), open: true}
}

func (l *link) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Conns: 1, Up: l.up, Down: l.down, RoundTrips: l.clientSeen, MaxRoundTrips: l.clientSeen, Breaks: l.breaks}
	if l.open {
		s.Open = 1
	}
	return s
}

func (l *link) run() {
	defer l.closed()
	if !sleep(l.p.ctx, l.f.RTT) { // the TCP handshake
		return
	}
	c, err := new(net.Dialer).DialContext(l.p.ctx, "tcp", l.p.target)
	if err != nil {
		return // the client sees the connection end, as behind a load balancer without backend
	}
	l.server = c.(*net.TCPConn)
	defer l.server.Close()
	l.ended = l.p.served()
	defer l.ended()
	stop := context.AfterFunc(l.p.ctx, func() {
		l.client.Close()
		l.server.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { l.pump(&stream{l: l, isUp: true, src: l.client, dst: l.server, cut: l.f.CutUp, wire: &l.p.up}) })
	wg.Go(func() { l.pump(&stream{l: l, src: l.server, dst: l.client, cut: l.f.CutDown, wire: &l.p.down}) })
	wg.Wait()
}

func (l *link) closed() {
	l.client.Close()
	l.mu.Lock()
	l.open = false
	l.mu.Unlock()
}

// breakNow makes the fault happen, once.
func (l *link) breakNow() {
	l.once.Do(func() {
		l.mu.Lock()
		l.breaks++
		l.lateAt = time.Now().Add(l.f.Late)
		l.mu.Unlock()
		close(l.broken)
		switch l.f.Break {
		case BreakFIN:
			for _, c := range []*net.TCPConn{l.client, l.server} {
				_ = c.CloseWrite()
				_ = c.SetReadDeadline(time.Now().Add(linkLinger))
			}
		case BreakRST:
			for _, c := range []*net.TCPConn{l.client, l.server} {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		case BreakLate:
			_ = l.client.CloseWrite()
			_ = l.client.SetReadDeadline(time.Now().Add(linkDrain))
		}
	})
}

// released waits for Faults.LateUntil; false: the proxy was closed first.
func (l *link) released() bool {
	if l.f.LateUntil == nil {
		return true
	}
	select {
	case <-l.f.LateUntil:
		return true
	case <-l.p.ctx.Done():
		return false
	}
}

func (l *link) isBroken() bool {
	select {
	case <-l.broken:
		return true
	default:
		return false
	}
}

// chunk is bytes on the way; nil bytes are the end of the stream.
type chunk struct {
	b     []byte
	due   time.Time
	chain int
}

// stream is one direction of a link.
type stream struct {
	l        *link
	isUp     bool
	src, dst *net.TCPConn
	cut      int64 // 0: never
	passed   int64
	wire     *bandwidth
}

// pump reads until the end while deliver writes what is due.
func (l *link) pump(s *stream) {
	queue := make(chan chunk, 1<<16)
	room := semaphore.NewWeighted(linkWindow)
	var wg sync.WaitGroup
	wg.Go(func() {
		for c := range queue {
			s.deliver(c)
			room.Release(int64(len(c.b)))
		}
	})
	buf := make([]byte, 64<<10)
	var arrived int64
	for {
		if l.f.Break == BreakFull && l.isBroken() {
			<-l.p.ctx.Done()
			break
		}
		n, err := s.src.Read(buf)
		arrived += int64(n)
		late := s.isUp && l.f.Break == BreakLate
		if late && s.cut > 0 && arrived >= s.cut {
			l.breakNow()
		}
		if n > 0 && (late || !l.isBroken()) {
			if room.Acquire(l.p.ctx, int64(n)) != nil {
				break
			}
			queue <- s.chunk(append([]byte(nil), buf[:n]...))
		}
		if err != nil {
			if !s.isUp {
				l.ended()
			}
			break
		}
		if !s.isUp {
			l.answered()
		}
	}
	if l.f.Break == BreakLate && l.isBroken() && s.isUp {
		l.closed()
	}
	queue <- s.chunk(nil)
	close(queue)
	wg.Wait()
	if l.f.Break == BreakHole && l.isBroken() {
		<-l.p.ctx.Done() // the other side never learns
	}
}

func (s *stream) chunk(b []byte) chunk {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	chain := s.l.serverSeen
	if s.isUp {
		chain = s.l.clientSeen + 1
	}
	return chunk{b: b, due: s.wire.depart(len(b), s.l.f.Bandwidth).Add(s.l.f.RTT / 2), chain: chain}
}

// deliver waits until c is due, and passes on as much of it as the fault allows.
func (s *stream) deliver(c chunk) {
	l := s.l
	late := s.isUp && l.f.Break == BreakLate
	if !s.wait(c.due, late) {
		return
	}
	if late && l.isBroken() {
		l.mu.Lock()
		at := l.lateAt
		l.mu.Unlock()
		if !sleep(l.p.ctx, time.Until(at)) || !l.released() {
			return
		}
	} else if l.isBroken() {
		return
	}
	if c.b == nil {
		if late && l.isBroken() {
			l.holdServer()
			return
		}
		_ = s.dst.CloseWrite()
		return
	}
	b := c.b
	atEnd := !late && s.cut > 0 && s.passed+int64(len(b)) >= s.cut
	if atEnd {
		b = b[:s.cut-s.passed]
	}
	s.passed += int64(len(b))
	s.count(len(b), c.chain)
	_, err := s.dst.Write(b)
	if atEnd {
		l.breakNow()
	} else if err != nil {
		_ = s.src.CloseRead()
	}
}

// wait is false where nothing may be delivered any more.
func (s *stream) wait(due time.Time, evenBroken bool) bool {
	broken := s.l.broken
	if evenBroken {
		broken = nil
	}
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-broken:
		return false
	case <-s.l.p.ctx.Done():
		return false
	}
}

// count runs before the bytes are written: their receiver may answer before Write returns.
func (s *stream) count(n, chain int) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.isUp {
		s.l.up += int64(n)
		s.l.heard = false
		s.l.serverSeen = max(s.l.serverSeen, chain)
		return
	}
	s.l.down += int64(n)
	s.l.clientSeen = max(s.l.clientSeen, chain)
}

// holdServer keeps the server's connection open until it answered what came late, for LateHold at the most. The
// other direction reads and drops until then.
func (l *link) holdServer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holdEnd = time.Now().Add(l.f.LateHold)
	until := l.holdEnd
	if l.heard {
		until = time.Now().Add(min(linkQuiet, l.f.LateHold))
	}
	_ = l.server.SetReadDeadline(until)
}

// answered shortens the wait of holdServer: pipelined commands are answered one after the other.
func (l *link) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = true
	if quiet := time.Now().Add(linkQuiet); !l.holdEnd.IsZero() && quiet.Before(l.holdEnd) {
		_ = l.server.SetReadDeadline(quiet)
	}
}

// sleep is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
