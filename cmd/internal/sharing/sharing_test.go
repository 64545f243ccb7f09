package sharing

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func claim(server, login string) Claim { return Claim{Server: server, Login: login, Most: 2} }

// Both sides or none: what one side refuses is not kept from the other.
func TestAnAccountGetsBothSidesOrNone(t *testing.T) {
	s := NewServers(2)
	now := time.Now()
	a := s.Reserve(now, 2, claim("old", "a"), claim("new", "a"))
	if a == nil || a.Lanes != 2 {
		t.Fatal(a)
	}
	if b := s.Reserve(now, 1, claim("other", "b"), claim("new", "b")); b != nil {
		t.Error("a full server gave a connection")
	}
	if n := s.Used("other"); n != 0 {
		t.Errorf("%d connections are kept at a server for an account that got none", n)
	}
	waits := s.Changed()
	a.End()
	select {
	case <-waits:
	default:
		t.Error("nobody was told that there is room")
	}
	if b := s.Reserve(now, 2, claim("other", "b"), claim("new", "b")); b == nil || s.Used("new") != 2 {
		t.Error("there is room and it was not given")
	}
}

// With one connection left an account that wants two gets one, and both sides at one server count together.
func TestFewerThanWanted(t *testing.T) {
	s := NewServers(3)
	now := time.Now()
	if l := s.Reserve(now, 2, claim("one", "a"), claim("one", "b")); l == nil || l.Lanes != 1 || s.Used("one") != 2 {
		t.Fatalf("%+v, %d in use", l, s.Used("one"))
	}
	if l := s.Reserve(now, 1, claim("one", "a"), claim("one", "b")); l != nil {
		t.Error("four connections to a server that takes three")
	}
}

func TestOneLoginHasItsOwnLimit(t *testing.T) {
	s := NewServers(8)
	now := time.Now()
	a := s.Reserve(now, 2, claim("old", "shared"), claim("new", "a"))
	if a == nil || s.Reserve(now, 1, claim("old", "shared"), claim("new", "b")) != nil {
		t.Error("a login has more connections than it may")
	}
	a.End()
	if b := s.Reserve(now, 1, claim("old", "shared"), claim("new", "b")); b == nil {
		t.Error("what was given back is not given out")
	}
}

// A connection beyond those that are kept is given while there is room, and counts until it is closed.
func TestFurtherConnections(t *testing.T) {
	s := NewServers(2)
	l := s.Reserve(time.Now(), 1, claim("old", "a"), claim("new", "a"))
	first, ok := l.Open(0)
	if !ok {
		t.Fatal("the one that is kept was refused")
	}
	second, ok := l.Open(0)
	if !ok {
		t.Fatal("there was room for a second one")
	}
	if _, ok := l.Open(0); ok {
		t.Error("three connections to a server that takes two")
	}
	first()
	first() // a session may be closed twice
	if s.Used("old") != 2 {
		t.Errorf("%d in use; one is open and one is kept", s.Used("old"))
	}
	l.End()
	if s.Used("old") != 1 {
		t.Errorf("%d in use after the end, one is still open", s.Used("old"))
	}
	second()
	if s.Used("old") != 0 || s.Used("new") != 0 {
		t.Error("not all was given back")
	}
	if _, ok := l.Open(0); ok {
		t.Error("a lease that has ended gave a connection")
	}
}

func TestALowerLimit(t *testing.T) {
	s := NewServers(8)
	s.Lower("old", 0)
	if l := s.Reserve(time.Now(), 4, claim("old", "a")); l == nil || l.Lanes != 2 {
		t.Errorf("%+v", l)
	}
	s.Lower("new", 20)
	if l := s.Reserve(time.Now(), 20, Claim{Server: "new", Most: 99}); l.Lanes != 8 {
		t.Errorf("a limit was raised: %d", l.Lanes)
	}
}

func TestAPauseIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServers(8)
		start := time.Now()
		s.Pause("old", start.Add(time.Minute))
		s.Pause("old", start.Add(time.Second)) // the longer one stays
		if s.Reserve(start, 1, claim("old", "a"), claim("new", "a")) != nil || s.Used("new") != 0 {
			t.Error("an account was begun at a server that wants a pause")
		}
		s.Pause("later", start.Add(time.Hour))
		if got := s.NextResume(start); !got.Equal(start.Add(time.Minute)) {
			t.Errorf("the first pause ends at %v", got)
		}
		if err := s.Wait(context.Background(), "old"); err != nil || time.Since(start) != time.Minute {
			t.Errorf("waited %v, %v", time.Since(start), err)
		}
		if s.Reserve(time.Now(), 1, claim("old", "a"), claim("new", "a")) == nil {
			t.Error("the pause is over")
		}
		s.Pause("old", time.Now().Add(time.Hour))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Wait(ctx, "old"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait outlasted its context: %v", err)
		}
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		r := NewRate(1000)
		start := time.Now()
		for range 50 { // 5000 units: one second's worth at once
			if err := r.Take(ctx, 100); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < 3*time.Second || d > 5*time.Second {
			t.Errorf("5000 units at 1000 a second took %v", d)
		}
		if err := NewRate(0).Take(ctx, 1<<40); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := r.Take(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait outlasted its context: %v", err)
		}
	})
}
