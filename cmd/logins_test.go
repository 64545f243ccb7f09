package cmd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"mailmove/imapx"
	"mailmove/imapx/auth"
)

func TestLoginServer(t *testing.T) {
	for _, c := range []struct {
		ep   imapx.Endpoint
		want string
	}{
		{imapx.Endpoint{Host: "Mail.old.example.", Port: 993}, "mail.old.example"},
		{imapx.Endpoint{Host: "mail.old.example", Port: 143, TLS: imapx.TLSStartTLS}, "mail.old.example"},
		{imapx.Endpoint{Host: "127.0.0.1", Port: 1993}, "127.0.0.1:1993"},
		{imapx.Endpoint{Host: "mail.old.example", Port: 993, Address: "192.0.2.7"}, "192.0.2.7"},
		{imapx.Endpoint{Host: "mail.old.example", Port: 993, Address: "[2001:db8::7]:1993"}, "[2001:db8::7]:1993"},
	} {
		if got := loginServer(c.ep); got != c.want {
			t.Errorf("%+v: %q, want %q", c.ep, got, c.want)
		}
	}
	one, two := imapx.Endpoint{User: "admin", AuthzID: "alice"}, imapx.Endpoint{User: "admin", AuthzID: "bob"}
	if loginUser(one) == loginUser(two) || loginUser(imapx.Endpoint{User: "alice*admin"}) != "alice*admin" {
		t.Errorf("%q, %q", loginUser(one), loginUser(two))
	}
}

// Only what the server said of the credential counts as a failed login.
func TestWasRefused(t *testing.T) {
	for _, c := range []struct {
		err  imapx.Error
		want bool
	}{
		{imapx.Error{Kind: imapx.KindAuth, Code: "AUTHENTICATIONFAILED"}, true},
		{imapx.Error{Kind: imapx.KindAuth, Text: "no"}, true},
		{imapx.Error{Kind: imapx.KindAuth, Code: "PRIVACYREQUIRED"}, false},
		{imapx.Error{Kind: imapx.KindAuth, Err: auth.ErrDisabled}, false},
		{imapx.Error{Kind: imapx.KindAuth, Err: auth.ErrNoAuthzID}, false},
		{imapx.Error{Kind: imapx.KindUnavailable, Code: "UNAVAILABLE"}, false},
		{imapx.Error{Kind: imapx.KindConnect}, false},
	} {
		if got := wasRefused(&c.err); got != c.want {
			t.Errorf("%+v: %v", c.err, got)
		}
	}
}

type session struct{}

func (session) Close() error { return nil }

// Whoever comes while the first login is under way shares its answer; later ones depend on what it was.
func TestGate(t *testing.T) {
	refused := &imapx.Error{Kind: imapx.KindAuth}
	lost := &imapx.Error{Kind: imapx.KindLost}
	for _, c := range []struct {
		name  string
		first error
		later int64 // dials of one that comes afterwards
	}{{"refused", refused, 0}, {"lost", lost, 1}} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(nil, imapx.Endpoint{}, false)
			var dials, failed atomic.Int64
			begun, end := make(chan struct{}), make(chan struct{})
			dial := func() (session, error) {
				if dials.Add(1) == 1 {
					close(begun)
				}
				<-end
				return session{}, c.first
			}
			var all sync.WaitGroup
			login := func() {
				if _, err := through(t.Context(), g, dial); errors.Is(err, c.first) {
					failed.Add(1)
				}
			}
			all.Go(login)
			<-begun
			stopped, stop := context.WithCancel(t.Context())
			stop()
			if _, err := through(stopped, g, dial); !errors.Is(err, context.Canceled) {
				t.Errorf("one that was stopped while it waited: %v", err)
			}
			close(end)
			all.Wait()
			if dials.Load() != 1 || failed.Load() != 1 {
				t.Fatalf("%d dials, %d failed", dials.Load(), failed.Load())
			}
			login()
			if got := dials.Load() - 1; got != c.later || failed.Load() != 2 {
				t.Errorf("afterwards %d dials, %d failed", got, failed.Load())
			}
		})
	}
	g := newGate(nil, imapx.Endpoint{}, false)
	if _, err := through(t.Context(), g, func() (session, error) { return session{}, nil }); err != nil {
		t.Fatal(err)
	}
	// A login that worked may be refused later, for a limit: that is no answer for the whole run.
	for range 2 {
		if _, err := through(t.Context(), g, func() (session, error) { return session{}, refused }); !errors.Is(err, refused) {
			t.Error(err)
		}
	}
}
