package sync_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// final is one final pass in this process.
func (x transfer) final(t testing.TB, passes int) (mailsync.FinalReport, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	st, err := state.Open(ctx, state.Options{Dir: x.Dir, Account: "test", Source: x.SourceUser, Target: x.TargetUser})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return mailsync.Final(ctx, x.options(st, imapx.Options{}, imapx.Options{}), mailsync.FinalOptions{Passes: passes})
}

// mustFinal is one that ends clean.
func (x transfer) mustFinal(t testing.TB) {
	t.Helper()
	if r, err := x.final(t, 0); err != nil {
		t.Fatalf("final: %v %+v", err, r)
	}
}

// messagesIn counts the messages of a folder.
func messagesIn(t *testing.T, addr string, x transfer, folder string) uint32 {
	t.Helper()
	c := client(t, addr, x)
	data, err := c.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
	must(t, err)
	must(t, c.Logout().Wait())
	return *data.NumMessages
}

// TestFinalWhileMailArrives: somebody goes on writing to the old mailbox, every half second. The final pass ends
// bounded and says so, or in a quiet moment; after it the forgotten cron line changes no flag, and mail of day 10 comes.
func TestFinalWhileMailArrives(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	o := client(t, s.src.Addr(), x)
	must(t, o.Create("Trash", nil).Wait())
	appendTo(t, o, "Trash", message("trash"))
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(500 * time.Millisecond):
				text := message(fmt.Sprint("arrives", i))
				w := o.Append("INBOX", int64(len(text)), nil)
				if _, err := io.WriteString(w, text); err != nil {
					return
				}
				if w.Close() != nil {
					return
				}
				if _, err := w.Wait(); err != nil {
					return
				}
			}
		}
	})
	var passes atomic.Int64
	busy := x
	busy.Events = func(e mailsync.Event) {
		if _, is := e.(mailsync.PassEnded); is && passes.Add(1) < 3 {
			time.Sleep(600 * time.Millisecond) // so that there is something new for each pass
		}
	}
	started := time.Now()
	r, err := busy.final(t, 3)
	if !errors.Is(err, mailsync.ErrChanging) || r.Passes != 3 || time.Since(started) > time.Minute {
		t.Fatalf("%v, %d passes in %v", err, r.Passes, time.Since(started))
	}
	close(stop)
	writer.Wait()
	x.mustFinal(t)
	s.equal(t, x, "final")

	c := client(t, s.dst.Addr(), x)
	selected(t, c, "INBOX")
	store(t, c, 1, imap.StoreFlagsSet, imap.FlagSeen, imap.FlagAnswered)
	want := contents(t, c)
	selected(t, o, "INBOX")
	for seq := uint32(1); seq < 6; seq++ {
		store(t, o, seq, imap.StoreFlagsAdd, "old-side", imap.FlagFlagged)
	}
	x.Trace = filepath.Join(t.TempDir(), "trace")
	if r := x.pass(t); r.Copied+r.Flags != 0 {
		t.Errorf("the forgotten cron line: %+v", r)
	}
	if _, target := verbs(t, x.Trace); slices.Contains(target, "STORE") || slices.Contains(target, "SELECT") {
		t.Errorf("it sent %v", target)
	}
	if got := contents(t, c); !slices.Equal(got["INBOX"], want["INBOX"]) {
		t.Errorf("%v, was %v", got["INBOX"], want["INBOX"])
	}
	before := messagesIn(t, s.dst.Addr(), x, "INBOX")
	appendTo(t, o, "INBOX", message("day 10"))
	x.Mode, x.Trace = mailsync.Tail, ""
	if r := x.pass(t); r.Copied != 1 || r.Flags != 0 || messagesIn(t, s.dst.Addr(), x, "INBOX") != before+1 {
		t.Errorf("day 10: %+v", r)
	}
	if r := x.pass(t); r.Copied != 0 {
		t.Errorf("the tail after: %+v", r)
	}
}

// proxy answers on another port from the server at addr.
func proxy(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { l.Close() })
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				running.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // ends with either connection
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	return l.Addr().String()
}

// TestProxyAsSource: the old server answers from the new one. Nothing is carried, with a ledger and without, and the
// folder that was made to find out is gone, also where a kill left it.
func TestProxyAsSource(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	x.pass(t)
	x.Source = proxy(t, s.dst.Addr())
	before, err := imaptest.TakeSnapshot(s.dst.MailDir(x.TargetUser))
	must(t, err)
	refused := func(when string, x transfer) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		x.Trace = filepath.Join(t.TempDir(), "trace")
		if _, err := x.run(ctx); !errors.Is(err, mailsync.ErrSameMailbox) || !strings.Contains(err.Error(), "on the source") {
			t.Errorf("%s: %v", when, err)
		}
		_, target := verbs(t, x.Trace)
		for _, v := range []string{"APPEND", "STORE", "EXPUNGE", "MOVE", "SUBSCRIBE"} {
			if slices.Contains(target, v) {
				t.Errorf("%s: sent %v", when, target)
			}
		}
		c := client(t, s.dst.Addr(), x)
		list, err := c.List("", "*", nil).Collect()
		must(t, err)
		for _, f := range list {
			if strings.Contains(f.Mailbox, "mailmove") {
				t.Errorf("%s: %s is left", when, f.Mailbox)
			}
		}
		must(t, c.Logout().Wait())
	}
	refused("with a ledger", x)
	fresh := x
	fresh.Dir = t.TempDir()
	refused("without a ledger", fresh)

	var folder string
	steps := func(kill int64) transfer {
		y := x
		y.KillAt = kill
		return y
	}
	for k := int64(1); k < 40 && folder == ""; k++ { // until a kill leaves it there
		_ = steps(k).start(t).Wait()
		c := client(t, s.dst.Addr(), x)
		list, err := c.List("", "mailmove*", nil).Collect()
		must(t, err)
		if len(list) > 0 {
			folder = list[0].Mailbox
		}
		must(t, c.Logout().Wait())
	}
	if folder == "" {
		t.Fatal("no kill left a folder: the test does not see what it is for")
	}
	refused("after a kill", x)
	after, err := imaptest.TakeSnapshot(s.dst.MailDir(x.TargetUser))
	must(t, err)
	for _, change := range before.Changes(after) {
		if strings.Contains(change, "cur/") || strings.Contains(change, "new/") {
			t.Errorf("the target changed: %s", change)
		}
	}
}

// TestReverseFifty: what came to the new mailbox is on the old one, once; nothing of it comes back.
func TestReverseFifty(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	x.mustFinal(t)
	c := client(t, s.dst.Addr(), x)
	for i := range 50 {
		appendTo(t, c, "INBOX", message(fmt.Sprint("written there ", i)))
	}
	selected(t, c, "INBOX")
	must(t, c.Create("Moved", nil).Wait())
	_, err := c.Move(imap.SeqSetNum(3), "Moved").Wait()
	must(t, err)
	was := messagesIn(t, s.src.Addr(), x, "INBOX")
	back := x
	back.Reverse = true
	if r := back.pass(t); r.Copied != 50 || r.Exceptions != 0 || messagesIn(t, s.src.Addr(), x, "INBOX") != was+50 {
		t.Fatalf("%d were there, then %d: %+v", was, messagesIn(t, s.src.Addr(), x, "INBOX"), r)
	}
	if r := back.pass(t); r.Copied != 0 {
		t.Errorf("again: %+v", r)
	}
	for _, mode := range []mailsync.Mode{mailsync.Ordinary, mailsync.Tail, mailsync.Whole} {
		x.Mode = mode
		if r := x.pass(t); r.Copied+r.Matched != 0 {
			t.Errorf("mode %d: %+v", mode, r)
		}
	}
}

// TestReverseDiesAtEveryStep kills the way back at each of its durable steps and wire effects: one more reverse pass
// later the source is what an undisturbed one leaves, and no forward pass carries anything of it.
func TestReverseDiesAtEveryStep(t *testing.T) {
	t.Parallel()
	g := &stage{servers: newServers(t, imaptest.Small, real.Options{}, real.Options{})}
	g.tree = t.TempDir()
	g.transfer = g.account(t)
	g.Settle, g.LateWindow = 60*time.Millisecond, 120*time.Millisecond
	o := client(t, g.src.Addr(), g.transfer)
	for i := range 4 {
		appendTo(t, o, "INBOX", message(fmt.Sprint("old", i)))
	}
	must(t, o.Logout().Wait())
	g.mustFinal(t)
	n := client(t, g.dst.Addr(), g.transfer)
	must(t, n.Create("Fresh", nil).Wait())
	for i := range 3 {
		appendTo(t, n, "INBOX", message(fmt.Sprint("new", i)))
		appendTo(t, n, "Fresh", message(fmt.Sprint("fresh", i)))
	}
	selected(t, n, "INBOX")
	_, err := n.Move(imap.SeqSetNum(2), "Fresh").Wait()
	must(t, err)
	must(t, n.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the servers write their indexes when a client has left
	g.source, g.target, g.state = t.TempDir(), t.TempDir(), g.Dir
	copyTree(t, g.src.MailDir(g.SourceUser), g.source)
	copyTree(t, g.dst.MailDir(g.TargetUser), g.target)

	back := func() transfer {
		x := g.fresh(t)
		x.Reverse = true
		return x
	}
	forward := func(x transfer, when string) {
		t.Helper()
		x.Reverse = false
		for _, mode := range []mailsync.Mode{mailsync.Ordinary, mailsync.Whole} {
			x.Mode = mode
			if r := x.pass(t); r.Copied+r.Matched+r.Followed != 0 || r.Exceptions != 0 {
				t.Fatalf("%s: a forward pass in mode %d: %+v", when, mode, r)
			}
		}
	}
	want := back()
	var steps atomic.Int64
	want.Step = func(string) { steps.Add(1) }
	if r := want.pass(t); r.Copied != 6 || r.Exceptions != 0 {
		t.Fatalf("the undisturbed pass is not the one that is meant: %+v", r)
	}
	want.Step = nil
	forward(want, "undisturbed")
	t.Logf("N = %d steps", steps.Load())
	every(t, steps.Load(), sampled(), func(t *testing.T, k int64) {
		x := back()
		child := x
		child.KillAt = k
		err := child.start(t).Wait()
		when := fmt.Sprintf("died at step %d (%v)", k, err)
		x.pass(t)
		g.sameSource(t, want, x, when)
		forward(x, when)
		g.sameSource(t, want, x, when+", after the forward passes")
		g.src.Wipe(x.SourceUser)
		g.dst.Wipe(x.TargetUser)
	})
}

// sameSource compares what two users of the source have.
func (g *stage) sameSource(t *testing.T, a, b transfer, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := imaptest.Compare(ctx, imaptest.Login{Addr: g.src.Addr(), User: a.SourceUser, Password: a.Password},
		imaptest.Login{Addr: g.src.Addr(), User: b.SourceUser, Password: b.Password}, imaptest.CompareOptions{})
	if err != nil {
		t.Fatalf("%s: referee: %v", when, err)
	}
	if !d.Equal() {
		t.Fatalf("%s: not what an undisturbed pass leaves:\n%s", when, d)
	}
}
