//go:build e2e

package cmd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/smtp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/miekg/dns"

	"mailmove/imapx/imaptest/real"
)

// mailFlow is the rest of the world: it sends to all mailboxes, all the time, to the server that its name server names,
// and remembers what was taken. Like every resolver it believes an answer for as long as its TTL says.
type mailFlow struct {
	names   *testZone
	servers map[string]*real.Postfix // by the name that the MX says
	boxes   []string

	mu    sync.Mutex
	taken map[string][]string // mailbox to Message-IDs
	cache map[string]heard
	stop  context.CancelFunc
	ended chan error
}

type heard struct {
	mx    string
	until time.Time
}

// start sends a message each interval until finish.
func (m *mailFlow) start(t *testing.T, rng *rand.Rand, interval time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.ended = cancel, make(chan error, 1)
	t.Cleanup(cancel)
	go func() { m.ended <- m.run(ctx, rng, interval) }()
}

func (m *mailFlow) run(ctx context.Context, rng *rand.Rand, interval time.Duration) error {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
		if err := m.send(m.boxes[rng.IntN(len(m.boxes))], fmt.Sprintf("flow-%d", n)); err != nil {
			return err
		}
	}
}

// send tries until a server has taken the message, as every mail server does.
func (m *mailFlow) send(to, name string) error {
	text := fmt.Sprintf("From: s@world.example\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@world.example>\r\n\r\nHello %s\r\n",
		to, name, time.Now().Format(time.RFC1123Z), name, name)
	var last error
	for range 50 {
		mx, err := m.mx(to[strings.IndexByte(to, '@')+1:])
		if err != nil {
			return err
		}
		if last = smtp.SendMail(m.servers[mx].Addr(), nil, "s@world.example", []string{to}, []byte(text)); last == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.taken[to] = append(m.taken[to], "<"+name+"@world.example>")
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return fmt.Errorf("%s for %s: %w", name, to, last)
}

func (m *mailFlow) mx(domain string) (string, error) {
	if h := m.cache[domain]; time.Now().Before(h.until) {
		return h.mx, nil
	}
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(domain+".", dns.TypeMX), m.names.addr)
	if err != nil || len(answer.Answer) != 1 {
		return "", fmt.Errorf("MX of %s: %v, %w", domain, answer, err)
	}
	rr := answer.Answer[0].(*dns.MX)
	m.cache[domain] = heard{strings.TrimSuffix(rr.Mx, "."), time.Now().Add(time.Duration(rr.Hdr.Ttl) * time.Second)}
	return m.cache[domain].mx, nil
}

// finish ends the flow and waits until the servers have delivered all of it.
func (m *mailFlow) finish(t *testing.T) {
	t.Helper()
	m.stop()
	if err := <-m.ended; err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		waiting := 0
		for _, s := range m.servers {
			n, err := s.Waiting()
			if err != nil {
				t.Fatal(err)
			}
			waiting += n
		}
		if waiting == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages wait still", waiting)
		}
	}
}

// fill puts mail of the past into a mailbox, and remembers it like what was sent.
func (m *mailFlow) fill(t *testing.T, s *real.Server, user string, messages int) {
	t.Helper()
	c := dialAs(t, s, user)
	defer c.Close()
	for _, folder := range []string{"Sent", "Projekte/Übersicht"} {
		if err := c.Create(folder, nil).Wait(); err != nil && folder != "Sent" {
			t.Fatal(err)
		}
	}
	for n := range messages {
		id := fmt.Sprintf("<past-%d-%s>", n, user)
		text := "From: x@past.example\r\nSubject: past\r\nMessage-ID: " + id + "\r\n\r\nHello\r\n"
		a := c.Append([]string{"INBOX", "Sent", "Projekte/Übersicht"}[n%3], int64(len(text)), &imap.AppendOptions{Time: time.Date(2020, 1, 2, 3, 4, n, 0, time.UTC)})
		_, err := a.Write([]byte(text))
		err = errors.Join(err, a.Close())
		if _, e := a.Wait(); errors.Join(err, e) != nil {
			t.Fatal(errors.Join(err, e))
		}
		m.taken[user] = append(m.taken[user], id)
	}
}

func dialAs(t *testing.T, s *real.Server, user string) *imapclient.Client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	if err := c.Login(user, real.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// compare asks a mailbox for every message that was taken for it: each is there, once, and there are no others.
func (m *mailFlow) compare(t *testing.T, s *real.Server, user string) {
	t.Helper()
	have := make(map[string]int)
	c := dialAs(t, s, user)
	defer c.Close()
	folders, err := c.List("", "*", nil).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if slices.Contains(f.Attrs, imap.MailboxAttrNonExistent) || slices.Contains(f.Attrs, imap.MailboxAttrNoSelect) {
			continue
		}
		box, err := c.Select(f.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			t.Fatal(err)
		}
		if box.NumMessages == 0 {
			continue
		}
		all, err := c.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{Envelope: true}).Collect()
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range all {
			have["<"+msg.Envelope.MessageID+">"]++
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range m.taken[user] {
		if have[id] != 1 {
			t.Errorf("%s: %s is there %d times", user, id, have[id])
		}
		delete(have, id)
	}
	for id, n := range have {
		t.Errorf("%s: %s, which nobody sent, is there %d times", user, id, n)
	}
}
