package sync_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// Of these tests: how long a connection may be silent, and how much later at most the end of it is noticed on a
// machine that has other things to do.
const (
	stallTimeout = 500 * time.Millisecond
	stallSlack   = 20 * time.Second
)

// stalled lets a connection go silent in a pass, which has to notice and to go on over a new one. On a machine that is busy
// enough the first connection can end before that place, for another reason: then once more, with another account.
func (s *servers) stalled(t *testing.T, k strike) {
	t.Helper()
	for range 5 {
		if s.fellSilent(t, s.tinyAccount(t), k) {
			return
		}
		t.Logf("%v: the connection ended before", k)
	}
	t.Fatalf("%v: no connection came that far", k)
}

func (s *servers) fellSilent(t *testing.T, x transfer, k strike) bool {
	t.Helper()
	direct := x
	x.Timeout = stallTimeout
	p := k.through(t, &x)
	var noticed atomic.Int64
	started := time.Now()
	x.Events = func(e mailsync.Event) {
		if th, ok := e.(mailsync.Throttled); ok && th.Side == k.side && noticed.Load() == 0 {
			noticed.Store(int64(time.Since(started)))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := x.run(ctx); err != nil {
		t.Fatalf("%v: %v", k, err)
	}
	after := time.Duration(noticed.Load())
	if p.Stats().Breaks == 0 {
		return false
	}
	if p.Stats().Breaks != 1 || after < stallTimeout || after > stallTimeout+stallSlack {
		t.Fatalf("%v: %d connections fell silent, noticed after %v", k, p.Stats().Breaks, after)
	}
	t.Logf("%v: noticed %v after the pass began", k, after.Round(time.Millisecond))
	p.Close()
	s.settled(t, direct, k.String())
	s.src.Wipe(direct.SourceUser)
	s.dst.Wipe(direct.TargetUser)
	return true
}

// middle is a place inside a stretch.
func middle(from, to int) int64 { return int64(from+to) / 2 }

// TestStalls lets connections fall silent where it hurts: in a literal, in a line, before the tagged answer. Either
// everything is swallowed, or nothing is taken any more.
func TestStalls(t *testing.T) {
	t.Parallel()
	s := tinyServers(t, real.Options{})
	source, target := s.recorded(t)
	stored := frameWith(t, framesOf(target.up), " APPEND ", true)
	answer := frameWith(t, framesOf(target.down), `OK \[APPENDUID`, false)
	login := frameWith(t, framesOf(target.up), "AUTHENTICATE|LOGIN", false)
	fetch := frameWith(t, framesOf(source.down), " FETCH ", true)
	fetched := frameWith(t, framesOf(source.down), `^m\w+ OK .*[Ff]etch`, false)
	asked := frameWith(t, framesOf(source.up), "UID FETCH", false)
	var all []strike
	for _, how := range []imaptest.Break{imaptest.BreakHole, imaptest.BreakFull} {
		all = append(all,
			strike{"target", "in the login", true, middle(login.start, login.end), how},
			strike{"target", "in the line of an APPEND", true, middle(stored.start, stored.literals[0][0]), how},
			strike{"target", "in the literal of an APPEND", true, middle(stored.literals[0][0], stored.literals[0][1]), how},
			strike{"target", "before the last byte of an APPEND", true, int64(stored.end - 1), how},
			strike{"target", "before the answer to APPEND", false, int64(answer.start), how},
			strike{"target", "in the answer to APPEND", false, middle(answer.start, answer.end), how},
			strike{"source", "in a FETCH command", true, middle(asked.start, asked.end), how},
			strike{"source", "in the line of a message", false, middle(fetch.start, fetch.literals[0][0]), how},
			strike{"source", "in the literal of a message", false, middle(fetch.literals[0][0], fetch.literals[0][1]), how},
			strike{"source", "before the answer to FETCH", false, int64(fetched.start), how},
			strike{"source", "in the answer to FETCH", false, middle(fetched.start, fetched.end), how},
		)
	}
	atOnce(t, all, func(t *testing.T, k strike) { s.stalled(t, k) })
}

// TestStallInLargeMessage: here the sockets are full on both sides, so that it is the write that has to give up.
func TestStallInLargeMessage(t *testing.T) {
	t.Parallel()
	s := &servers{src: real.Dovecot(t, real.Options{}), dst: real.Dovecot(t, real.Options{})}
	x := transfer{TargetUser: s.src.FreshUser(), Password: real.Password}
	c := client(t, s.src.Addr(), x)
	line := strings.Repeat("x", 70) + "\r\n"
	appendTo(t, c, "INBOX", "Message-ID: <large@x>\r\n\r\n"+string(bytes.Repeat([]byte(line), 24<<20/len(line))))
	appendTo(t, c, "INBOX", tiny(1))
	must(t, c.Logout().Wait())
	time.Sleep(50 * time.Millisecond)
	s.tree = s.src.MailDir(x.TargetUser)
	for _, k := range []strike{
		{"target", "in a large literal", true, 3 << 20, imaptest.BreakFull},
		{"target", "in a large literal", true, 3 << 20, imaptest.BreakHole},
		{"source", "in a large literal", false, 3 << 20, imaptest.BreakFull},
	} {
		t.Run(fmt.Sprint(k), func(t *testing.T) { s.stalled(t, k) })
	}
}
