package imapx_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
)

// shelf is a server so small that every byte of a session has its fixed place. It stores what arrives whole.
type shelf struct {
	mu     sync.Mutex
	stored []string
}

var shelved = map[imap.UID]string{1: "a: b\r\n\r\nhello\r\n", 2: "a: b\r\n\r\n)\r\nm5 OK done\r\n", 3: ""}

func (b *shelf) answers(verb string) string {
	switch verb {
	case "LIST":
		return "* LIST (\\HasNoChildren) \"/\" INBOX\n* LIST () \"/\" {1}\nF\n"
	case "STATUS":
		return "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\n* STATUS F (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\n"
	case "EXAMINE":
		return "* FLAGS (\\Seen)\n* 3 EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT 4] n\n"
	case "UID SEARCH":
		return "* SEARCH 1 2 3\n"
	case "UID FETCH":
		return fmt.Sprintf("* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {%d}\n%s)\n* 2 FETCH (BODY[] {%d}\n%s UID 2 FLAGS ())\n* 3 FETCH (UID 3 FLAGS () BODY[] \"\")\n",
			len(shelved[1]), shelved[1], len(shelved[2]), shelved[2])
	}
	return ""
}

// serve plays one connection; crlf turns the line ends of answers, not those of literals, into what they must be.
func (b *shelf) serve(s *scripted) {
	crlf := func(text string) { io.WriteString(s.nc, regexp.MustCompile(`\r?\n`).ReplaceAllString(text, "\r\n")) }
	b.mu.Lock() // connections come one after the other, the last one's late bytes before this
	b.stored = nil
	b.mu.Unlock()
	crlf("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n")
	for {
		tag, verb, literals, ok := s.whole(crlf)
		if !ok {
			return
		}
		b.mu.Lock()
		b.stored = append(b.stored, literals...)
		n := len(b.stored)
		b.mu.Unlock()
		switch verb {
		case "AUTHENTICATE":
			crlf(tag + " OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] in\n")
		case "APPEND":
			crlf(fmt.Sprintf("%s OK [APPENDUID 7 %d] stored\n", tag, n))
		default:
			crlf(b.answers(verb) + tag + " OK done\n")
		}
	}
}

// whole reads a command with its literals; not ok where it ends early.
func (s *scripted) whole(say func(string)) (tag, verb string, literals []string, ok bool) {
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return "", "", nil, false
		}
		if words := strings.Fields(line); tag == "" && len(words) > 1 {
			tag, verb = words[0], words[1]
			if verb == "UID" {
				verb += " " + words[2]
			}
		}
		m := regexp.MustCompile(`\{(\d+)(\+?)\}\r\n$`).FindStringSubmatch(line)
		if m == nil {
			return tag, verb, literals, true
		}
		if m[2] == "" {
			say("+ go\n")
		}
		n, _ := strconv.Atoi(m[1])
		b := make([]byte, n)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return "", "", nil, false
		}
		literals = append(literals, string(b))
	}
}

// breaks are the ends of a connection that both sides notice.
var breaks = map[string]imaptest.Break{"fin": imaptest.BreakFIN, "reset": imaptest.BreakRST}

// TestCutWhileReading ends a session after every single byte from the server, and from the client: each message comes
// whole or not at all, nothing is leaked, and the error says that a new connection is worth trying.
func TestCutWhileReading(t *testing.T) {
	for name, how := range breaks {
		for _, down := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/from server %v", name, down), func(t *testing.T) {
				e := serve(t, new(shelf).serve)
				everyCut(t, e, how, down, func(e imapx.Endpoint) (bool, error) {
					ctx := within(t, 10*time.Second)
					src, err := imapx.DialSource(ctx, e, imapx.Options{Timeout: 5 * time.Second})
					if err != nil {
						return false, err
					}
					defer src.Close()
					if l, err := src.List(ctx); err != nil {
						return false, err
					} else if len(l.Folders) != 2 || !l.Complete {
						t.Errorf("half a listing passes for a whole one: %+v", l)
					}
					var got collector
					_, err = src.Visit(ctx, imapx.Visit{Folder: "INBOX", UIDValidity: 7, Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantFlags | imapx.WantBody}}}, got.handler())
					for uid := range got.messages {
						if body := string(got.body(t, uid)); body != shelved[uid] {
							t.Errorf("uid %d is %q", uid, body)
						}
					}
					if got.alive != got.freed+len(got.messages) {
						t.Errorf("%d bodies made, %d released, %d delivered", got.alive, got.freed, len(got.messages))
					}
					if err == nil && len(got.messages) != 3 {
						t.Errorf("only %d messages, and no error", len(got.messages))
					}
					return err == nil, err
				})
			})
		}
	}
}

// TestCutWhileStoring: what the server stored is whole, and what the client believes is stored is.
func TestCutWhileStoring(t *testing.T) {
	for name, how := range breaks {
		for _, down := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/from server %v", name, down), func(t *testing.T) {
				b := new(shelf)
				e := serve(t, b.serve)
				everyCut(t, e, how, down, func(e imapx.Endpoint) (bool, error) {
					ctx := within(t, 10*time.Second)
					tgt, err := imapx.DialTarget(ctx, e, imapx.Options{Timeout: 5 * time.Second})
					if err != nil {
						return false, err
					}
					defer tgt.Close()
					p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: messages(2)})
					var a imapx.Appended
					if err == nil {
						a, err = p.Wait(ctx)
					}
					b.mu.Lock()
					defer b.mu.Unlock()
					for _, s := range b.stored {
						if s != "a: b\r\n\r\nhello\r\n" {
							t.Errorf("the server stored %q", s)
						}
					}
					if err == nil && (errors.Join(a.Errs...) != nil || len(b.stored) != 2 || a.UIDs[1] != 2) {
						t.Errorf("%+v, and the server has %d", a, len(b.stored))
					}
					return err == nil, err
				})
			})
		}
	}
}

// everyCut runs a session with a cut after 1, 2, 3 … bytes until it is longer than the session.
func everyCut(t *testing.T, e imapx.Endpoint, how imaptest.Break, down bool, session func(imapx.Endpoint) (whole bool, err error)) {
	t.Helper()
	p, err := imaptest.NewProxy(net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), imaptest.Faults{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	through := endpoint(t, p.Addr(), e.User)
	if whole, err := session(through); !whole {
		t.Fatalf("without a cut: %v", err)
	}
	cut := int64(1)
	for ; ; cut++ {
		f := imaptest.Faults{Break: how, CutDown: cut}
		if !down {
			f = imaptest.Faults{Break: how, CutUp: cut}
		}
		p.SetFaults(f)
		begin, before := time.Now(), p.Stats().Breaks
		whole, err := session(through)
		if d := time.Since(begin); d > 15*time.Second {
			t.Errorf("cut at %d: it took %v", cut, d)
		}
		if err != nil && !isLost(err) {
			t.Errorf("cut at %d: %#v", cut, err)
		}
		if t.Failed() {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if whole && p.Stats().Breaks == before {
			break
		}
	}
	t.Logf("%d cuts", cut-1)
	if cut < 100 {
		t.Errorf("a session of %d bytes is too short to prove anything", cut)
	}
}

// isLost: the connection ended, or never began, and a new one may do.
func isLost(err error) bool {
	var x *imapx.Error
	return errors.As(err, &x) && x.Retry == imapx.RetryReconnect && x.Scope == imapx.ScopeAccount &&
		(x.Kind == imapx.KindLost || x.Kind == imapx.KindConnect && (x.Op == "connect" || x.Op == "greeting"))
}

// TestHalfOpen: a connection that silently went dead ends by Options.Timeout, in whatever it was cut.
func TestHalfOpen(t *testing.T) {
	const patience = 300 * time.Millisecond
	big := text("a: b\r\n\r\n" + strings.Repeat("x", 40<<20))
	for name, c := range map[string]struct {
		f     imaptest.Faults
		store bool
	}{
		"hole in a literal":        {imaptest.Faults{Break: imaptest.BreakHole, CutDown: 700}, false},
		"hole in the login":        {imaptest.Faults{Break: imaptest.BreakHole, CutDown: 60}, false},
		"hole while storing":       {imaptest.Faults{Break: imaptest.BreakHole, CutUp: 1 << 20}, true},
		"nobody reads any more":    {imaptest.Faults{Break: imaptest.BreakFull, CutUp: 1 << 20}, true},
		"nobody reads the answers": {imaptest.Faults{Break: imaptest.BreakFull, CutDown: 700}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, new(shelf).serve)
			p, err := imaptest.NewProxy(net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), c.f)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			ctx := within(t, 20*time.Second)
			begin := time.Now()
			tgt, err := imapx.DialTarget(ctx, endpoint(t, p.Addr(), "u"), imapx.Options{Timeout: patience})
			if err == nil {
				defer tgt.Close()
				if c.store {
					err = appendBig(t, tgt, big)
				} else {
					for err == nil {
						var got collector
						_, err = tgt.Visit(ctx, bodies(everything()), got.handler())
					}
				}
			}
			if d := time.Since(begin); !isLost(err) || d < patience || d > 15*time.Second {
				t.Errorf("%v after %v", err, d)
			}
		})
	}
}

func appendBig(t *testing.T, tgt *imapx.Target, body imapx.Body) error {
	ctx := within(t, 20*time.Second)
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: []imapx.AppendMessage{{Body: body}}})
	if err == nil {
		_, err = p.Wait(ctx)
	}
	return err
}

// TestTLSEndsInALiteral: neither an orderly close nor an alert is the end of a message.
func TestTLSEndsInALiteral(t *testing.T) {
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(imaptest.CertGood)
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(c *tls.Conn, under *poisoned){
		"close_notify": func(c *tls.Conn, _ *poisoned) { c.Close() },
		"alert": func(c *tls.Conn, under *poisoned) { // a record that is no record: our side answers with an alert
			under.poison = true
			c.Read(make([]byte, 1))
			under.poison = false
		},
		"end without close_notify": func(_ *tls.Conn, under *poisoned) { under.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				under := &poisoned{Conn: s.nc}
				c := tls.Server(under, &tls.Config{Certificates: []tls.Certificate{cert}})
				s = &scripted{s.t, c, bufio.NewReader(c)}
				s.hello("")
				s.examined(1, "1")
				s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {20}\nonly ten..")
				end(c, under)
				io.Copy(io.Discard, under)
			})
			e.TLS, e.TLSName, e.Roots = imapx.TLSImplicit, "localhost", ca.Pool()
			src, ctx := dialScripted(t, e, imapx.Options{Timeout: 5 * time.Second})
			var got collector
			_, err := src.Visit(ctx, bodies(everything()), got.handler())
			if !isLost(err) || len(got.messages) > 0 || got.alive != 1 || got.freed != 1 {
				t.Errorf("%#v, %+v", err, got)
			}
		})
	}
}

// poisoned gives garbage to its reader once it is told to.
type poisoned struct {
	net.Conn
	poison bool
}

func (p *poisoned) Read(b []byte) (int, error) {
	if p.poison {
		return copy(b, "\x17\x03\x03\x00\x14garbage garbage garb"), nil
	}
	return p.Conn.Read(b)
}
