package imapx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/auth"
	"mailmove/imapx/wire"
)

// dial connects, secures and logs in.
func dial(ctx context.Context, e Endpoint, o Options) (*conn, error) {
	o = o.filled(e)
	token, again, err := e.token(ctx)
	if err != nil {
		return nil, err
	}
	c, err := enter(ctx, e, o, token)
	if again && tokenRefused(err) { // it may have ended early: one more try, with another one
		if token, err = e.renewed(ctx, token); err == nil {
			c, err = enter(ctx, e, o, token)
		}
	}
	if err != nil {
		return nil, err
	}
	c.keepAlive()
	return c, nil
}

// filled has the defaults of what was left out.
func (o Options) filled(e Endpoint) Options {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = defaultDialTimeout
	}
	o.Dial = way(e, o.Dial)
	if o.Line == nil {
		o.Line = new(Line)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// enter connects and logs in, with a token where there is one.
func enter(ctx context.Context, e Endpoint, o Options, token auth.Token) (*conn, error) {
	c, err := open(ctx, e, o, token.Value)
	if err != nil {
		return nil, err
	}
	c.start()
	err = c.login(ctx, e, token.Value)
	if err == nil {
		err = c.compressOnLogin(ctx)
	}
	if err == nil {
		err = c.introduce(ctx)
	}
	if err != nil {
		c.fail(c.error(nil, &Error{Op: "login", Text: "closed", Kind: KindLost}))
		c.group.Wait()
		return nil, err
	}
	return c, nil
}

// address is what is dialled and what is shown.
func address(e Endpoint) (dial, shown string) {
	port := e.Port
	if port == 0 {
		port = 143
		if e.TLS == TLSImplicit {
			port = 993
		}
	}
	shown = net.JoinHostPort(e.Host, strconv.Itoa(port))
	if e.Address == "" {
		return shown, shown
	}
	if host, p, err := net.SplitHostPort(e.Address); err == nil {
		return net.JoinHostPort(host, p), shown
	}
	return net.JoinHostPort(strings.Trim(e.Address, "[]"), strconv.Itoa(port)), shown
}

// open does everything before the login: TCP, TLS, greeting, STARTTLS, all within DialTimeout.
func open(ctx context.Context, e Endpoint, o Options, token auth.Secret) (*conn, error) {
	dialled, shown := address(e)
	life, end := context.WithCancel(context.Background())
	c := &conn{side: e.Side, server: shown, opts: o, log: o.Logger, life: life, end: end,
		writing: make(chan struct{}, 1), stopped: make(chan struct{}),
		trace: newTracer(o.Trace, e.Side, e.Password, token)}
	c.sel.lock = make(chan struct{}, 1)
	c.id.host = e.Host
	until := time.Now().Add(o.DialTimeout)
	dctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	nc, err := o.Dial(dctx, "tcp", dialled)
	if err != nil {
		end()
		return nil, c.dialError(e, dialled, err)
	}
	c.trace.id = e.Side + " " + connectionID(nc)
	c.raw = &rollingConn{Conn: nc, timeout: o.Timeout, line: o.Line}
	c.raw.fix(until)
	stop := context.AfterFunc(dctx, func() { _ = nc.Close() })
	err = c.secureAndGreet(dctx, e)
	if stop(); err != nil {
		end()
		_ = nc.Close()
		if ctx.Err() != nil {
			return nil, c.cancelled(ctx)
		}
		return nil, err
	}
	c.raw.fix(time.Time{})
	return c, nil
}

// connectionID tells connections of one trace apart: the local port, which only one has at a time.
func connectionID(nc net.Conn) string {
	if a, ok := nc.LocalAddr().(*net.TCPAddr); ok {
		return strconv.Itoa(a.Port)
	}
	return "-"
}

func (c *conn) dialError(e Endpoint, dialled string, err error) error {
	x := &Error{Op: "connect", Kind: KindConnect, Scope: ScopeAccount, Retry: RetryReconnect, Err: err, Text: err.Error()}
	var (
		dns   *net.DNSError
		proxy *ProxyError
	)
	switch {
	case errors.As(err, &proxy) && !errors.Is(err, context.Canceled):
		x.Text, x.Hint = proxy.Error(), proxy.hint(e.Side)
		if proxy.Final {
			x.Retry = RetryNever
		}
	case noSuchAddress(e, err):
		x.Retry = RetryNever
		x.Text = fmt.Sprintf("no connection from %s to %s: this machine has no such address, or the server none of its kind", e.Bind, dialled)
		x.Hint = flagOf(e.Side, "-bind") + " takes an address that \"ip address\" shows; leave it out, and the system chooses"
	case errors.As(err, &dns) && dns.IsNotFound:
		x.Retry = RetryNever
		x.Text = "there is no host " + dns.Name
		x.Hint = fmt.Sprintf("check the name; a server that is not in the DNS yet is reached with --%s-address", e.Side)
	case errors.Is(err, context.Canceled):
		x.Text = "given up"
	case errors.As(err, &dns): // nobody was dialled
		x.Text = "the name " + dns.Name + " cannot be looked up: the resolver of this machine says " + dns.Err
		if dns.IsTimeout {
			x.Text = "the name " + dns.Name + " cannot be looked up: the resolver of this machine gives no answer"
		}
		x.Hint = fmt.Sprintf("have /etc/resolv.conf and its servers looked at, or give the server's IP with --%s-address", e.Side)
	case isTimeout(err):
		x.Text = fmt.Sprintf("no connection to %s within %v", dialled, c.opts.DialTimeout)
		x.Hint = "a firewall may drop packets to this port"
	case strings.Contains(err.Error(), "refused"):
		x.Text = "nothing listens at " + dialled + " (connection refused)"
		x.Hint = "check host and port: 993 is implicit TLS, 143 is STARTTLS"
	}
	return c.error(nil, x)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// isCut reports that the line went dead in the middle, without an alert or anything else that is an answer.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (c *conn) secureAndGreet(ctx context.Context, e Endpoint) error {
	c.plain()
	if e.TLS == TLSImplicit {
		if err := c.handshake(ctx, e); err != nil {
			return err
		}
	}
	preauth, err := c.firstWords(ctx, e)
	if err != nil {
		return err
	}
	if e.TLS != TLSStartTLS {
		return c.unasked(preauth)
	}
	if preauth { // RFC 9051 section 11.1: STARTTLS is impossible then, and somebody in between could have said it
		return c.error(nil, &Error{Op: "STARTTLS", Kind: KindTLS, Text: "the server greets as logged in already, in clear text, so the connection cannot be secured",
			Hint: fmt.Sprintf("use implicit TLS (--%s-tls implicit, port 993)", e.Side)})
	}
	return c.startTLS(ctx, e)
}

// unasked refuses a server that logs us in as somebody it does not name: whose mail that is, nobody knows.
func (c *conn) unasked(preauth bool) error {
	if !preauth {
		return nil
	}
	return c.error(nil, &Error{Op: "greeting", Kind: KindConnect, Scope: ScopeAccount, Retry: RetryNever,
		Text: "the server greets as logged in already (PREAUTH), and does not say as whom"})
}

// plain and secured set up reader and writer over what carries the bytes now.
func (c *conn) plain() { c.carry(c.raw) }

func (c *conn) carry(nc interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
}) {
	c.nc = nc
	c.far = &farEnd{r: nc, patience: maxIdle * c.opts.Timeout}
	c.in = wire.NewReader(c.far, wire.Limits{}, c.literal)
	c.out = newOutlet(nc)
}

func (c *conn) handshake(ctx context.Context, e Endpoint) error {
	tc := tls.Client(c.raw, trust(e).Config())
	if err := tc.HandshakeContext(ctx); err != nil {
		x := &Error{Op: "TLS", Kind: KindTLS, Scope: ScopeAccount, Err: err}
		if isTimeout(err) || ctx.Err() != nil {
			x.Retry, x.Text = RetryReconnect, fmt.Sprintf("the TLS handshake did not end within %v", c.opts.DialTimeout)
			x.Hint = fmt.Sprintf("the port may be one for clear text: try --%s-tls starttls (port 143)", e.Side)
			return c.error(nil, x)
		}
		p := trust(e).Explain(err, e.Side, time.Now())
		x.Text, x.Hint, x.Err = p.Text, p.Hint, p.Err
		if isCut(err) { // nobody said no: as good as any other lost connection
			x.Retry = RetryReconnect
		}
		return c.error(nil, x)
	}
	state := tc.ConnectionState()
	c.secure, c.state, c.ends, c.pinned = true, &state, trustEnds(state.VerifiedChains), len(e.Pins) > 0
	c.carry(tc)
	return nil
}

// next reads one answer before the reader runs.
func (c *conn) next() (wire.Response, error) {
	f, err := c.in.Next()
	if err != nil {
		return wire.Response{}, err
	}
	c.trace.received(f.Text)
	return wire.Parse(f)
}

// firstWords reads the greeting. In clear text, a server that says none is asked whether it waits for TLS.
func (c *conn) firstWords(ctx context.Context, e Endpoint) (preauth bool, err error) {
	if c.secure {
		return c.greeting(e)
	}
	dialled, _ := address(e)
	s := watchSilence(ctx, e, c.opts, dialled, func() { _ = c.raw.Close() })
	preauth, err = c.greeting(e)
	s.end()
	if err != nil && s.tls.Load() {
		return false, c.error(nil, &Error{Op: "greeting", Kind: KindTLS, Scope: ScopeAccount, Err: err,
			Text: "the server says nothing in clear text and answers in TLS: this port is one for implicit TLS",
			Hint: fmt.Sprintf("use --%s-tls implicit, or imaps:// in the URL", e.Side)})
	}
	return preauth, err
}

// greeting reads the first line. A TLS server says nothing before it is spoken to in TLS.
func (c *conn) greeting(e Endpoint) (preauth bool, err error) {
	r, err := c.next()
	x := &Error{Op: "greeting", Kind: KindConnect, Scope: ScopeAccount, Retry: RetryReconnect, Err: err}
	hint := fmt.Sprintf("if the port is one for implicit TLS, use --%s-tls implicit", e.Side)
	switch {
	case err != nil && isAlert(err): // TLS 1.3 refuses our certificate, or that there is none, when the handshake is over
		p := trust(e).Explain(err, e.Side, time.Now())
		x.Op, x.Kind, x.Retry, x.Text, x.Hint = "TLS", KindTLS, RetryNever, p.Text, p.Hint
		return false, c.error(nil, x)
	case err != nil && isTimeout(err):
		x.Text = fmt.Sprintf("the server did not greet within %v", c.opts.DialTimeout)
		if !c.secure {
			x.Hint = hint
		}
		return false, c.error(nil, x)
	case err == nil && r.Tag == "*" && r.Name == "BYE":
		v := judge(imap.ResponseCode(r.Code), r.Text, KindConnect, ScopeAccount)
		x.Code, x.Text, x.Kind, x.Err = imap.ResponseCode(r.Code), r.Text, v.kind, nil
		switch x.Retry = RetryLater; x.Kind {
		case KindConnect:
			x.Kind = KindUnavailable
		case KindAuth:
			x.Retry = RetryNever
		}
		x.Delay = suggestedDelay(x.Code, r.Text)
		return false, c.error(nil, x)
	case err == nil && r.Tag == "*" && (r.Name == "OK" || r.Name == "PREAUTH"):
		c.setCapsFrom(r)
		c.id.greeting = r.Text
		return r.Name == "PREAUTH", nil
	case auth.OtherProtocol(r.Tag+" ") != "": // a tag is there only where a whole line came
		x.Text = "the server's first bytes are no IMAP greeting but one of " + auth.OtherProtocol(r.Tag+" ")
		x.Retry, x.Hint = RetryNever, auth.OtherPort
		return false, c.error(nil, x)
	case c.secure || err != nil && !errors.Is(err, wire.ErrMalformed):
		x.Text = "the server closed the connection before greeting"
		if errors.Is(err, wire.ErrProtocol) {
			x.Text, x.Retry = "this is no IMAP server: "+err.Error(), RetryNever
		} else if err == nil || errors.Is(err, wire.ErrMalformed) {
			x.Text, x.Retry = "this is no IMAP server: "+r.Tag+" "+r.Name, RetryNever
		} else if !c.secure {
			x.Hint = hint
		}
		return false, c.error(nil, x)
	}
	x.Text, x.Retry, x.Hint = "the server's first bytes are no IMAP greeting", RetryNever, hint
	return false, c.error(nil, x)
}

func (c *conn) setCapsFrom(r wire.Response) {
	if r.Code == "CAPABILITY" {
		c.setCaps(string(r.Args))
	}
}

// early sends a command before the reader runs and reads up to its answer.
func (c *conn) early(name string) (wire.Response, error) {
	w := c.command(name)
	parts, err := w.Parts()
	if err != nil {
		return wire.Response{}, err
	}
	c.trace.line("C", w.Trace())
	if _, err := c.raw.Write(parts[0].Bytes); err != nil {
		return wire.Response{}, err
	}
	for {
		r, err := c.next()
		switch {
		case errors.Is(err, wire.ErrMalformed):
			continue
		case err != nil:
			return r, err
		case r.Name == "CAPABILITY" && r.Tag == "*":
			c.setCaps(string(r.P.Rest()))
		case r.Name == "BYE":
			return r, errors.New("the server said goodbye: " + r.Text)
		case r.Tag == w.Tag:
			return r, nil
		}
	}
}

// startTLS secures the connection (RFC 9051 section 6.2.1). What was read before the handshake could have been
// put there by anyone, so there must be nothing, and capabilities are forgotten.
func (c *conn) startTLS(ctx context.Context, e Endpoint) error {
	x := &Error{Op: "STARTTLS", Kind: KindTLS, Scope: ScopeAccount,
		Hint: fmt.Sprintf("use implicit TLS (--%s-tls implicit, port 993); --%s-tls none would send the password in clear text", e.Side, e.Side)}
	if len(c.Caps()) == 0 {
		if _, err := c.early("CAPABILITY"); err != nil {
			x.Text, x.Err, x.Retry = err.Error(), err, RetryReconnect
			return c.error(nil, x)
		}
	}
	if !c.has(imap.CapStartTLS) {
		x.Text = "the server does not offer STARTTLS"
		return c.error(nil, x)
	}
	r, err := c.early("STARTTLS")
	switch {
	case err != nil:
		x.Text, x.Err, x.Retry = err.Error(), err, RetryReconnect
		return c.error(nil, x)
	case r.Name != "OK":
		x.Text, x.Code = r.Text, imap.ResponseCode(r.Code)
		return c.error(nil, x)
	case c.in.Buffered() > 0:
		x.Text = "the server sent more in clear text behind its answer to STARTTLS; somebody may be between us"
		x.Hint = ""
		return c.error(nil, x)
	}
	c.setCaps("")
	return c.handshake(ctx, e)
}
