package imaptest

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// meddleLine is the longest line that an exchange passes on, in bytes.
const meddleLine = 1 << 20

// exchange is one connection through a Meddler.
type exchange struct {
	m              *Meddler
	client, server *net.TCPConn
	fromClient     *bufio.Reader
	fromServer     *bufio.Reader

	mu    sync.Mutex // held while anything is written to the client, a whole frame at a time
	queue []*asked   // commands without an answer, oldest first
	ended bool       // nothing more is said to the client
}

// asked is a command that waits for its answer.
type asked struct {
	tag   string
	fault *Meddle // nil: the server's answer is passed on
}

func newExchange(m *Meddler, client, server *net.TCPConn) *exchange {
	greeting := &asked{tag: "*"}
	return &exchange{m: m, client: client, server: server, queue: []*asked{greeting},
		fromClient: bufio.NewReaderSize(client, meddleLine), fromServer: bufio.NewReaderSize(server, meddleLine)}
}

// up passes commands on until the client is done, or a line is too long. After the end of the exchange it reads on,
// for a close with bytes unread would be a reset.
func (x *exchange) up() {
	defer func() {
		_, _ = io.Copy(io.Discard, x.client)
		_ = x.server.CloseWrite()
	}()
	for {
		line, err := x.fromClient.ReadSlice('\n')
		if err != nil {
			return
		}
		tag, verb := verbOf(string(line))
		if verb == "" {
			if _, err := x.server.Write(line); err != nil {
				return
			}
			continue
		}
		f := x.m.befalls(verb)
		if f != nil && f.How == Delay {
			if !sleep(x.m.ctx, f.Wait) {
				return
			}
			f = nil
		}
		if f != nil && f.How <= AnswerBye {
			if x.swallow(string(line)) != nil {
				return
			}
			x.add(&asked{tag, f})
			if f.How == AnswerBye {
				return
			}
			continue
		}
		x.add(&asked{tag, f})
		if x.pass(line) != nil {
			return
		}
	}
}

func (x *exchange) add(a *asked) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = append(x.queue, a)
	x.drain()
}

// pass hands a command on with its literals.
func (x *exchange) pass(line []byte) error {
	for {
		_, err := x.server.Write(line)
		n, _, ok := literalOf(string(line))
		if err != nil || !ok {
			return err
		}
		if _, err := io.CopyN(x.server, x.fromClient, n); err != nil {
			return err
		}
		if line, err = x.fromClient.ReadSlice('\n'); err != nil {
			return err
		}
	}
}

// swallow reads a command up to its end, or up to a literal that waits.
func (x *exchange) swallow(line string) error {
	for {
		n, waits, ok := literalOf(line)
		if !ok || waits {
			return nil
		}
		if _, err := io.CopyN(io.Discard, x.fromClient, n); err != nil {
			return err
		}
		next, err := x.fromClient.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = string(next)
	}
}

// drain says what was held back until the commands before had their answers. The caller holds mu.
func (x *exchange) drain() {
	for len(x.queue) > 0 && !x.ended {
		a := x.queue[0]
		if a.fault == nil || a.fault.How > AnswerBye {
			return
		}
		x.queue = x.queue[1:]
		if _, err := io.WriteString(x.client, a.fault.answer(a.tag)); err != nil || a.fault.How == AnswerBye {
			x.finish()
		}
	}
}

// finish ends the exchange in good order: the client reads all that was said. The caller holds mu.
func (x *exchange) finish() {
	x.ended = true
	_ = x.client.CloseWrite()
	_ = x.client.SetReadDeadline(time.Now().Add(linkLinger))
	_ = x.server.Close()
}

// down passes answers on, frame by frame.
func (x *exchange) down() {
	for {
		line, err := x.fromServer.ReadSlice('\n')
		x.mu.Lock()
		if err != nil {
			if !x.ended {
				x.finish()
			}
			x.mu.Unlock()
			return
		}
		err = x.frame(line)
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// frame passes one answer on, or keeps it back. The caller holds mu.
func (x *exchange) frame(line []byte) error {
	first, rest, _ := strings.Cut(string(line), " ")
	at := -1
	for i, a := range x.queue {
		if a.tag == first {
			at = i
		}
	}
	mute := len(x.queue) > 0 && x.queue[0].fault != nil && first != "+"
	var out io.Writer = x.client
	if mute || x.ended {
		out = io.Discard
	}
	for first == "*" && !statusWord(rest) {
		n, _, ok := literalOf(string(line))
		if !ok {
			break
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		if _, err := io.CopyN(out, x.fromServer, n); err != nil {
			return err
		}
		var err error
		if line, err = x.fromServer.ReadSlice('\n'); err != nil {
			return err
		}
	}
	if _, err := out.Write(line); err != nil {
		return err
	}
	if at < 0 {
		return nil
	}
	a := x.queue[at]
	x.queue = append(x.queue[:at:at], x.queue[at+1:]...)
	if a.fault != nil && a.fault.How == LoseAnswer && !x.ended {
		x.finish()
	}
	x.drain()
	return nil
}

// statusWord reports whether text for people follows, which may end like the announcement of a literal.
func statusWord(rest string) bool {
	word, _, _ := strings.Cut(rest, " ")
	switch strings.ToUpper(word) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}

var literalEnd = regexp.MustCompile(`\{(\d{1,15})(\+?)\}\r?\n$`)

// literalOf reads the announcement of a literal at the end of a line.
func literalOf(line string) (n int64, waits, ok bool) {
	if len(line) > 40 {
		line = line[len(line)-40:]
	}
	m := literalEnd.FindStringSubmatch(line)
	if m == nil {
		return 0, false, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return n, m[2] == "", err == nil
}
