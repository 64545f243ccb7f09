package sync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// person works in a mailbox: mail arrives, is flagged, moved and deleted, folders are made and renamed. What a
// mail program is refused in such a moment is no failure.
type person struct {
	c       *imapclient.Client
	rng     *rand.Rand
	name    string
	n       int
	folders []string

	mu      sync.Mutex
	deleted map[string]bool // Message-IDs
}

func newPerson(c *imapclient.Client, name string, rng *rand.Rand) *person {
	return &person{c: c, rng: rng, name: name, folders: []string{"INBOX", "Sent", "Archive"}, deleted: map[string]bool{}}
}

func (p *person) folder() string { return p.folders[p.rng.IntN(len(p.folders))] }

// act does one thing. An error is the end of the connection: these are folders and messages of the person's own.
func (p *person) act() error {
	p.n++
	switch p.rng.IntN(8) {
	case 0, 1, 2:
		text := message(fmt.Sprintf("%s-%d", p.name, p.n))
		w := p.c.Append(p.folder(), int64(len(text)), nil)
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		_, err := w.Wait()
		return err
	case 3:
		name := fmt.Sprintf("%s folder %d", p.name, p.n)
		p.folders = append(p.folders, name)
		return p.c.Create(name, nil).Wait()
	case 4:
		i := p.rng.IntN(len(p.folders))
		if i < 3 {
			return nil
		}
		if p.c.State() == imap.ConnStateSelected { // Dovecot hangs up when the open folder is renamed
			if err := p.c.Unselect().Wait(); err != nil {
				return err
			}
		}
		old := p.folders[i]
		p.folders[i] = fmt.Sprintf("%s renamed %d", p.name, p.n)
		return p.c.Rename(old, p.folders[i], nil).Wait()
	}
	return p.touch()
}

// touch flags, moves or deletes one message.
func (p *person) touch() error {
	from := p.folder()
	data, err := p.c.Select(from, nil).Wait()
	if err != nil || data.NumMessages == 0 {
		return err
	}
	one := imap.SeqSetNum(1 + uint32(p.rng.IntN(int(data.NumMessages))))
	flag := func(f imap.Flag) error {
		return p.c.Store(one, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{f}, Silent: true}, nil).Close()
	}
	switch p.rng.IntN(3) {
	case 0:
		return flag(imap.FlagFlagged)
	case 1:
		to := p.folder()
		if to == from {
			return nil
		}
		_, err := p.c.Move(one, to).Wait()
		return err
	}
	list, err := p.c.Fetch(one, &imap.FetchOptions{Envelope: true}).Collect()
	if err != nil {
		return err
	}
	p.mu.Lock()
	for _, m := range list {
		p.deleted[m.Envelope.MessageID] = true
	}
	p.mu.Unlock()
	if err := flag(imap.FlagDeleted); err != nil {
		return err
	}
	return p.c.Expunge().Close()
}

// TestWhilePeopleWork lets people work on both sides while passes run. When they have stopped, two passes later every
// message of the source is on the target, in whatever folder, and none is there twice.
func TestWhilePeopleWork(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	s.tree = t.TempDir()
	x := s.account(t)
	rng := seed(t)
	setup := client(t, s.src.Addr(), x)
	for _, f := range []string{"Sent", "Archive"} {
		must(t, setup.Create(f, nil).Wait())
	}
	for i := range 60 {
		appendTo(t, setup, []string{"INBOX", "Sent", "Archive"}[i%3], message(fmt.Sprint("before-", i)))
	}
	x.pass(t)

	people := []*person{
		newPerson(client(t, s.src.Addr(), x), "old", rand.New(rand.NewPCG(rng.Uint64(), 1))),
		newPerson(client(t, s.dst.Addr(), x), "new", rand.New(rand.NewPCG(rng.Uint64(), 2))),
	}
	ctx, stop := context.WithTimeout(context.Background(), 6*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for _, p := range people {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := p.act(); err != nil {
					t.Logf("%s stopped after %d things: %v", p.name, p.n, err)
					return
				}
				time.Sleep(time.Duration(p.rng.IntN(50)) * time.Millisecond)
			}
		})
	}
	passes := 0
	var said []mailsync.Event
	x.Events = func(e mailsync.Event) {
		if x, ok := e.(mailsync.Exception); ok && x.Reason != "moved" { // both moved the same message
			said = append(said, e)
		}
	}
	for ; ctx.Err() == nil; passes++ {
		x.pass(t)
	}
	wg.Wait()
	x.pass(t)
	x.pass(t)
	quiet(t, x, "when people have stopped")
	t.Logf("%d passes; %d and %d things done", passes, people[0].n, people[1].n)
	if len(said) > 0 {
		t.Errorf("exceptions while folders came and went: %v", said)
	}
	if people[0].n < 50 || people[1].n < 50 {
		t.Error("people did little")
	}

	src, dst := identities(t, s.src.Addr(), x), identities(t, s.dst.Addr(), x)
	for id, in := range src {
		if len(dst[id]) < len(in) && !people[1].deleted[id] {
			t.Errorf("lost: %s is in %q on the source, in %q on the target", id, in, dst[id])
		}
	}
	var doubled []string
	for id, in := range dst {
		if len(in) > 1 {
			doubled = append(doubled, fmt.Sprintf("%s is in %q on the target, in %q on the source", id, in, src[id]))
		}
	}
	if len(doubled) > 0 {
		t.Errorf("%d of %d messages are there twice: %q", len(doubled), len(dst), doubled)
	}
}

// identities gives for each Message-ID where it is.
func identities(t *testing.T, addr string, x transfer) map[string][]string {
	t.Helper()
	c := client(t, addr, x)
	list, err := c.List("", "*", nil).Collect()
	must(t, err)
	out := make(map[string][]string)
	for _, f := range list {
		data, err := c.Select(f.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil || data.NumMessages == 0 {
			continue
		}
		got, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Envelope: true}).Collect()
		must(t, err)
		for _, m := range got {
			id := strings.TrimSpace(m.Envelope.MessageID)
			out[id] = append(out[id], fmt.Sprintf("%s uid %d", f.Mailbox, m.UID))
		}
	}
	if len(out) == 0 {
		t.Fatal("no messages at all")
	}
	return out
}
