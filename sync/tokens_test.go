package sync_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// expiring leads to a server that ends each connection when its token is over: life after it began. What a connection
// carries a second is bounded, so that a mailbox takes several lives.
type expiring struct {
	ln     net.Listener
	target string
	life   time.Duration
	rate   int // bytes a second and direction, of one connection
	wg     sync.WaitGroup
	conns  atomic.Int64
	cut    atomic.Int64
}

func newExpiring(t *testing.T, target string, life time.Duration, rate int) *expiring {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e := &expiring{ln: ln, target: target, life: life, rate: rate}
	e.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.conns.Add(1)
			e.wg.Go(func() { e.serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); e.wg.Wait() })
	return e
}

func (e *expiring) serve(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", e.target)
	if err != nil {
		return
	}
	defer server.Close()
	over := time.AfterFunc(e.life, func() { e.cut.Add(1); c.Close(); server.Close() })
	defer over.Stop()
	var both sync.WaitGroup
	both.Go(func() { e.copy(server, c); server.Close() })
	e.copy(c, server)
	c.Close()
	both.Wait()
}

// copy passes on what comes, a fiftieth of a second's worth at a time.
func (e *expiring) copy(to io.Writer, from io.Reader) {
	b := make([]byte, e.rate/50)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
			time.Sleep(time.Duration(n) * time.Second / time.Duration(e.rate))
		}
		if err != nil {
			return
		}
	}
}

// TestE2ETokensExpire copies preset S with tokens that live for five seconds, between servers that end a connection when its
// token is over. In the end both sides are equal; nobody has logged in more than once for each connection, tokens were
// shared, and no token is in the trace.
func TestE2ETokensExpire(t *testing.T) {
	const life = 5 * time.Second
	tokens, err := imaptest.NewTokenServer(life)
	must(t, err)
	t.Cleanup(tokens.Close)
	logins := real.Logins{Mechanisms: "xoauth2 oauthbearer", Introspect: tokens.URL() + "/introspect"}
	s := newServers(t, imaptest.S, real.Options{Logins: logins}, real.Options{Logins: logins})
	x := s.account(t)
	x.Settle, x.LateWindow = 100*time.Millisecond, 300*time.Millisecond
	x.Trace = filepath.Join(t.TempDir(), "trace")
	source, target := newExpiring(t, s.src.Addr(), life, 3<<20), newExpiring(t, s.dst.Addr(), life, 3<<20)
	var issued atomic.Int64
	seen := &sync.Map{}
	tokensOf := func(user string) *auth.Tokens {
		return auth.NewTokens(auth.Secret{}, func(context.Context) (auth.Token, error) {
			issued.Add(1)
			token := tokens.Issue(user)
			seen.Store(token, true)
			return auth.Token{Value: auth.NewSecret(token), Expires: time.Now().Add(life)}, nil
		})
	}
	from := endpoint("source", source.ln.Addr().String(), x.SourceUser, "", nil)
	to := endpoint("target", target.ln.Addr().String(), x.TargetUser, "", nil)
	from.Token, to.Token, to.Auth = tokensOf(x.SourceUser), tokensOf(x.TargetUser), auth.XOAuth2

	started := time.Now()
	report := x.passWithTokens(t, from, to)
	took := time.Since(started)
	s.equal(t, x, "tokens of five seconds")
	trace, err := os.ReadFile(x.Trace)
	must(t, err)
	sent := int64(bytes.Count(trace, []byte("AUTHENTICATE ")))
	conns, cut := source.conns.Load()+target.conns.Load(), source.cut.Load()+target.cut.Load()
	t.Logf("%d messages in %v: %d connections, %d cut, %d logins, %d tokens", report.Copied, took.Round(time.Millisecond), conns, cut, sent, issued.Load())
	if sent > conns || sent == 0 {
		t.Errorf("%d logins over %d connections", sent, conns)
	}
	// Two connections a side, each of which lives as long as a token; one more for what each side has begun last.
	lives := int64(took/life) + 1
	if most := 2*2*lives + 2; conns > most {
		t.Errorf("%d connections in %v, want at most %d", conns, took, most)
	}
	if most := 2 * (int64(took/(life*3/4)) + 1); issued.Load() > most { // a token is used for three quarters of its life
		t.Errorf("%d tokens in %v, want at most %d", issued.Load(), took, most)
	}
	if cut < 4 {
		t.Errorf("only %d connections were cut: the pass was too fast to prove anything", cut)
	}
	seen.Range(func(token, _ any) bool {
		if bytes.Contains(trace, []byte(token.(string))) {
			t.Error("a token is in the trace")
		}
		return true
	})
}

// passWithTokens is a pass over these endpoints.
func (x transfer) passWithTokens(t *testing.T, from, to imapx.Endpoint) mailsync.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	st, err := state.Open(ctx, state.Options{Dir: x.Dir, Account: "test", Source: x.SourceUser, Target: x.TargetUser})
	must(t, err)
	defer st.Close()
	f, err := os.Create(x.Trace)
	must(t, err)
	defer f.Close()
	source := imapx.Options{Trace: f, Line: new(imapx.Line), Compress: imapx.CompressOff}
	target := imapx.Options{Trace: f, Line: new(imapx.Line), Compress: imapx.CompressOff}
	o := x.options(st, source, target)
	o.ConnectSource = func(ctx context.Context) (mailsync.Source, error) {
		s, err := imapx.DialSource(ctx, from, source)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	o.ConnectTarget = func(ctx context.Context) (mailsync.Target, error) {
		s, err := imapx.DialTarget(ctx, to, target)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	report, err := mailsync.Run(ctx, o)
	must(t, err)
	return report
}
