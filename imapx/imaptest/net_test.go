package imaptest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailmove/imapx/imaptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a server that greets, answers every line with "ok", and remembers what it received.
type sink struct {
	ln  net.Listener
	wg  sync.WaitGroup
	mu  sync.Mutex
	got strings.Builder
	end []error // how each connection ended
}

func newSink(t *testing.T) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{ln: ln}
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); s.wg.Wait() })
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "hello\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		s.mu.Lock()
		s.got.WriteString(line)
		if err != nil {
			s.end = append(s.end, err)
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
		fmt.Fprint(c, "ok\n")
	}
}

func (s *sink) received() (string, []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String(), s.end
}

func through(t *testing.T, target string, f imaptest.Faults) (*imaptest.Proxy, *net.TCPConn, *bufio.Reader) {
	t.Helper()
	p, err := imaptest.NewProxy(target, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return p, c.(*net.TCPConn), bufio.NewReader(c)
}

func line(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestRoundTripsAndLatency(t *testing.T) {
	const rtt = 40 * time.Millisecond
	t.Run("one at a time", func(t *testing.T) {
		p, c, r := through(t, newSink(t).ln.Addr().String(), imaptest.Faults{RTT: rtt})
		begin := time.Now()
		line(t, r) // greeting
		for range 5 {
			fmt.Fprint(c, "x\n")
			line(t, r)
		}
		if d := time.Since(begin); d < 6*rtt {
			t.Errorf("took %v, five round trips and a greeting need over %v", d, 6*rtt)
		}
		if s := p.Stats(); s.RoundTrips != 5 || s.MaxRoundTrips != 5 || s.Conns != 1 || s.Up != 10 || s.Down != 21 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		p, c, r := through(t, newSink(t).ln.Addr().String(), imaptest.Faults{RTT: rtt})
		line(t, r)
		begin := time.Now()
		for range 200 {
			fmt.Fprint(c, "x\n")
		}
		for range 200 {
			line(t, r)
		}
		if d := time.Since(begin); d < rtt || d > 100*rtt {
			t.Errorf("took %v, pipelined commands need about %v", d, rtt)
		}
		if s := p.Stats(); s.RoundTrips > 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBandwidth(t *testing.T) {
	s := newSink(t)
	_, c, r := through(t, s.ln.Addr().String(), imaptest.Faults{Bandwidth: 1 << 20})
	line(t, r)
	begin := time.Now()
	if _, err := c.Write(append(make([]byte, 200<<10), '\n')); err != nil {
		t.Fatal(err)
	}
	line(t, r)
	if d := time.Since(begin); d < 180*time.Millisecond || d > 20*time.Second {
		t.Errorf("200 KB at 1 MB/s took %v", d)
	}
}

func TestCutUp(t *testing.T) {
	for name, kind := range map[string]imaptest.Break{"FIN": imaptest.BreakFIN, "RST": imaptest.BreakRST} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t)
			p, c, r := through(t, s.ln.Addr().String(), imaptest.Faults{CutUp: 7, Break: kind})
			line(t, r)
			fmt.Fprint(c, "123\n")
			line(t, r)
			fmt.Fprint(c, "56789\n")
			_, err := io.ReadAll(r)
			if kind == imaptest.BreakFIN && err != nil {
				t.Errorf("client saw %v, not an orderly end", err)
			}
			if kind == imaptest.BreakRST && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("client saw %v, not a reset", err)
			}
			eventually(t, "server's end", func() bool { _, end := s.received(); return len(end) == 1 })
			got, end := s.received()
			if kind == imaptest.BreakFIN && (got != "123\n567" || end[0] != io.EOF) {
				t.Errorf("server got %q and %v", got, end[0])
			}
			if kind == imaptest.BreakRST && !errors.Is(end[0], syscall.ECONNRESET) {
				t.Errorf("server saw %v, not a reset", end[0])
			}
			if b := p.Stats().Breaks; b != 1 {
				t.Errorf("%d breaks", b)
			}
		})
	}
}

func TestCutDown(t *testing.T) {
	_, _, r := through(t, newSink(t).ln.Addr().String(), imaptest.Faults{CutDown: 3})
	if b, err := io.ReadAll(r); string(b) != "hel" || err != nil {
		t.Errorf("client got %q, %v", b, err)
	}
}

func TestStalls(t *testing.T) {
	for name, kind := range map[string]imaptest.Break{"hole": imaptest.BreakHole, "full": imaptest.BreakFull} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t)
			p, c, r := through(t, s.ln.Addr().String(), imaptest.Faults{CutUp: 2, Break: kind})
			line(t, r)
			fmt.Fprint(c, "12")
			eventually(t, "break", func() bool { return p.Stats().Breaks == 1 })
			if err := c.SetDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Write(make([]byte, 32<<20))
			if blocked := errors.Is(err, os.ErrDeadlineExceeded); blocked != (kind == imaptest.BreakFull) {
				t.Errorf("writing on: %v", err)
			}
			if _, err := r.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading: %v", err)
			}
			if got, end := s.received(); got != "" || len(end) != 0 {
				t.Errorf("server got %q, %v", got, end)
			}
		})
	}
}

func TestDeliverLate(t *testing.T) {
	const late = 3 * time.Second
	for name, f := range map[string]imaptest.Faults{
		"after the client's bytes": {CutUp: 5, Break: imaptest.BreakLate, Late: late},
		"after the server's bytes": {CutDown: 9, Break: imaptest.BreakLate, Late: late},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t)
			p, c, r := through(t, s.ln.Addr().String(), f)
			line(t, r)
			fmt.Fprint(c, "first\n")
			if f.CutUp == 0 {
				line(t, r)
				fmt.Fprint(c, strings.Repeat("more\n", 3))
			}
			begin := time.Now()
			_, err := io.ReadAll(r)
			if d := time.Since(begin); d > late/2 {
				t.Errorf("the client was cut after %v, %v", d, err)
			}
			if f.CutUp > 0 {
				if got, _ := s.received(); got != "" {
					t.Errorf("server got %q at once", got)
				}
			}
			eventually(t, "late delivery", func() bool { got, _ := s.received(); return strings.HasPrefix(got, "first\n") })
			if d := time.Since(begin); f.CutUp > 0 && d < late*9/10 {
				t.Errorf("delivered after %v", d)
			}
			eventually(t, "server's end", func() bool { _, end := s.received(); return len(end) == 1 })
			if _, end := s.received(); end[0] != io.EOF && !errors.Is(end[0], syscall.ECONNRESET) {
				t.Errorf("server saw %v", end[0])
			}
			if s := p.Stats(); s.Open != 0 || s.Breaks != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestSeedAndConns(t *testing.T) {
	lengths := func(seed uint64) (n []int) {
		p, err := imaptest.NewProxy(newSink(t).ln.Addr().String(), imaptest.Faults{CutDown: 4, Seed: seed, Conns: 3})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for range 4 {
			c, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(c)
			n = append(n, len(b))
			c.Close()
		}
		return n
	}
	a, b, c := lengths(3), lengths(3), lengths(4)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the same seed gave %v and %v", a, b)
	}
	if fmt.Sprint(a[:3]) == fmt.Sprint(c[:3]) {
		t.Errorf("seeds 3 and 4 both gave %v", a)
	}
	if a[3] != len("hello\n") {
		t.Errorf("the fourth connection suffered too: %v", a)
	}
}

func TestNetworkDials(t *testing.T) {
	n := imaptest.NewNetwork(imaptest.Faults{})
	defer n.Close()
	for range 2 {
		for _, s := range []*sink{newSink(t), newSink(t)} {
			c, err := n.Dial(t.Context(), "tcp", s.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			line(t, bufio.NewReader(c))
			c.Close()
		}
	}
	if s := n.Stats(); s.Conns != 4 {
		t.Errorf("%+v", s)
	}
}
