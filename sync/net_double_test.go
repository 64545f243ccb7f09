package sync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// doubled is an account whose first pass is over, and whose dead connection stored mail once more since. How a pass cuts
// its mail into commands is a matter of moments, and a command that is cut stores nothing: then another account is tried.
func (s *servers) doubled(t *testing.T, stored frame) transfer {
	t.Helper()
	for range 20 {
		x := s.tinyAccount(t)
		if s.double(t, x, strike{"target", "behind the literal of an APPEND", true, int64(stored.end), imaptest.BreakLate}) {
			return x
		}
		s.src.Wipe(x.SourceUser)
		s.dst.Wipe(x.TargetUser)
	}
	t.Fatal("nothing landed late")
	return transfer{}
}

// double reports that something landed late.
func (s *servers) double(t *testing.T, x transfer, k strike) bool {
	t.Helper()
	cut := x
	f := k.faults()
	over := make(chan struct{})
	f.LateUntil = over
	p, err := imaptest.NewProxy(x.Target, f)
	must(t, err)
	defer p.Close()
	cut.Target = p.Addr()
	cut.pass(t)
	close(over)
	c := client(t, s.dst.Addr(), x)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var n uint32
		for _, folder := range []string{"INBOX", "Files"} {
			st, err := c.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
			must(t, err)
			n += *st.NumMessages
		}
		if n > 4 {
			return true
		}
	}
	return false
}

// TestDisturbedRemoval refuses the commands that remove a late double, or keeps their answers.
func TestDisturbedRemoval(t *testing.T) {
	t.Parallel()
	s := tinyServers(t, real.Options{})
	_, target := s.recorded(t)
	stored := frameWith(t, framesOf(target.up), " APPEND ", true)
	type fault struct {
		verb string
		how  imaptest.Meddling
		code string
	}
	var all []fault
	for _, verb := range []string{"UID EXPUNGE", "UID STORE", "SELECT", "UID SEARCH"} {
		all = append(all, fault{verb, imaptest.LoseAnswer, ""}, fault{verb, imaptest.MuteAnswer, ""},
			fault{verb, imaptest.AnswerNo, "UNAVAILABLE"}, fault{verb, imaptest.AnswerBye, "SERVERBUG"})
	}
	atOnce(t, all, func(t *testing.T, f fault) {
		x := s.doubled(t, stored)
		m, err := imaptest.NewMeddler(x.Target, imaptest.Meddle{Verb: f.verb, How: f.how, Code: f.code})
		must(t, err)
		defer m.Close()
		disturbed := x
		disturbed.Target, disturbed.Timeout = m.Addr(), stallTimeout
		r := disturbed.pass(t)
		when := fmt.Sprintf("%s, how %d, [%s]", f.verb, f.how, f.code)
		if m.Hits() == 0 {
			t.Fatalf("%s: befell none of %v", when, m.Commands())
		}
		t.Logf("%s: %d doubles removed, %d exceptions", when, r.Doubles, r.Exceptions)
		s.settled(t, x, when)
	})
}
