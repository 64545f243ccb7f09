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

	"mailmove/cmd/internal/dns/dnstest"
	"mailmove/imapx/imaptest/real"
)

// mailFlow is the rest of the world: it sends to all mailboxes, all the time, to the server that its name server names,
// and remembers what was taken. Like every resolver it believes an answer for as long as its TTL says.
type mailFlow struct {
	names   *dnstest.World
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

// nameServer is the address of a domain's.
func (m *mailFlow) nameServer(domain string) string {
	return m.names.At(flowDomains()[domain]).String()
}

// flowDomains are the domains that move, and where their zones are.
func flowDomains() map[string]string {
	return map[string]string{"a.example": "127.0.0.3", "b.example": "127.0.0.4", "c.example": "127.0.0.5"}
}

// flowZone is a version of a domain's zone.
func flowZone(domain, mx string, serial, ttl int) string {
	ip := flowDomains()[domain]
	return fmt.Sprintf("%[1]s. 3600 IN SOA ns.%[1]s. hostmaster.%[1]s. %[3]d 3600 600 864000 300\n%[1]s. 3600 IN NS ns.%[1]s.\n"+
		"ns.%[1]s. 3600 IN A %[2]s\n%[1]s. %[4]d IN MX 10 %[5]s.\n", domain, ip, serial, ttl, mx)
}

// flowWorld is the DNS of the domains and of both servers.
func flowWorld() (*dnstest.World, error) {
	root := ". 86400 IN SOA a.root. hostmaster.root. 1 3600 600 864000 300\n. 86400 IN NS a.root.\na.root. 86400 IN A 127.0.0.1\n"
	zones := make(map[string]string)
	for domain, ip := range flowDomains() {
		root += fmt.Sprintf("%[1]s. 86400 IN NS ns.%[1]s.\nns.%[1]s. 86400 IN A %[2]s\n", domain, ip)
		zones[ip] = flowZone(domain, "mx.old.example", 1, highTTL)
	}
	for host, ip := range map[string]string{"old.example": "127.0.0.6", "new.example": "127.0.0.7"} {
		root += fmt.Sprintf("%[1]s. 86400 IN NS ns.%[1]s.\nns.%[1]s. 86400 IN A %[2]s\n", host, ip)
		zones[ip] = fmt.Sprintf("%[1]s. 3600 IN SOA ns.%[1]s. hostmaster.%[1]s. 1 3600 600 864000 300\n%[1]s. 3600 IN NS ns.%[1]s.\n"+
			"ns.%[1]s. 3600 IN A %[2]s\nmx.%[1]s. 3600 IN A 127.0.0.1\n", host, ip)
	}
	zones[dnstest.Root] = root
	return dnstest.Start(zones)
}

func (m *mailFlow) mx(domain string) (string, error) {
	if h := m.cache[domain]; time.Now().Before(h.until) {
		return h.mx, nil
	}
	answer, err := dns.Exchange(new(dns.Msg).SetQuestion(domain+".", dns.TypeMX), m.nameServer(domain))
	if err != nil || len(answer.Answer) != 1 {
		return "", fmt.Errorf("MX of %s: %v, %w", domain, answer, err)
	}
	rr := answer.Answer[0].(*dns.MX)
	ttl := min(rr.Hdr.Ttl, flowTTL) // the hour of the first TTL passes before the switch
	m.cache[domain] = heard{strings.TrimSuffix(rr.Mx, "."), time.Now().Add(time.Duration(ttl) * time.Second)}
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
