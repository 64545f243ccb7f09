package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heap is a store in memory with one message in it for each word.
type heap struct {
	mu      sync.Mutex
	waiting []Batch
	due     map[string]time.Time
	sent    []string
}

func newHeap(words ...string) *heap {
	h := &heap{due: make(map[string]time.Time)}
	h.add(words...)
	return h
}

func (h *heap) add(words ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range words {
		h.waiting = append(h.waiting, Batch{Channel: "c", Message: Message{ID: w}})
	}
}

func (h *heap) Claim(_ context.Context, now time.Time) (b Batch, found bool, next time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.waiting {
		at := h.due[h.waiting[i].ID]
		if !at.After(now) {
			h.waiting[i].Tries++
			return h.waiting[i], true, next, nil
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return b, false, next, nil
}

func (h *heap) Sent(_ context.Context, b Batch, _ time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, b.ID)
	h.waiting = slices.DeleteFunc(h.waiting, func(w Batch) bool { return w.ID == b.ID })
	return nil
}

func (h *heap) Later(_ context.Context, b Batch, due time.Time, _ string, all bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.waiting {
		if all || w.ID == b.ID {
			h.due[w.ID] = due
		}
	}
	return nil
}

type channel func(context.Context, Message) error

func (c channel) Deliver(ctx context.Context, m Message) error { return c(ctx, m) }

func started(h *heap, c channel) *Notifier {
	return Start(context.Background(), Options{Store: h, Channels: map[string]Channel{"c": c}, Timeout: 30 * time.Second, Now: time.Now, Problem: func(error) {}})
}

// Whoever wakes it goes on at once, though nobody answers; and the end waits no longer than it is told to. What was not
// delivered is as due as before.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeap("a", "b")
		n := started(h, func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		for range 100 {
			n.Wake()
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waking took %v", waited)
		}
		if err := n.Close(5 * time.Second); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("the end took %v", waited)
		}
		if len(h.sent) > 0 || h.due["a"].After(time.Now()) || !h.due["b"].IsZero() {
			t.Errorf("sent %v, due %v", h.sent, h.due)
		}
	})
}

// What fails is tried again, later each time, and delivered once; what is noted last is delivered before the end.
func TestTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeap("a", "b")
		began := time.Now()
		var tries []time.Duration
		n := started(h, func(_ context.Context, m Message) error {
			if tries = append(tries, time.Since(began)); len(tries) < 4 {
				return fmt.Errorf("%w: no route", ErrDown)
			}
			return nil
		})
		time.Sleep(time.Hour)
		h.add("last")
		if err := n.Close(time.Second); err != nil {
			t.Error(err)
		}
		if !slices.Equal(h.sent, []string{"a", "b", "last"}) {
			t.Errorf("sent %v", h.sent)
		}
		m := time.Minute
		if want := []time.Duration{0, m, 3 * m, 7 * m, 7 * m, 60 * m}; !slices.Equal(tries, want) {
			t.Errorf("tried at %v, want %v", tries, want)
		}
	})
}

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 6: 32 * time.Minute, 7: time.Hour, 1000: time.Hour} {
		if got := Backoff(tries); got != want {
			t.Errorf("%d: %v, want %v", tries, got, want)
		}
	}
}

// The end of a delivery ends the wait for a server that says nothing.
func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	words, err := NewWords("en", "")
	if err != nil {
		t.Fatal(err)
	}
	at := silent.Addr().(*net.TCPAddr)
	for _, c := range []Channel{
		&Hook{URL: "http://" + at.String()},
		&Mail{Host: "127.0.0.1", Port: at.Port, Clear: true, From: "a@b.example", Words: words},
		&Mail{Host: "127.0.0.1", Port: at.Port, Implicit: true, TLS: &tls.Config{ServerName: "127.0.0.1"}, From: "a@b.example", Words: words},
	} {
		if err := c.Deliver(ctx, Message{ID: "x", Kind: Final, Recipient: "a@b.example", Events: []Event{{}}}); !errors.Is(err, ErrDown) {
			t.Errorf("%v", err)
		}
	}
}

func TestHook(t *testing.T) {
	var got payload
	answer, header := http.StatusNoContent, http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
	}))
	defer server.Close()
	hook := &Hook{URL: server.URL + "/secret"}
	m := Message{ID: "mailmove-1", Kind: Trouble, Group: "g\"\r\n", Events: []Event{{Account: "a", Text: "no\r\nX: y", Owner: true}}}
	if err := hook.Deliver(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	if got.ID != m.ID || got.Kind != Trouble || got.Group != m.Group || len(got.Events) != 1 || got.Events[0].Text != "no\r\nX: y" {
		t.Errorf("%+v", got)
	}
	if header.Get("Idempotency-Key") != m.ID || header.Get("X") != "" {
		t.Errorf("%v", header)
	}
	for _, answer = range []int{http.StatusFound, http.StatusInternalServerError, http.StatusForbidden} {
		if err := hook.Deliver(context.Background(), m); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v", answer, err)
		}
	}
	server.Close()
	if err := hook.Deliver(context.Background(), m); !errors.Is(err, ErrDown) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// What an event says reaches a command on its standard input and nowhere else.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tell")
	script := "#!/bin/sh\ncat >" + dir + "/in\necho $# >" + dir + "/args\nenv >" + dir + "/env\n[ ! -e " + dir + "/fail ] || { echo oh no; exit 3; }\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	m := Message{ID: "mailmove-1", Kind: Final, Group: "$(touch " + dir + "/hacked)", Events: []Event{{Account: "`id`"}}}
	c := &Command{Path: path, Env: []string{"PATH=" + os.Getenv("PATH")}}
	if err := c.Deliver(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var got payload
	if err := json.Unmarshal([]byte(read("in")), &got); err != nil || got.Group != m.Group {
		t.Errorf("%v: %s", err, read("in"))
	}
	if args := read("args"); args != "0\n" {
		t.Errorf("%s arguments", args)
	}
	if env := read("env"); !strings.Contains(env, "MAILMOVE_EVENT=final\n") || strings.Contains(env, "touch") {
		t.Error(env)
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("a group's name was run")
	}
	if err := os.WriteFile(filepath.Join(dir, "fail"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(context.Background(), m); err == nil || !strings.Contains(err.Error(), "oh no") {
		t.Errorf("%v", err)
	}
}

// Nothing that an event says becomes a header, and the same message has the same Message-ID.
func TestMailIsComposed(t *testing.T) {
	words, err := NewWords("en", "")
	if err != nil {
		t.Fatal(err)
	}
	mail := &Mail{From: "move@example.org", Words: words}
	m := Message{ID: "mailmove-1", Kind: Trouble, Group: "g\r\nBcc: x@y", Recipient: "a@b.example", Events: []Event{{Account: "ä", Text: "no\n.\nMAIL"}}}
	var texts []string
	for range 2 {
		composed, err := mail.compose(m)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if _, err := composed.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, b.String())
	}
	head, _, _ := strings.Cut(texts[0], "\r\n\r\n")
	if strings.Contains(head, "\nBcc") || !strings.Contains(head, "Message-ID: <mailmove-1@example.org>") || !strings.Contains(head, "Auto-Submitted: auto-generated") {
		t.Error(head)
	}
	if texts[0] != texts[1] {
		t.Errorf("two texts of one message:\n%s\n%s", texts[0], texts[1])
	}
	for _, to := range []string{"", "a@b, c@d", "a@b\r\nRCPT TO:<x>", "<a@b>\r\n"} {
		m.Recipient = to
		if composed, err := mail.compose(m); err == nil && (len(composed.GetToString()) != 1 || strings.ContainsAny(composed.GetToString()[0], "\r\n")) {
			t.Errorf("%q became %q", to, composed.GetToString())
		}
	}
}

func TestWords(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "owner.de.txt")
	if err := os.WriteFile(own, []byte(`{{define "final"}}Fertig: {{(index .Events 0).Mailbox}}`+"\n\nText\n{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := NewWords("en", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		kind            string
		event           Event
		subject, inside string
	}{
		{Final, Event{Owner: true, Language: "de", Mailbox: "a"}, "Fertig: a", "Text"},
		{Copied, Event{Owner: true, Language: "de", Mailbox: "a"}, "Ihre Mail ist auf den neuen Server kopiert", "- a"},
		{Copied, Event{Accounts: 3}, "Mail move of g: the first copy is done", "(3 accounts)"},
		{Copied, Event{Accounts: 1}, "Mail move of g: the first copy is done", "(1 account)"},
		{Trouble, Event{Account: "a", Text: "no", Next: "do"}, "Mail move of g: trouble", "- a: no\n  What to do: do\n"},
		{Ready, Event{Owner: true, Language: "fr", Mailbox: "a"}, "The move of your mailbox", "- a"},
	} {
		subject, body, err := w.Text(Message{Kind: row.kind, Group: "g", Events: []Event{row.event}})
		if err != nil || subject != row.subject || !strings.Contains(body, row.inside) {
			t.Errorf("%s: %q, %q, %v", row.kind, subject, body, err)
		}
	}
	for _, bad := range []string{`{{define "final"}}{{.Secret}}{{end}}`, `{{define "final"}}`} {
		if err := os.WriteFile(own, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewWords("en", dir); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}
