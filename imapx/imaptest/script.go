package imaptest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TB is the part of testing.TB that is needed here; the package itself stays free of testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// ScriptOptions are how a script is served.
type ScriptOptions struct {
	TLS      *tls.Config   // certificate for Implicit and "T: starttls"
	Implicit bool          // TLS from the first byte
	Timeout  time.Duration // longest wait for the client at each step; 0: 10 s
}

// Script is a server that plays a transcript; see the package comment for the format.
type Script struct {
	t       TB
	name    string
	steps   []step
	o       ScriptOptions
	ln      net.Listener
	wg      sync.WaitGroup
	done    chan struct{}
	mu      sync.Mutex
	conn    net.Conn
	closing bool
}

// PlayFile serves the transcript in a file, normally testdata/NAME.imap.
func PlayFile(t TB, path string, o ScriptOptions) *Script {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("script: %v", err)
	}
	return Play(t, path, string(b), o)
}

// Play serves a transcript. The test fails where the client says something else, or not all, when it ends.
func Play(t TB, name, text string, o ScriptOptions) *Script {
	t.Helper()
	steps, err := parseScript(text)
	if err != nil {
		t.Fatalf("%s:%v", name, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("script: %v", err)
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	s := &Script{t: t, name: name, steps: steps, o: o, ln: ln, done: make(chan struct{})}
	s.wg.Go(s.serve)
	t.Cleanup(s.finish)
	return s
}

// Addr is the host:port to connect to.
func (s *Script) Addr() string { return s.ln.Addr().String() }

// Done is closed when the transcript has been played, or failed.
func (s *Script) Done() <-chan struct{} { return s.done }

// finish gives the last steps a moment, then ends.
func (s *Script) finish() {
	s.ln.Close()
	select {
	case <-s.done:
	case <-time.After(time.Second):
	}
	s.mu.Lock()
	s.closing = true
	if s.conn != nil {
		s.conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Script) serve() {
	defer close(s.done)
	defer s.ln.Close()
	rest := s.steps
	for {
		n := 0
		for n < len(rest) && rest[n].verb != "---" {
			n++
		}
		c, err := s.ln.Accept()
		if err != nil {
			s.t.Errorf("%s:%d: the client did not connect for this", s.name, firstLine(rest))
			return
		}
		p := &player{s: s, vars: map[string]string{}}
		err = p.play(c, rest[:n])
		if err != nil {
			s.t.Errorf("%s:%v\nthe conversation before:\n%s", s.name, err, p.log.String())
			return
		}
		if n == len(rest) {
			return
		}
		rest = rest[n+1:]
	}
}

func firstLine(steps []step) int {
	if len(steps) == 0 {
		return 0
	}
	return steps[0].line
}

// player is one connection of a script.
type player struct {
	s      *Script
	raw    net.Conn
	conn   net.Conn
	r      *bufio.Reader
	vars   map[string]string
	slowly bool
	closed bool
	log    bytes.Buffer
}

func (p *player) play(c net.Conn, steps []step) error {
	p.use(c, c)
	defer func() { p.conn.Close() }()
	p.s.mu.Lock()
	closing := p.s.closing
	p.s.conn = c
	p.s.mu.Unlock()
	if closing {
		c.Close()
	}
	if p.s.o.Implicit {
		if err := p.startTLS(); err != nil {
			return fmt.Errorf("%d: %w", firstLine(steps), err)
		}
	}
	for _, st := range steps {
		if err := p.step(st); err != nil {
			return fmt.Errorf("%d: %w", st.line, err)
		}
	}
	if p.closed {
		return nil
	}
	if err := p.expectEnd(); err != nil {
		return fmt.Errorf("after the last line: %w", err)
	}
	return nil
}

func (p *player) use(raw, c net.Conn) {
	p.raw, p.conn, p.r = raw, c, bufio.NewReader(c)
}

func (p *player) startTLS() error {
	if p.s.o.TLS == nil {
		return errors.New("the script wants TLS, and there is no ScriptOptions.TLS")
	}
	c := tls.Server(p.conn, p.s.o.TLS)
	if err := p.conn.SetDeadline(time.Now().Add(p.s.o.Timeout)); err != nil {
		return err
	}
	p.use(p.raw, c)
	return c.Handshake()
}

func (p *player) step(st step) error {
	if err := p.conn.SetDeadline(time.Now().Add(p.s.o.Timeout)); err != nil && !p.closed {
		return err
	}
	switch st.verb {
	case "S:":
		return p.send([]byte(p.fill(st.text) + "\r\n"))
	case "S=":
		return p.send(bytes.Repeat([]byte(p.fill(st.text)), st.times))
	case "N=":
		p.flood(st.text, st.times)
	case "C:":
		return p.expectLine(st.text)
	case "C=":
		return p.expectBytes(bytes.Repeat([]byte(st.text), st.times))
	case "C!":
		return p.expectEnd()
	case "W:":
		time.Sleep(st.wait)
	case "Q:":
		return p.expectQuiet(st.wait)
	case "B:":
		p.slowly = st.text == "on"
	case "T:":
		return p.startTLS()
	case "X:":
		p.closed = true
		if tcp, ok := p.raw.(*net.TCPConn); ok && st.text == "rst" {
			_ = tcp.SetLinger(0)
			return tcp.Close()
		}
		return p.conn.Close()
	}
	return nil
}

func (p *player) send(b []byte) error {
	note(&p.log, "S", b)
	if !p.slowly {
		_, err := p.conn.Write(b)
		return err
	}
	for i := range b {
		if _, err := p.conn.Write(b[i : i+1]); err != nil {
			return err
		}
		time.Sleep(200 * time.Microsecond) // a segment of its own
	}
	return nil
}

// flood sends more than a client need take: it may close meanwhile.
func (p *player) flood(text string, times int) {
	note(&p.log, "S", fmt.Appendf(nil, "%d times %s", times, text))
	w := bufio.NewWriterSize(p.conn, 64<<10)
	for n := 1; n <= times; n++ {
		if _, err := w.WriteString(strings.ReplaceAll(text, "<n>", strconv.Itoa(n))); err != nil {
			return
		}
		if n%1000 == 0 && p.conn.SetDeadline(time.Now().Add(p.s.o.Timeout)) != nil {
			return
		}
	}
	_ = w.Flush()
}

func (p *player) expectLine(pattern string) error {
	got, err := p.r.ReadString('\n')
	note(&p.log, "C", []byte(got))
	if err != nil {
		return fmt.Errorf("the client should say %q, got %q and %w", p.fill(pattern), got, err)
	}
	if text, ok := strings.CutSuffix(got, "\r\n"); !ok || !p.match(pattern, text) {
		return fmt.Errorf("the client said something else\n  want %q\n  got  %q", p.fill(pattern)+"\r\n", got)
	}
	return nil
}

func (p *player) expectBytes(want []byte) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.r, got)
	got = got[:n]
	note(&p.log, "C", got)
	if !bytes.Equal(got, want) {
		i := 0
		for i < len(got) && got[i] == want[i] {
			i++
		}
		return fmt.Errorf("the client sent other bytes, from byte %d on (error: %v)\n  want %s\n  got  %s", i, err, quoted(want[i:]), quoted(got[i:]))
	}
	return nil
}

func (p *player) expectEnd() error {
	got, err := io.ReadAll(io.LimitReader(p.r, 4096))
	note(&p.log, "C", got)
	if len(got) > 0 {
		return fmt.Errorf("the client should close, and said %s", quoted(got))
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the client should close, and did not")
	}
	return nil
}

func (p *player) expectQuiet(d time.Duration) error {
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	b, err := p.r.Peek(1)
	if len(b) > 0 {
		n := p.r.Buffered()
		b, _ = p.r.Peek(n)
		return fmt.Errorf("the client should be quiet for %v, and said %s", d, quoted(b))
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return fmt.Errorf("the client should be quiet for %v: %w", d, err)
	}
	return nil
}

var variable = regexp.MustCompile(`<([a-z][a-z0-9]*|\*)>`)

// match compares a line with a pattern and keeps what new variables stand for.
func (p *player) match(pattern, line string) bool {
	var expr strings.Builder
	var names []string
	last := 0
	for _, m := range variable.FindAllStringSubmatchIndex(pattern, -1) {
		expr.WriteString(regexp.QuoteMeta(pattern[last:m[0]]))
		last = m[1]
		name := pattern[m[2]:m[3]]
		if v, known := p.vars[name]; known {
			expr.WriteString(regexp.QuoteMeta(v))
		} else if name == "*" {
			expr.WriteString(`(?s:.*)`)
		} else {
			expr.WriteString(`(\S+)`)
			names = append(names, name)
		}
	}
	expr.WriteString(regexp.QuoteMeta(pattern[last:]))
	re, err := regexp.Compile(`^` + expr.String() + `$`)
	if err != nil {
		return false
	}
	m := re.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	for i, name := range names {
		p.vars[name] = m[i+1]
	}
	return true
}

// fill puts the known variables in; everything else in angle brackets is text.
func (p *player) fill(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if known, ok := p.vars[v[1:len(v)-1]]; ok {
			return known
		}
		return v
	})
}

func note(log *bytes.Buffer, who string, b []byte) {
	if len(b) > 0 && log.Len() < 64<<10 {
		fmt.Fprintf(log, "  %s %s\n", who, quoted(b))
	}
}

func quoted(b []byte) string {
	const most = 300
	if len(b) > most {
		return fmt.Sprintf("%q and %d bytes more", b[:most], len(b)-most)
	}
	return fmt.Sprintf("%q", b)
}
