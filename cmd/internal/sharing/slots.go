package sharing

import (
	"sync"
	"time"
)

// Claim is what an account needs of one side.
type Claim struct {
	Server string // what has one limit: a host
	Login  string // who logs in there
	Most   int    // connections that the login may have at once
}

// Servers counts the connections of a run.
type Servers struct {
	most int // connections to one server at once

	mu      sync.Mutex
	servers map[string]*server
	logins  map[[2]string]int
	changed chan struct{} // closed when something was given back, or a pause was set
}

// server is what is known of one.
type server struct {
	used   int
	most   int // below what the run allows, where the server said so; 0: as many as that
	paused time.Time
}

// NewServers makes the counter; most is how many connections one server gets, at least 1.
func NewServers(most int) *Servers {
	return &Servers{most: max(most, 1), servers: make(map[string]*server), logins: make(map[[2]string]int), changed: make(chan struct{})}
}

// Changed gives a channel that is closed when it is worth asking again. Take it before asking.
func (s *Servers) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// tell wakes up who waits for a change. The lock is held.
func (s *Servers) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Servers) at(name string) *server {
	v := s.servers[name]
	if v == nil {
		v = &server{}
		s.servers[name] = v
	}
	return v
}

func (s *Servers) limit(v *server) int {
	if v.most > 0 {
		return min(v.most, s.most)
	}
	return s.most
}

// Lower takes a server's limit down to so many connections for the rest of the run; at least 2, for an account whose
// mailboxes are both there.
func (s *Servers) Lower(name string, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.at(name)
	v.most = max(min(most, s.limit(v)), 2)
}

// Used says how many connections a server has, or has promised.
func (s *Servers) Used(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at(name).used
}

// Room tells whether a server would take one more connection: it has one left, and wants no pause.
func (s *Servers) Room(now time.Time, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.at(name)
	return !now.Before(v.paused) && v.used < s.limit(v)
}

// Reserve gives an account n connections to each of its sides, fewer where there are fewer, and nil where one side has
// none left or wants a pause. The lease must be ended.
func (s *Servers) Reserve(now time.Time, n int, claims ...Claim) *Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; n > 0; n-- {
		if l := s.reserve(now, n, claims); l != nil {
			return l
		}
	}
	return nil
}

func (s *Servers) reserve(now time.Time, n int, claims []Claim) *Lease {
	l := &Lease{of: s, claims: claims, Lanes: n, idle: make([]int, len(claims))}
	for i, c := range claims {
		if now.Before(s.at(c.Server).paused) {
			s.free(l)
			return nil
		}
		for range n {
			if !s.take(c) {
				s.free(l)
				return nil
			}
			l.idle[i]++
		}
	}
	return l
}

// take counts one connection, if there is room for it.
func (s *Servers) take(c Claim) bool {
	v, login := s.at(c.Server), [2]string{c.Server, c.Login}
	if v.used >= s.limit(v) || s.logins[login] >= max(c.Most, 1) {
		return false
	}
	v.used++
	s.logins[login]++
	return true
}

func (s *Servers) give(c Claim) {
	login := [2]string{c.Server, c.Login}
	s.at(c.Server).used--
	if s.logins[login]--; s.logins[login] == 0 {
		delete(s.logins, login)
	}
}

// free gives back what a lease holds and does not use.
func (s *Servers) free(l *Lease) {
	for i, c := range l.claims {
		for ; l.idle[i] > 0; l.idle[i]-- {
			s.give(c)
		}
	}
}

// Lease is what one account holds.
type Lease struct {
	Lanes int // connections to each side that are kept for it

	of     *Servers
	claims []Claim
	idle   []int // of those, not in use
	ended  bool
}

// Open counts a connection to one of the claims: one that is kept for the account, or another one that is free. The
// function gives it back, however often it is called.
func (l *Lease) Open(claim int) (release func(), ok bool) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	c := l.claims[claim]
	kept := l.idle[claim] > 0
	switch {
	case kept:
		l.idle[claim]--
	case l.ended || !l.of.take(c):
		return nil, false
	}
	return sync.OnceFunc(func() {
		l.of.mu.Lock()
		defer l.of.mu.Unlock()
		if kept && !l.ended {
			l.idle[claim]++
			return
		}
		l.of.give(c)
		l.of.tell()
	}), true
}

// End gives back what is kept. Connections that are still open give themselves back.
func (l *Lease) End() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.of.free(l)
		l.of.tell()
	}
}
