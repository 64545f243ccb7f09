package imaptest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Meddling says what a Meddler does to a command.
type Meddling int

const (
	AnswerNo   Meddling = iota // the server never sees the command, the client gets NO
	AnswerBad                  // … or BAD
	AnswerBye                  // … or an untagged BYE and the end of the connection
	LoseAnswer                 // the server carries it out; the connection ends in place of the answer
	MuteAnswer                 // the server carries it out; the answer never comes, the connection stays
	Delay                      // the command, and all behind it, reach the server Meddle.Wait later
)

// Meddle is one fault. Commands are counted by verb, over all connections of a Meddler.
type Meddle struct {
	Verb  string        // "APPEND", "UID FETCH" …; "LOGIN" is AUTHENTICATE too; "" is every command
	Nth   int           // the first one that it befalls, counted from 1; 0: 1
	Times int           // how many from there on; 0: 1; negative: all
	How   Meddling      //
	Code  string        // response code with its arguments, without brackets; "" without
	Text  string        // for people; "" is "no"
	Wait  time.Duration // of Delay
}

// Meddler is a clear-text IMAP proxy that understands lines and literals, and so can refuse single commands in place
// of the server. What it says keeps its place: it comes when all earlier commands have been answered. A literal that
// waits is refused unsent, one that does not wait is swallowed. It knows neither STARTTLS nor COMPRESS.
type Meddler struct {
	target string
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	faults []Meddle
	seen   []int // commands that each fault's verb has counted
	log    []string
	hits   int
}

// NewMeddler listens on a free port of 127.0.0.1 and passes connections on to target (host:port).
func NewMeddler(target string, faults ...Meddle) (*Meddler, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("meddler before %s: %w", target, err)
	}
	m := &Meddler{target: target, ln: ln}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.SetFaults(faults...)
	m.wg.Go(m.serve)
	return m, nil
}

// Addr is the host:port to connect to.
func (m *Meddler) Addr() string { return m.ln.Addr().String() }

// SetFaults replaces all faults; counting begins anew.
func (m *Meddler) SetFaults(faults ...Meddle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults, m.seen = append([]Meddle(nil), faults...), make([]int, len(faults))
}

// Commands are the verbs of all commands so far, those that were swallowed too.
func (m *Meddler) Commands() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.log...)
}

// Hits is how many commands were meddled with.
func (m *Meddler) Hits() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hits
}

// Close ends the port and every connection, and waits until all is gone.
func (m *Meddler) Close() {
	m.cancel()
	m.ln.Close()
	m.wg.Wait()
}

func (m *Meddler) serve() {
	for {
		c, err := m.ln.Accept()
		if err != nil {
			return
		}
		m.wg.Go(func() { m.connection(c.(*net.TCPConn)) })
	}
}

func (m *Meddler) connection(client *net.TCPConn) {
	defer client.Close()
	c, err := new(net.Dialer).DialContext(m.ctx, "tcp", m.target)
	if err != nil {
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	defer context.AfterFunc(m.ctx, func() {
		client.Close()
		server.Close()
	})()
	x := newExchange(m, client, server)
	var wg sync.WaitGroup
	wg.Go(x.down)
	x.up()
	wg.Wait()
}

// befalls counts a command and gives the first fault that is due for it, nil without.
func (m *Meddler) befalls(verb string) *Meddle {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, verb)
	var hit *Meddle
	for i, f := range m.faults {
		login := f.Verb == "LOGIN" && verb == "AUTHENTICATE"
		if f.Verb != "" && f.Verb != verb && !login {
			continue
		}
		m.seen[i]++
		first := max(f.Nth, 1)
		due := m.seen[i] >= first && (f.Times < 0 || m.seen[i] < first+max(f.Times, 1))
		if due && hit == nil {
			hit = &f
			m.hits++
		}
	}
	return hit
}

// answer is what the client gets in place of the server's answer.
func (f *Meddle) answer(tag string) string {
	text := f.Text
	if text == "" {
		text = "no"
	}
	if f.Code != "" {
		text = "[" + f.Code + "] " + text
	}
	switch f.How {
	case AnswerBad:
		return tag + " BAD " + text + "\r\n"
	case AnswerBye:
		return "* BYE " + text + "\r\n"
	default:
		return tag + " NO " + text + "\r\n"
	}
}

// verbOf takes a command's first line apart. A line that is no command, such as the answer to a challenge, has no verb.
func verbOf(line string) (tag, verb string) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return "", ""
	}
	verb = strings.ToUpper(words[1])
	if verb == "UID" && len(words) > 2 {
		verb += " " + strings.ToUpper(words[2])
	}
	return words[0], verb
}
