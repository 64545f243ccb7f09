package imapx_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// late delivers what is read from a connection after a delay, without slowing down what follows.
type late struct {
	net.Conn
	delay time.Duration
	in    chan piece
	once  sync.Once
	left  []byte
}

type piece struct {
	due  time.Time
	data []byte
	err  error
}

func (l *late) Read(p []byte) (int, error) {
	l.once.Do(func() {
		go func() {
			for {
				b := make([]byte, 64<<10)
				n, err := l.Conn.Read(b)
				l.in <- piece{time.Now().Add(l.delay), b[:n], err}
				if err != nil {
					return
				}
			}
		}()
	})
	if len(l.left) == 0 {
		x := <-l.in
		time.Sleep(time.Until(x.due))
		if len(x.data) == 0 {
			return 0, x.err
		}
		l.left = x.data
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// TestManyFoldersShareRoundTrips: thirty folders with their mail cost a few round trips, not thirty times three.
func TestManyFoldersShareRoundTrips(t *testing.T) {
	const n, rtt = 30, 300 * time.Millisecond
	s := real.Dovecot(t, real.Options{})
	user := s.FreshUser()
	ctx := within(t, time.Minute)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &late{Conn: nc, delay: rtt, in: make(chan piece, 10000)}, err
	}
	tgt, err := imapx.DialTarget(ctx, endpoint(t, s.Addr(), user), imapx.Options{Dial: dial, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer tgt.Close()
	var prepare []imapx.Prepare
	for i := range n {
		prepare = append(prepare, imapx.Prepare{Folder: fmt.Sprint("f", i), Create: true, Subscribe: true, Open: true})
	}
	timed := func(what string, trips int, do func()) {
		t.Helper()
		start := time.Now()
		do()
		if d := time.Since(start); d > time.Duration(trips)*rtt+rtt/2+3*time.Second {
			t.Errorf("%s took %v, more than %d round trips", what, d, trips)
		} else {
			t.Logf("%s: %v", what, d)
		}
	}
	timed("prepare", 1, func() {
		if _, err := tgt.Prepare(ctx, prepare); err != nil {
			t.Fatal(err)
		}
	})
	timed("append", 1, func() {
		var sent []imapx.Pending
		for i := range n {
			p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: fmt.Sprint("f", i), Messages: []imapx.AppendMessage{
				{Flags: []imap.Flag{imap.FlagSeen}, Body: text(fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i))}}})
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, p)
		}
		for _, p := range sent {
			if a, err := p.Wait(ctx); err != nil || a.Errs[0] != nil {
				t.Fatal(err, a.Errs)
			}
		}
	})
	timed("visit", 2, func() {
		var wg sync.WaitGroup
		for i := range n {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var c collector
				_, err := tgt.Visit(ctx, imapx.Visit{Folder: fmt.Sprint("f", i), Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantBody}}}, c.handler())
				if err != nil || len(c.messages) != 1 || string(c.body(t, 1)) != fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i) {
					t.Errorf("%d: %v %v", i, err, c.messages)
				}
			}()
		}
		wg.Wait()
	})
	timed("list", 1, func() {
		if got := len(folderNames(t, ctx, tgt)); got != n+1 {
			t.Errorf("%d folders", got)
		}
	})
}

func folderNames(t *testing.T, ctx context.Context, tgt *imapx.Target) (names []string) {
	l, err := tgt.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range l.Folders {
		names = append(names, f.Name)
	}
	return names
}
