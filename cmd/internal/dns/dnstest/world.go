// Package dnstest runs a small DNS on loopback for tests: name servers at 127.0.0.x, all on one port, each with zones of
// its own, and ways to misbehave.
package dnstest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	miekg "github.com/miekg/dns"
)

// Root is where the walk begins in a World.
const Root = "127.0.0.1"

// Ways to misbehave. Any other text is a response code such as SERVFAIL, without authority.
const (
	Silent    = "silent"    // takes questions and answers none
	Truncated = "truncated" // every answer by UDP is cut
	NoTCP     = "notcp"     // that too, and what comes by TCP is not answered
	NoEDNS    = "noedns"    // FORMERR to EDNS
	NoAA      = "noaa"      // answers without authority
)

// World is a set of name servers.
type World struct {
	port uint16

	mu      sync.Mutex
	servers map[string]*server
	running []*miekg.Server
	ended   sync.WaitGroup
}

type server struct {
	zones  map[string][]miekg.RR // by origin
	mode   string
	handle func(*miekg.Msg) *miekg.Msg
	asked  int
}

// Start starts a name server for each key, "IP" or "IP/anything": the value is a zone file with a SOA record first. Several
// keys of one IP are several zones of it.
func Start(zones map[string]string) (*World, error) {
	w := &World{servers: make(map[string]*server)}
	for key, text := range zones {
		ip, _, _ := strings.Cut(key, "/")
		if w.servers[ip] == nil {
			w.servers[ip] = &server{zones: make(map[string][]miekg.RR)}
		}
		if text != "" {
			if err := w.SetZone(ip, text); err != nil {
				return nil, err
			}
		}
	}
	var err error
	for range 20 { // a port that is free at one address may be taken at another
		if err = w.listen(); err == nil {
			return w, nil
		}
		w.Close()
	}
	return nil, err
}

// listen binds all servers to one port.
func (w *World) listen() error {
	w.port, w.running = 0, nil
	for ip, s := range w.servers {
		tcp, err := net.Listen("tcp", net.JoinHostPort(ip, fmt.Sprint(w.port)))
		if err != nil {
			return err
		}
		w.port = tcp.Addr().(*net.TCPAddr).AddrPort().Port()
		w.serve(&miekg.Server{Listener: tcp, Handler: w.handler(s, true)})
		udp, err := net.ListenPacket("udp", net.JoinHostPort(ip, fmt.Sprint(w.port)))
		if err != nil {
			return err
		}
		w.serve(&miekg.Server{PacketConn: udp, Handler: w.handler(s, false)})
	}
	return nil
}

func (w *World) serve(s *miekg.Server) {
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	w.running = append(w.running, s)
	w.ended.Go(func() { _ = s.ActivateAndServe() }) // it ends by Shutdown
	<-started
}

// Close stops all servers.
func (w *World) Close() {
	for _, s := range w.running {
		_ = s.Shutdown() // what is closed already needs no closing
	}
	w.ended.Wait()
}

// Port is that of all servers.
func (w *World) Port() uint16 { return w.port }

// Root is the address of the root server.
func (w *World) Root() netip.AddrPort { return w.At(Root) }

// At is the address of a server.
func (w *World) At(ip string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), w.port)
}

// SetZone gives a server a zone, or another version of it.
func (w *World) SetZone(ip, text string) error {
	parser := miekg.NewZoneParser(strings.NewReader(text), ".", "")
	var records []miekg.RR
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		return err
	}
	if len(records) == 0 || records[0].Header().Rrtype != miekg.TypeSOA {
		return fmt.Errorf("the zone of %s does not begin with a SOA record", ip)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[ip].zones[miekg.CanonicalName(records[0].Header().Name)] = records
	return nil
}

// Behave makes a server misbehave; "" as it should.
func (w *World) Behave(ip, mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[ip].mode = mode
}

// Handle lets a function answer for a server, such as a resolver. It gives nil where the zones answer.
func (w *World) Handle(ip string, handle func(*miekg.Msg) *miekg.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[ip].handle = handle
}

// Asked is how many questions a server was sent.
func (w *World) Asked(ip string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers[ip].asked
}

func (w *World) handler(s *server, tcp bool) miekg.Handler {
	return miekg.HandlerFunc(func(out miekg.ResponseWriter, question *miekg.Msg) {
		w.mu.Lock()
		s.asked++
		answer := s.answer(question, tcp)
		w.mu.Unlock()
		if answer != nil {
			_ = out.WriteMsg(answer) // who asked may be gone
		}
	})
}

// answer is what the server says, misbehaving as it is told; nil: nothing.
func (s *server) answer(question *miekg.Msg, tcp bool) *miekg.Msg {
	answer := new(miekg.Msg).SetReply(question)
	if s.handle != nil {
		if own := s.handle(question); own != nil {
			return own
		}
	}
	switch s.mode {
	case Silent:
		return nil
	case "", Truncated, NoTCP, NoAA, NoEDNS:
	default:
		return answer.SetRcode(question, miekg.StringToRcode[s.mode])
	}
	if s.mode == NoEDNS && question.IsEdns0() != nil {
		return answer.SetRcode(question, miekg.RcodeFormatError)
	}
	s.fill(answer, question.Question[0])
	if s.mode == NoAA {
		answer.Authoritative = false
	}
	if s.mode == NoTCP && tcp {
		return nil
	}
	if (s.mode == Truncated || s.mode == NoTCP) && !tcp {
		answer.Answer, answer.Ns, answer.Extra, answer.Truncated = nil, nil, nil, true
	}
	if !tcp {
		answer.Truncate(1232)
	}
	return answer
}

// fill answers from the zones (RFC 1034 4.3.2): a referral, the records, an alias, or that there is nothing.
func (s *server) fill(m *miekg.Msg, q miekg.Question) {
	name := miekg.CanonicalName(q.Name)
	origin := ""
	for o := range s.zones {
		if miekg.IsSubDomain(o, name) && len(o) > len(origin) {
			origin = o
		}
	}
	records := s.zones[origin]
	if records == nil {
		m.Rcode = miekg.RcodeRefused
		return
	}
	if below := referral(records, origin, name); below != nil {
		m.Ns = below
		for _, ns := range below {
			m.Extra = append(m.Extra, find(records, miekg.CanonicalName(ns.(*miekg.NS).Ns), miekg.TypeA, miekg.TypeAAAA)...)
		}
		return
	}
	m.Authoritative = true
	if m.Answer = find(records, name, q.Qtype); len(m.Answer) == 0 {
		m.Answer = find(records, name, miekg.TypeCNAME)
	}
	if len(m.Answer) > 0 {
		return
	}
	m.Ns = records[:1]
	if !slices.ContainsFunc(records, func(rr miekg.RR) bool { return miekg.IsSubDomain(name, miekg.CanonicalName(rr.Header().Name)) }) {
		m.Rcode = miekg.RcodeNameError
	}
}

func referral(records []miekg.RR, origin, name string) (below []miekg.RR) {
	for _, rr := range records {
		owner := miekg.CanonicalName(rr.Header().Name)
		if rr.Header().Rrtype == miekg.TypeNS && owner != origin && miekg.IsSubDomain(owner, name) {
			below = append(below, rr)
		}
	}
	return below
}

func find(records []miekg.RR, name string, types ...uint16) (all []miekg.RR) {
	for _, rr := range records {
		if miekg.CanonicalName(rr.Header().Name) == name && slices.Contains(types, rr.Header().Rrtype) {
			all = append(all, rr)
		}
	}
	return all
}
