package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// payload is what programs are told; docs/notify.md describes it.
type payload struct {
	ID     string  `json:"id"`
	Kind   string  `json:"kind"`
	Group  string  `json:"group"`
	Events []Event `json:"events"`
}

func (m Message) json() ([]byte, error) {
	return json.Marshal(payload{m.ID, m.Kind, m.Group, m.Events})
}

// Hook posts JSON to a URL. It follows no redirect: what a URL is trusted with is not for another one.
type Hook struct {
	URL    string
	Client *http.Client // nil: one without a proxy of its own choosing
}

// Deliver posts a message; any answer of the 2xx class says that it was taken. The ID is the header Idempotency-Key too.
func (h *Hook) Deliver(ctx context.Context, m Message) error {
	body, err := m.json()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's address is none")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "mailmove")
	r.Header.Set("Idempotency-Key", m.ID)
	client := http.Client{Transport: http.DefaultTransport}
	if h.Client != nil {
		client = *h.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		var of *url.Error // its text has the address
		if errors.As(err, &of) {
			err = of.Err
		}
		return fmt.Errorf("the webhook at %s: %w: %w", r.URL.Host, ErrDown, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again; what it says is not looked at
	client.CloseIdleConnections()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook at %s answered %d", r.URL.Host, answer.StatusCode)
	}
	return nil
}

// Command runs a program, with the message as JSON on its standard input. It gets no argument and no shell looks at anything.
type Command struct {
	Path string
	Env  []string // without passwords
}

// mostOutput is how much of what a command prints is told where it fails, in bytes.
const mostOutput = 500

// Deliver runs the program; exit code 0 says that the message was taken.
func (c *Command) Deliver(ctx context.Context, m Message) error {
	body, err := m.json()
	if err != nil {
		return err
	}
	run := exec.CommandContext(ctx, c.Path)
	run.Stdin = bytes.NewReader(append(body, '\n'))
	run.Env = append(c.Env[:len(c.Env):len(c.Env)], "MAILMOVE_EVENT="+m.Kind, "MAILMOVE_EVENT_ID="+m.ID)
	run.WaitDelay = time.Second // a grandchild that keeps the pipe open does not keep us
	out := &beginning{most: mostOutput}
	run.Stdout, run.Stderr = out, out
	if err := run.Run(); err != nil {
		return fmt.Errorf("the command %s: %w: %s", c.Path, err, strings.TrimSpace(string(out.text)))
	}
	return nil
}

// beginning keeps the first bytes of what is written to it.
type beginning struct {
	text []byte
	most int
}

func (b *beginning) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), b.most-len(b.text))]...)
	return len(p), nil
}
