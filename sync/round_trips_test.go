package sync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// roundTripTime is long beside what a server needs to answer, so that round trips can be counted.
const roundTripTime = 20 * time.Millisecond

// trips runs a pass behind two lines of some delay and gives the round trips of the busiest connection of each side: a
// figure that does not depend on the machine.
func (s *servers) trips(t *testing.T, x transfer) (source, target int) {
	t.Helper()
	var lines [2]*imaptest.Proxy
	for i, addr := range []*string{&x.Source, &x.Target} {
		p, err := imaptest.NewProxy(*addr, imaptest.Faults{RTT: roundTripTime})
		must(t, err)
		defer p.Close()
		*addr, lines[i] = p.Addr(), p
	}
	started := time.Now()
	x.pass(t)
	t.Logf("%.1f round trips in all", float64(time.Since(started))/float64(roundTripTime))
	return lines[0].Stats().MaxRoundTrips, lines[1].Stats().MaxRoundTrips
}

// TestRoundTrips bounds the round trips after the connection stands: the login, the work, and the end.
func TestRoundTrips(t *testing.T) {
	s := &servers{src: real.Dovecot(t, real.Options{Extra: manyLogins}), dst: real.Dovecot(t, real.Options{Extra: manyLogins})}
	setup := transfer{TargetUser: s.src.FreshUser(), Password: real.Password}
	c := client(t, s.src.Addr(), setup)
	for f := range 20 {
		folder := fmt.Sprintf("Folder %d", f)
		must(t, c.Create(folder, nil).Wait())
		must(t, c.Subscribe(folder).Wait())
		for i := range 5 {
			appendTo(t, c, folder, message(fmt.Sprint(f, " ", i)))
		}
	}
	must(t, c.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the server writes its indexes when a client has left
	s.tree = s.src.MailDir(setup.TargetUser)

	x := s.account(t)
	check := func(what string, source, target int) {
		t.Helper()
		a, b := s.trips(t, x)
		if a > source || b > target {
			t.Errorf("%s: %d round trips on the source, %d on the target; %d and %d are enough", what, a, b, source, target)
		}
		t.Logf("%s: %d on the source, %d on the target", what, a, b)
	}
	check("first pass of 20 small folders", 5, 6)
	s.equal(t, x, "first pass")
	check("nothing new", 3, 3)
	change := func(do func()) {
		login := x
		login.TargetUser = x.SourceUser
		c = client(t, s.src.Addr(), login)
		do()
		must(t, c.Logout().Wait())
		time.Sleep(50 * time.Millisecond)
	}
	change(func() { appendTo(t, c, "Folder 3", message("new")) })
	check("one new message", 6, 6)
	change(func() {
		selected(t, c, "Folder 4")
		store(t, c, 2, imap.StoreFlagsAdd, imap.FlagFlagged)
	})
	check("one changed flag", 6, 8)
	s.equal(t, x, "at the end")
}
