package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	miekg "github.com/miekg/dns"
)

// tries is how often a question is sent by UDP, which loses some.
const tries = 2

var (
	errNoAnswer = errors.New("no answer")
	errNoRoute  = errors.New("this machine has no way there")
	errTooMany  = errors.New("more questions than one domain may take")
	errTooMuch  = errors.New("longer answers than one domain may take")
	errTooLong  = errors.New("its name servers take longer than one domain may")
	errNoRoots  = errors.New("none of the root name servers can be reached from this machine")
)

// asker sends questions: so many at once for a whole check, and so many for a domain.
type asker struct {
	config *Config
	slots  chan struct{} // of the whole check
	net    *reach        // of the whole check
	left   *atomic.Int64 // questions of this domain
	room   *atomic.Int64 // bytes of answers for this domain
	until  time.Time     // no question of this domain is sent later
}

// reach is what a check knows of the way out: where there is none, each further domain would wait for all roots again.
type reach struct {
	heard atomic.Bool // some zone's server answered as one
	none  atomic.Bool // no root server did, and nothing was heard by then
}

// ask sends one question to one server. An error says why there is no answer that can be read.
func (a *asker) ask(ctx context.Context, server netip.AddrPort, name string, qtype uint16, recurse bool) (*miekg.Msg, error) {
	m := new(miekg.Msg)
	m.SetQuestion(miekg.Fqdn(name), qtype)
	m.RecursionDesired = recurse
	m.SetEdns0(udpSize, false)
	answer, err := a.try(ctx, server, m)
	if err == nil && refusesEDNS(answer) {
		m.Extra = nil // RFC 6891 7: a server that does not know it says FORMERR
		answer, err = a.try(ctx, server, m)
	}
	if err == nil && answer.Truncated {
		answer, err = a.once(ctx, "tcp", server, m) // RFC 7766 5
		switch {
		case err != nil && ctx.Err() == nil: // it does answer: a firewall that lets UDP alone pass is not found by "no answer"
			err = fmt.Errorf("its answer is too long for UDP, and by TCP: %w", err)
		case err == nil && answer.Truncated:
			err = errors.New("truncated answer by TCP")
		}
	}
	return answer, err
}

// isOver tells that a domain has had what it may take: no other server can help.
func isOver(err error) bool {
	return errors.Is(err, errTooMany) || errors.Is(err, errTooMuch) || errors.Is(err, errTooLong)
}

func refusesEDNS(m *miekg.Msg) bool {
	return m.Rcode == miekg.RcodeFormatError || m.Rcode == miekg.RcodeNotImplemented || m.Rcode == miekg.RcodeBadVers
}

func (a *asker) try(ctx context.Context, server netip.AddrPort, m *miekg.Msg) (answer *miekg.Msg, err error) {
	for range tries {
		m.Id = miekg.Id()
		answer, err = a.once(ctx, "udp", server, m)
		if err == nil || !errors.Is(err, errNoAnswer) || ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

// once sends a question once. It waits for a slot, and then for the answer no longer than Config.Timeout.
func (a *asker) once(ctx context.Context, network string, server netip.AddrPort, m *miekg.Msg) (*miekg.Msg, error) {
	if a.left.Add(-1) < 0 {
		return nil, errTooMany
	}
	if time.Now().After(a.until) {
		return nil, errTooLong
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.config.Timeout, errNoAnswer)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, server.String())
	if err != nil {
		return nil, told(ctx, err)
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn := &miekg.Conn{Conn: raw, UDPSize: udpSize}
	if err := conn.WriteMsg(m); err != nil {
		return nil, told(ctx, err)
	}
	for { // what answers another question is forged, or late
		answer, err := conn.ReadMsg()
		switch {
		case err != nil && (answer == nil || answer.Id == m.Id):
			return nil, told(ctx, err)
		case err == nil && answers(answer, m):
			if a.room.Add(-int64(answer.Len())) < 0 {
				return nil, errTooMuch
			}
			return answer, nil
		case network == "tcp":
			return nil, errors.New("an answer to another question")
		}
	}
}

// answers tells whether a message is the answer to a question (RFC 5452 9.1).
func answers(answer, m *miekg.Msg) bool {
	if answer.Id != m.Id || !answer.Response {
		return false
	}
	if len(answer.Question) == 0 { // of a server that understood nothing
		return answer.Rcode != miekg.RcodeSuccess
	}
	q, asked := answer.Question[0], m.Question[0]
	return len(answer.Question) == 1 && strings.EqualFold(q.Name, asked.Name) && q.Qtype == asked.Qtype && q.Qclass == asked.Qclass
}

// told says in words why there was no answer.
func told(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return errNoRoute
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errNoAnswer
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH):
		return fmt.Errorf("%w: nothing listens there", errNoAnswer)
	}
	var system *net.OpError
	if errors.As(err, &system) {
		return fmt.Errorf("%w: %w", errNoAnswer, system.Err)
	}
	return fmt.Errorf("an answer that cannot be read: %w", err)
}

// rcodeText is a response code as name servers' logs have it.
func rcodeText(code int) string {
	if s, known := miekg.RcodeToString[code]; known {
		return s
	}
	return fmt.Sprintf("RCODE %d", code)
}
