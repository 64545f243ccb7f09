package imapx_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest/real"
)

// endpoint is the clear-text login of a user on a test server.
func endpoint(t testing.TB, addr, user string) imapx.Endpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return imapx.Endpoint{Side: "source", Host: host, Port: n, TLS: imapx.TLSNone, User: user, Password: auth.NewSecret(real.Password)}
}

// within gives a test's context.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// traceTo writes the protocol to the test's log when it fails.
func traceTo(t testing.TB) io.Writer {
	w := &lockedBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("trace:\n%s", w.String())
		}
	})
	return w
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// memory is a Body in memory that notices misuse.
type memory struct {
	bytes.Buffer
	size     int64
	released *int
}

func (m *memory) Len() int64 { return m.size }
func (m *memory) Release()   { *m.released++ }
func (m *memory) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.Bytes())
	return int64(n), err
}

// collector keeps what a visit brings.
type collector struct {
	opened   []imapx.Opened
	messages map[imap.UID]imapx.Message
	twice    []imap.UID
	uids     imap.UIDSet
	alive    int
	freed    int
}

func (c *collector) handler() imapx.VisitHandler {
	c.messages = map[imap.UID]imapx.Message{}
	return imapx.VisitHandler{
		Opened: func(o imapx.Opened) error { c.opened = append(c.opened, o); return nil },
		UIDs:   func(_ int, s imap.UIDSet) error { c.uids = s; return nil },
		Alloc: func(_ context.Context, size int64) (imapx.Body, error) {
			c.alive++
			return &memory{size: size, released: &c.freed}, nil
		},
		Message: func(_ int, m imapx.Message) error {
			if _, ok := c.messages[m.UID]; ok {
				c.twice = append(c.twice, m.UID)
			}
			c.messages[m.UID] = m
			return nil
		},
	}
}

// body gives a message's bytes and fails where their number is not the announced one.
func (c *collector) body(t testing.TB, uid imap.UID) []byte {
	t.Helper()
	m, ok := c.messages[uid]
	if !ok || m.Body == nil {
		t.Fatalf("uid %d did not come", uid)
	}
	b := m.Body.(*memory).Bytes()
	if int64(len(b)) != m.Body.Len() {
		t.Fatalf("uid %d has %d bytes of %d", uid, len(b), m.Body.Len())
	}
	return b
}

// maildir makes n messages for INBOX; the text of number i is text(i).
func maildir(t testing.TB, n int, text func(i int) string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := filepath.Join(dir, "cur", fmt.Sprintf("%d.M%d.test:2,S", 1700000000+i, i))
		if err := os.WriteFile(name, []byte(text(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func everything() imap.UIDSet {
	var s imap.UIDSet
	s.AddRange(1, 0)
	return s
}

func TestVisitOfTwoThousand(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	user := s.FreshUser()
	text := func(i int) string {
		return fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n", i, i, i)
	}
	s.LoadMaildir(user, maildir(t, 2000, text))
	ctx := within(t, time.Minute)
	src, err := imapx.DialSource(ctx, endpoint(t, s.Addr(), user), imapx.Options{Trace: traceTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	list, err := src.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Folders) != 1 || !list.Complete || list.Folders[0].Mark == nil || list.Folders[0].Mark.Messages != 2000 {
		t.Fatalf("list: %+v", list)
	}
	var c collector
	res, err := src.Visit(ctx, imapx.Visit{Folder: "INBOX", UIDValidity: list.Folders[0].Mark.UIDValidity,
		Reads: []imapx.Read{{UIDs: everything(), Want: imapx.WantFlags | imapx.WantDate | imapx.WantBody}}}, c.handler())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.messages) != 2000 || len(c.twice) > 0 || len(res.Failed) > 0 || c.freed > 0 {
		t.Fatalf("%d messages, twice %v, failed %v, released %d", len(c.messages), c.twice, res.Failed, c.freed)
	}
	for i := range 2000 {
		if got := string(c.body(t, imap.UID(i+1))); got != text(i) {
			t.Fatalf("uid %d: %q", i+1, got)
		}
	}
}
