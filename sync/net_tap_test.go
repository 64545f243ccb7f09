package sync_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// tap keeps what one side's first connection says, so that faults can be aimed at a byte.
type tap struct {
	mu       sync.Mutex
	conns    int
	up, down []byte
}

func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns++; t.conns > 1 {
		return c, nil
	}
	return &tapped{c, t}, nil
}

type tapped struct {
	net.Conn
	t *tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.t.mu.Lock()
	c.t.down = append(c.t.down, p[:n]...)
	c.t.mu.Unlock()
	return n, err
}

func (c *tapped) Write(p []byte) (int, error) {
	c.t.mu.Lock()
	c.t.up = append(c.t.up, p...)
	c.t.mu.Unlock()
	return c.Conn.Write(p)
}

// frame is one logical line of a recorded stream, with the literals in it; offsets count from the stream's start.
type frame struct {
	start, end int
	literals   [][2]int
	text       string
}

var literalAnnounced = regexp.MustCompile(`\{(\d+)\+?\}\r\n$`)

func framesOf(stream []byte) (out []frame) {
	for at := 0; at < len(stream); {
		f := frame{start: at}
		for {
			n := bytes.IndexByte(stream[at:], '\n') + 1
			if n == 0 {
				return out
			}
			m := literalAnnounced.FindSubmatch(stream[at : at+n])
			if at += n; m == nil {
				break
			}
			size, _ := strconv.Atoi(string(m[1]))
			f.literals = append(f.literals, [2]int{at, at + size})
			at += size
		}
		f.end, f.text = at, string(stream[f.start:at])
		out = append(out, f)
	}
	return out
}

// frameWith is the first frame that has a text and, if asked, a literal with bytes in it.
func frameWith(t *testing.T, frames []frame, text string, literal bool) frame {
	t.Helper()
	for _, f := range frames {
		if regexp.MustCompile(text).MatchString(f.text) && (!literal || slices.ContainsFunc(f.literals, func(l [2]int) bool { return l[1] > l[0] })) {
			return f
		}
	}
	t.Fatalf("the session has no %q: %+v", text, frames)
	return frame{}
}

// strike is one fault, aimed at an offset of one direction of one side's first connection.
type strike struct {
	side, what string
	up         bool
	at         int64
	how        imaptest.Break
}

func (k strike) String() string {
	dir := map[bool]string{true: "to", false: "from"}[k.up]
	how := map[imaptest.Break]string{imaptest.BreakFIN: "FIN", imaptest.BreakRST: "RST", imaptest.BreakHole: "hole", imaptest.BreakFull: "full", imaptest.BreakLate: "late", -1: "changed"}[k.how]
	return fmt.Sprintf("%s at byte %d %s the %s (%s)", how, k.at, dir, k.side, k.what)
}

func (k strike) faults() imaptest.Faults {
	f := imaptest.Faults{Break: k.how, Conns: 1}
	if k.up {
		f.CutUp = k.at
	} else {
		f.CutDown = k.at
	}
	return f
}

// through puts a proxy with the fault before its side.
func (k strike) through(t *testing.T, x *transfer) *imaptest.Proxy {
	t.Helper()
	addr := &x.Target
	if k.side == "source" {
		addr = &x.Source
	}
	p, err := imaptest.NewProxy(*addr, k.faults())
	must(t, err)
	t.Cleanup(p.Close)
	*addr = p.Addr()
	return p
}

// manyLogins lets a process of Dovecot serve one login after the other: a start costs more than all the rest.
const manyLogins = "service imap {\n service_count = 1000\n process_min_avail = 4\n}\n"

// tinyServers hold a mailbox in which every byte can be cut: two folders, a handful of messages of a few bytes.
func tinyServers(t *testing.T, target real.Options) *servers {
	t.Helper()
	target.Extra += manyLogins
	s := &servers{src: real.Dovecot(t, real.Options{Extra: manyLogins}), dst: real.Dovecot(t, target)}
	x := transfer{TargetUser: s.src.FreshUser(), Password: real.Password}
	c := client(t, s.src.Addr(), x)
	must(t, c.Create("Files", nil).Wait())
	for i := range 2 {
		appendTo(t, c, "INBOX", tiny(i))
		appendTo(t, c, "Files", tiny(i+2))
	}
	must(t, c.Subscribe("Files").Wait())
	must(t, c.Logout().Wait())
	// The server writes its indexes when a client has left; and UIDVALIDITY is its clock in seconds: an INBOX of the target that
	// is made in this one would look like the source's, and a recorded pass would prove what no other has to.
	time.Sleep(1100 * time.Millisecond)
	s.tree = s.src.MailDir(x.TargetUser)
	return s
}

func tiny(i int) string { return fmt.Sprintf("Message-ID: <%d@x>\r\n\r\nhi\r\n", i) }

// tinyAccount is a fresh user over one connection to each side, so that every pass says the same.
func (s *servers) tinyAccount(t *testing.T) transfer {
	t.Helper()
	x := s.account(t)
	x.Connections = 1
	x.Settle, x.LateWindow = 100*time.Millisecond, 300*time.Millisecond
	return x
}

// recorded is an undisturbed pass over a tiny account.
func (s *servers) recorded(t *testing.T) (source, target *tap) {
	t.Helper()
	return s.shortest(t, s.tinyAccount)
}

// shortest records the shortest that was said in some undisturbed passes, each way for itself: how many commands a folder's
// mail takes is a matter of moments, and a place behind the end of a pass is never reached.
func (s *servers) shortest(t *testing.T, account func(*testing.T) transfer) (source, target *tap) {
	t.Helper()
	for i := range 5 {
		x := account(t)
		src, dst := &tap{}, &tap{}
		x.SourceDial, x.TargetDial = src.dial, dst.dial
		x.pass(t)
		s.equal(t, x, "undisturbed")
		if i == 0 {
			source, target = src, dst
		}
		for _, of := range [][2]*tap{{source, src}, {target, dst}} {
			if len(of[1].up) < len(of[0].up) {
				of[0].up = of[1].up
			}
			if len(of[1].down) < len(of[0].down) {
				of[0].down = of[1].down
			}
		}
	}
	return source, target
}

// atOnce runs f for each item, some at a time: most of an interrupted pass is waiting. With the race detector it is each
// third of many. It gives how many it was.
func atOnce[T any](t *testing.T, items []T, f func(t *testing.T, item T)) int {
	t.Helper()
	if raced && !long() && len(items) > 30 {
		some := make([]T, 0, len(items)/3+1)
		for i := 0; i < len(items); i += 3 {
			some = append(some, items[i])
		}
		items = some
	}
	const workers = 10
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				t.Run(fmt.Sprint(i), func(t *testing.T) { f(t, items[i]) })
			}
		})
	}
	wg.Wait()
	return len(items)
}
