package sync_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// middle is a day that parts the mail of an account in two: the middle one of INBOX.
func (s *servers) middle(t *testing.T, x transfer) time.Time {
	t.Helper()
	c := client(t, s.src.Addr(), x)
	selected(t, c, "INBOX")
	list, err := c.Fetch(imap.SeqSet{imap.SeqRange{Start: 1, Stop: 0}}, &imap.FetchOptions{InternalDate: true}).Collect()
	must(t, err)
	must(t, c.Logout().Wait())
	slices.SortFunc(list, func(a, b *imapclient.FetchMessageBuffer) int { return a.InternalDate.Compare(b.InternalDate) })
	return list[len(list)/2].InternalDate
}

// summary is what mailmove status reads.
func (x transfer) summary(t *testing.T) state.Tally {
	t.Helper()
	all, err := state.List(x.Dir)
	must(t, err)
	s, err := state.Inspect(context.Background(), all[0])
	must(t, err)
	return s.Messages
}

// TestPreStaging carries the newest mail first, then what is small, then all: the sum is what one pass would have
// carried, each message once, and at each moment every message is counted.
func TestPreStaging(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	x := s.account(t)
	day := s.middle(t, x)
	var copied, all int64
	for i, f := range []mailsync.Filter{{NewerThan: day}, {NewerThan: day}, {NewerThan: day, MaxSize: 3000}, {MaxSize: 3000}, {OlderThan: day, MaxSize: 9000}, {}} {
		x.Filter, x.Trace = f, filepath.Join(t.TempDir(), "trace")
		r := x.pass(t)
		copied, all = copied+r.Copied, r.SourceMessages
		m := x.summary(t)
		t.Logf("filter %d: %d copied, %d deferred", i, r.Copied, r.Deferred)
		if r.Exceptions != 0 || m.Deferred != r.Deferred || m.Stored != copied || m.Stored+m.Deferred != all || m.Moved+m.Gone+m.Refused+m.SourceGone != 0 {
			t.Fatalf("filter %d: %+v, the state has %+v", i, r, m)
		}
		source, _ := verbs(t, x.Trace)
		if wider := i != 1 && i != 2; (r.Copied > 0) != wider || slices.Contains(source, "FETCH") != wider {
			t.Fatalf("filter %d: %d copied, and the source was sent %v", i, r.Copied, source)
		}
	}
	s.equal(t, x, "at the end")
	x.Filter, x.Trace = mailsync.Filter{}, ""
	quiet(t, x, "after that")
}

// TestDieWithFilter kills a first pass with a filter, and the one without that carries the rest, at their steps.
func TestDieWithFilter(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	day := s.middle(t, s.account(t))
	fresh := func(t *testing.T) transfer {
		x := s.account(t)
		x.Settle, x.LateWindow = 60*time.Millisecond, 120*time.Millisecond
		return x
	}
	for name, filters := range map[string][]mailsync.Filter{
		"with it":    {{NewerThan: day}},
		"without it": {{NewerThan: day}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(t *testing.T, last func(transfer)) transfer {
				x := fresh(t)
				for i, f := range filters {
					x.Filter = f
					if i < len(filters)-1 {
						x.pass(t)
					}
				}
				last(x)
				return x
			}
			var n atomic.Int64
			run(t, func(x transfer) {
				x.Step = func(string) { n.Add(1) }
				if r := x.pass(t); r.Copied == 0 || name == "with it" && r.Deferred == 0 {
					t.Fatalf("not the pass that is meant: %+v", r)
				}
			})
			t.Logf("N = %d steps", n.Load())
			every(t, n.Load(), sparse(), func(t *testing.T, k int64) {
				when := fmt.Sprintf("died at step %d", k)
				x := run(t, func(x transfer) {
					x.KillAt = k
					_ = x.start(t).Wait() // killed, or done where it had fewer steps
				})
				x.Filter = mailsync.Filter{NewerThan: day.AddDate(0, 1, 0)} // narrower than the one that died
				x.pass(t)
				x.Filter = mailsync.Filter{}
				if r := x.pass(t); r.Deferred != 0 {
					t.Errorf("%s: %+v", when, r)
				}
				s.equal(t, x, when)
				writesNothing(t, x, when)
				s.src.Wipe(x.SourceUser)
				s.dst.Wipe(x.TargetUser)
			})
		})
	}
}

// TestKeywordsInTheirFirstSpelling: Dovecot shows a keyword of a folder as it was first written there, whatever comes
// later. That is the same keyword, no loss and no touch of its user.
func TestKeywordsInTheirFirstSpelling(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	s.tree = t.TempDir()
	x := s.account(t)
	put := func(addr, id string, flags ...imap.Flag) {
		c := client(t, addr, x)
		_ = c.Create("Work", nil).Wait() // is there already for the second
		text := message(id)
		w := c.Append("Work", int64(len(text)), &imap.AppendOptions{Flags: flags})
		_, err := w.Write([]byte(text))
		must(t, err)
		must(t, w.Close())
		_, err = w.Wait()
		must(t, err)
		must(t, c.Logout().Wait())
	}
	put(s.dst.Addr(), "theirs", "$LABEL1")
	for _, id := range []string{"a", "b"} {
		put(s.src.Addr(), id, "$label1", "$Forwarded", "$MDNSent", "NonJunk")
	}
	if r := x.pass(t); r.Copied != 2 || r.Exceptions != 0 {
		t.Fatalf("%+v", r)
	}
	n := client(t, s.dst.Addr(), x)
	selected(t, n, "Work")
	list, err := n.Fetch(imap.SeqSetNum(2), &imap.FetchOptions{Flags: true}).Collect()
	must(t, err)
	must(t, n.Logout().Wait())
	for _, f := range []imap.Flag{"$LABEL1", "$Forwarded", "$MDNSent", "NonJunk"} {
		if !slices.Contains(list[0].Flags, f) {
			t.Errorf("%s is not there as it should be: %v", f, list[0].Flags)
		}
	}
	quiet(t, x, "after that")
	c := client(t, s.src.Addr(), x)
	selected(t, c, "Work")
	_, err = c.Move(imap.SeqSetNum(1), "INBOX").Wait()
	must(t, err)
	must(t, c.Logout().Wait())
	if r := x.pass(t); r.Followed != 1 || r.Copied != 0 {
		t.Errorf("a copy with its keywords in another spelling passes for touched: %+v", r)
	}
}

// TestDatesThatSayNothing: Dovecot keeps an INTERNALDATE of 1970 as it keeps any other.
func TestDatesThatSayNothing(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	s.tree = t.TempDir()
	x := s.account(t)
	c := client(t, s.src.Addr(), x)
	text := message("zero")
	w := c.Append("INBOX", int64(len(text)), &imap.AppendOptions{Time: time.Unix(0, 0).UTC()})
	_, err := w.Write([]byte(text))
	must(t, err)
	must(t, w.Close())
	_, err = w.Wait()
	must(t, err)
	must(t, c.Logout().Wait())
	n := client(t, s.dst.Addr(), x)
	for _, id := range []string{"one", "two"} { // without them two servers of one second look like one
		appendTo(t, n, "INBOX", message(id))
	}
	if r := x.pass(t); r.Copied != 1 || r.NewExceptions != 1 {
		t.Fatalf("%+v", r)
	}
	selected(t, n, "INBOX")
	list, err := n.Fetch(imap.SeqSetNum(3), &imap.FetchOptions{InternalDate: true}).Collect()
	must(t, err)
	must(t, n.Logout().Wait())
	if got := list[0].InternalDate.UTC(); got != time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC) {
		t.Errorf("carried with %v", got)
	}
	quiet(t, x, "after that")
	x.Dir = t.TempDir()
	if r := x.pass(t); r.Matched != 1 || r.Copied != 0 {
		t.Errorf("without state: %+v", r)
	}
}
