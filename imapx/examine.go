package imapx

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/auth"
	"mailmove/imapx/provider"
)

// ExamineOptions tune an examination. The zero value looks and writes nothing.
type ExamineOptions struct {
	Options
	LogIn  bool // false: only what can be seen before a login
	Rounds int  // NOOPs that the round-trip time is the median of; 0: 5
	Write  bool // after a login, store messages in a folder made for it, and remove both
}

// Probe is what one connection found out about a server.
type Probe struct {
	Server   string // host:port
	Greeting string // as the server said it
	TLS      *tls.ConnectionState
	Before   []string // capabilities before the login, sorted
	Connect  time.Duration
	RTT      time.Duration // median of the NOOPs; 0: not measured

	LoggedIn bool
	After    []string // capabilities after the login, sorted
	ID       map[string]string
	Provider provider.Row
	Listing  Listing
	Quota    []Quota
	Limits   Limits
	Write    *Habits // nil: nothing was written
	Problems []error // of parts that failed while the rest went on
}

const defaultRounds = 5

// Examine connects once, logs in at most once, and tells what it saw. Its error is an *Error: of a part without which there
// is nothing to tell, with what was seen until then where the server greeted. What fails later is among the Problems.
func Examine(ctx context.Context, e Endpoint, o ExamineOptions) (*Probe, error) {
	var token auth.Token
	if o.LogIn {
		var err error
		if token, _, err = e.token(ctx); err != nil {
			return nil, err
		}
	}
	o.fill(e)
	begun := time.Now()
	c, err := open(ctx, e, o.Options, token.Value)
	if err != nil {
		return nil, plainFlags(err)
	}
	p := &Probe{Server: c.server, Greeting: c.id.greeting, TLS: c.state, Connect: time.Since(begun)}
	c.start()
	defer func() { _ = c.close() }()
	if len(c.Caps()) == 0 {
		if err := c.capability(ctx); err != nil {
			return p, plainFlags(err)
		}
	}
	p.Before = capWords(c.Caps())
	p.Provider = c.provider()
	if o.LogIn {
		if err := c.login(ctx, e, token.Value); err != nil {
			return p, plainFlags(err)
		}
		if err := c.introduce(ctx); err != nil {
			return p, err
		}
		p.LoggedIn = true
		p.lookAround(ctx, c)
	}
	if p.RTT, err = c.roundTrip(ctx, o.Rounds); err != nil {
		p.Problems = append(p.Problems, err)
	}
	if o.Write && p.LoggedIn {
		p.Write, err = tryWriting(ctx, newTarget(c), p.Listing)
		if err != nil {
			p.Problems = append(p.Problems, err)
		}
	}
	return p, nil
}

func (o *ExamineOptions) fill(e Endpoint) {
	o.Options = o.Options.filled(e)
	if o.Rounds == 0 {
		o.Rounds = defaultRounds
	}
}

// lookAround asks what only a user may know.
func (p *Probe) lookAround(ctx context.Context, c *conn) {
	t := newTarget(c)
	seen := c.seen()
	p.After, p.ID, p.Provider, p.Limits = capWords(c.Caps()), seen.ID, provider.Recognise(seen), t.Limits()
	var err error
	if p.Listing, err = t.List(ctx); err != nil {
		p.Problems = append(p.Problems, err)
	}
	if p.Quota, err = t.Quota(ctx); err != nil {
		p.Problems = append(p.Problems, err)
	}
}

// roundTrip is the median time of some NOOPs, one after the other.
func (c *conn) roundTrip(ctx context.Context, rounds int) (time.Duration, error) {
	var all []time.Duration
	for range rounds {
		begun := time.Now()
		if err := c.call(ctx, c.command("NOOP"), &command{op: "NOOP", kind: KindOther, scope: ScopeAccount}); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func capWords(caps imap.CapSet) []string {
	words := make([]string, 0, len(caps))
	for c := range caps {
		words = append(words, string(c))
	}
	slices.Sort(words)
	return words
}

// plainFlags names the flags of hints as they are where an endpoint has no side: --tls, not ---tls.
func plainFlags(err error) error {
	var x *Error
	if errors.As(err, &x) && x.Side == "" {
		x.Hint = strings.ReplaceAll(x.Hint, "---", "--")
	}
	return err
}

// Slow are the reasons why mail moves slower than the line would let it, as source and as target; none: fast. Before a login
// they are what the capabilities of then tell, and servers often hide some.
func (p *Probe) Slow() (reasons []string) {
	words := p.Before
	if p.LoggedIn {
		words = p.After
	}
	has := func(c imap.Cap) bool { return slices.Contains(words, string(c)) }
	for _, r := range []struct {
		is   bool
		text string
	}{
		{p.RTT > slowRoundTrip, "each round trip takes " + p.RTT.Round(time.Millisecond).String()},
		{!has(imap.CapLiteralPlus) && !has(imap.CapLiteralMinus) && !has(imap.CapIMAP4rev2), "as a target: each message waits for a round trip (neither LITERAL+ nor LITERAL-)"},
		{!has(imap.CapMultiAppend), "as a target: each message is stored by itself (no MULTIAPPEND)"},
		{!has(imap.CapUIDPlus) && !has(imap.CapIMAP4rev2), "as a target: the places of new messages are looked up (no UIDPLUS)"},
		{!has(imap.CapCondStore), "as a source: later passes read the flags of every message again (no CONDSTORE)"},
		{!has("LIST-STATUS") && !has(imap.CapIMAP4rev2), "as a source: each folder is asked for by itself (no LIST-STATUS)"},
	} {
		if r.is {
			reasons = append(reasons, r.text)
		}
	}
	return reasons
}

// slowRoundTrip is the median from which a line is called slow.
const slowRoundTrip = 100 * time.Millisecond
