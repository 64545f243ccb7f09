package imapx

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/provider"
	"mailmove/imapx/wire"
)

// Bounds of an answer to ID (RFC 2971 section 3.3): more is passed over.
const (
	maxIDFields = 30
	maxIDKey    = 30
	maxIDValue  = 1024
)

// identity is what the server says of itself: the text of its greeting and the answer to ID.
type identity struct {
	host     string
	greeting string
	ask      *command // ID, in flight or answered; nil: the server does not offer it
	fields   map[string]string
}

// introduce says who we are and asks the same (RFC 2971 section 3.1). Its answer is not waited for: it comes before that to
// the next command, and costs no round trip. Whoever needs it waits (provider).
func (c *conn) introduce(ctx context.Context) error {
	if !c.has(imap.CapID) {
		return nil
	}
	c.id.ask = &command{op: "ID", data: c.takeID}
	return c.send(ctx, c.command("ID").Raw(` ("name" "mailmove")`), c.id.ask)
}

// takeID reads `* ID (field value …)` or `* ID NIL`. It runs on the reader until the command has ended.
func (c *conn) takeID(r *wire.Response, _ bool) (bool, error) {
	if r.Name != "ID" {
		return false, nil
	}
	if r.P.Peek() != '(' {
		return true, nil
	}
	fields := make(map[string]string)
	err := r.P.List(func() error {
		k, err := r.P.String()
		if err != nil {
			return err
		}
		v, err := r.P.String()
		if err == nil && !v.Nil && len(fields) < maxIDFields && len(k.Bytes) <= maxIDKey && len(v.Bytes) <= maxIDValue {
			fields[strings.ToLower(string(k.Bytes))] = string(v.Bytes)
		}
		return err
	})
	if err == nil {
		c.id.fields = fields
	}
	return true, err
}

// seen is what the server has said of itself; it waits for the answer to ID, no longer than for any other.
func (c *conn) seen() provider.Seen {
	s := provider.Seen{Greeting: c.id.greeting, Host: c.id.host}
	if h := c.id.ask; h != nil && c.await(c.life, h) == nil {
		s.ID = c.id.fields // of one that refuses it, or broke off: nothing
	}
	for k := range c.Caps() {
		s.Capabilities = append(s.Capabilities, string(k))
	}
	return s
}

// provider is the row of the server, the zero Row where none fits.
func (c *conn) provider() provider.Row { return provider.Recognise(c.seen()) }

// Provider is a row of the table of providers, for packages that know imapx alone.
type Provider = provider.Row

// Provider is the server's row in the table of providers; the zero Row where none fits.
func (s *Source) Provider() provider.Row { return s.c.provider() }

// Provider is Source.Provider.
func (t *Target) Provider() provider.Row { return t.c.provider() }

// Seen is what the server said of itself: what Provider was found by.
func (s *Source) Seen() provider.Seen { return s.c.seen() }

// Seen is Source.Seen.
func (t *Target) Seen() provider.Seen { return t.c.seen() }
