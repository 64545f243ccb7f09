package cmd

import (
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// startNameServer is the script command
//
//	nameserver NAME FILE
//
// It starts a name server on loopback that answers from a zone file, and says of all other names that they do not exist. The
// variable NAME is its port.
func startNameServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: nameserver NAME FILE")
	}
	z, err := newTestZone(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Defer(z.stop)
	_, port, err := net.SplitHostPort(z.addr)
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// testZone is a name server whose records can be exchanged while it runs.
type testZone struct {
	addr   string
	server *dns.Server
	ended  chan struct{}

	mu      sync.Mutex
	records []dns.RR
}

func newTestZone(text string) (*testZone, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	z := &testZone{addr: conn.LocalAddr().String(), ended: make(chan struct{})}
	if err := z.set(text); err != nil {
		conn.Close()
		return nil, err
	}
	started := make(chan struct{})
	z.server = &dns.Server{PacketConn: conn, Handler: z, NotifyStartedFunc: func() { close(started) }}
	go func() {
		defer close(z.ended)
		_ = z.server.ActivateAndServe() // ends with stop
	}()
	<-started
	return z, nil
}

func (z *testZone) stop() {
	_ = z.server.Shutdown()
	<-z.ended
}

// set takes a zone file in place of all that was known.
func (z *testZone) set(text string) error {
	var records []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), ".", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		return err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = records
	return nil
}

// ServeDNS answers from the records.
func (z *testZone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(r)
	m.RecursionAvailable, m.Rcode = true, dns.RcodeNameError
	q := r.Question[0]
	for _, rr := range z.records {
		if !strings.EqualFold(rr.Header().Name, q.Name) {
			continue
		}
		m.Rcode = dns.RcodeSuccess
		if rr.Header().Rrtype == q.Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	_ = w.WriteMsg(m)
}
