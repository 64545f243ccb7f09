package imapx_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest/real"
)

// ways is a base for dialling that notes where it was sent.
type ways struct {
	mu  sync.Mutex
	all []string
}

func (w *ways) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.all = append(w.all, address)
	w.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// TestProxies: each kind of connection through each kind of proxy, with and without a login; nothing goes past it.
func TestProxies(t *testing.T) {
	server := real.Dovecot(t, real.Options{})
	login := real.Login{User: "me@here", Password: "p:ss w%rd"}
	free := &imapx.Proxy{Kind: imapx.ProxySOCKS5, Address: real.Microsocks(t, real.Login{})}
	closed := &imapx.Proxy{Kind: imapx.ProxySOCKS5, Address: real.Microsocks(t, login), User: login.User, Password: auth.NewSecret(login.Password)}
	web := real.Login{User: "me", Password: "pa55"} // its configuration takes letters and digits only
	freeHTTP := &imapx.Proxy{Kind: imapx.ProxyHTTP, Address: real.Tinyproxy(t, real.Login{})}
	closedHTTP := &imapx.Proxy{Kind: imapx.ProxyHTTP, Address: real.Tinyproxy(t, web), User: web.User, Password: auth.NewSecret(web.Password)}
	for name, p := range map[string]*imapx.Proxy{"socks": free, "socks with login": closed, "http": freeHTTP, "http with login": closedHTTP} {
		for mode, change := range map[string]func(*imapx.Endpoint){
			"implicit": func(e *imapx.Endpoint) { *e = endpoint(t, server.TLSAddr(), "u1"); e.TLS = imapx.TLSImplicit },
			"starttls": func(e *imapx.Endpoint) { e.TLS = imapx.TLSStartTLS },
			"clear":    func(e *imapx.Endpoint) {},
			"name":     func(e *imapx.Endpoint) { e.Host = "localhost" }, // the proxy resolves it
			"address":  func(e *imapx.Endpoint) { e.Address, e.Host = e.Host, "nowhere.invalid" },
		} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				e := endpoint(t, server.Addr(), "u1")
				change(&e)
				e.Roots, e.Proxy = server.CertPool(), p
				w := new(ways)
				src, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{Dial: w.dial, Trace: traceTo(t)})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				if _, err := src.List(within(t, 10*time.Second)); err != nil {
					t.Error(err)
				}
				if !slices.Equal(w.all, []string{p.Address}) {
					t.Errorf("dialled: %q", w.all)
				}
			})
		}
	}
}

// TestProxiesRefuse: what a proxy says is told, with its name and what to do, and without the password.
func TestProxiesRefuse(t *testing.T) {
	server := real.Dovecot(t, real.Options{})
	login := real.Login{User: "me", Password: "pa55"}
	_, portText, _ := net.SplitHostPort(server.Addr())
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	socks, http := real.Microsocks(t, login), real.Tinyproxy(t, login, port)
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections into the kernel's queue
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	wrong := auth.NewSecret("wr0ng")
	right := auth.NewSecret(login.Password)
	const login401, use = "MAILMOVE_SOURCE_PROXY_PASSWORD", "--source-proxy none"
	for name, c := range map[string]struct {
		proxy  imapx.Proxy
		change func(*imapx.Endpoint)
		text   string
		hint   string
		retry  imapx.Retry
	}{
		"socks, wrong password": {imapx.Proxy{Address: socks, User: "me", Password: wrong}, nil, "refuses the login", login401, imapx.RetryNever},
		"socks, no login":       {imapx.Proxy{Address: socks}, nil, "wants a login", login401, imapx.RetryNever},
		"http, wrong password":  {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: http, User: "me", Password: wrong}, nil, "wants a login, or another one: 40", login401, imapx.RetryNever},
		"http, no login":        {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: http}, nil, "wants a login, or another one: 40", login401, imapx.RetryNever},
		"http, another port": {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: http, User: "me", Password: right},
			func(e *imapx.Endpoint) { e.Port++ }, "says: 403 ", use, imapx.RetryNever},
		"socks, nothing there": {imapx.Proxy{Address: socks, User: "me", Password: right},
			func(e *imapx.Endpoint) { e.Port = freePort(t) }, "says: connection refused by the server", use, imapx.RetryReconnect},
		"socks, no such host": {imapx.Proxy{Address: socks, User: "me", Password: right},
			func(e *imapx.Endpoint) { e.Host = "no.such.host.invalid" }, "says: ", use, imapx.RetryReconnect},
		"nobody":           {imapx.Proxy{Address: nobody}, nil, "cannot be reached: nothing listens there", use, imapx.RetryReconnect},
		"no such proxy":    {imapx.Proxy{Address: "no.such.proxy.invalid:1080"}, nil, "cannot be reached: ", use, imapx.RetryNever},
		"silent":           {imapx.Proxy{Address: silent.Addr().String()}, nil, "said nothing in time", use, imapx.RetryReconnect},
		"http, silent":     {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: silent.Addr().String()}, nil, "said nothing in time", use, imapx.RetryReconnect},
		"IMAP, not SOCKS":  {imapx.Proxy{Address: server.Addr()}, nil, "another way than a socks5 proxy", use, imapx.RetryNever},
		"IMAP, not HTTP":   {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: server.Addr()}, nil, "another way than a http proxy", use, imapx.RetryNever},
		"HTTP for SOCKS":   {imapx.Proxy{Address: http}, nil, "the proxy socks5://" + http, use, imapx.RetryReconnect},
		"SOCKS for HTTP":   {imapx.Proxy{Kind: imapx.ProxyHTTP, Address: socks}, nil, "the proxy http://" + socks, use, imapx.RetryReconnect},
		"a name too long":  {imapx.Proxy{Address: socks, User: "me", Password: right}, func(e *imapx.Endpoint) { e.Host = strings.Repeat("a", 256) }, "longer than 255", use, imapx.RetryReconnect},
		"a user too long":  {imapx.Proxy{Address: socks, User: strings.Repeat("u", 256), Password: right}, nil, "1 to 255 bytes", login401, imapx.RetryNever},
		"a password empty": {imapx.Proxy{Address: socks, User: "me"}, nil, "1 to 255 bytes", login401, imapx.RetryNever},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoint(t, server.Addr(), "u1")
			e.Proxy = &c.proxy
			if c.change != nil {
				c.change(&e)
			}
			trace := &lockedBuffer{}
			_, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{DialTimeout: 2 * time.Second, Trace: trace})
			var x *imapx.Error
			if !errors.As(err, &x) || x.Kind != imapx.KindConnect || x.Retry != c.retry || !strings.Contains(x.Text, c.text) ||
				!strings.HasPrefix(x.Text, "the proxy "+c.proxy.String()+" ") || !strings.Contains(x.Hint, c.hint) {
				t.Fatalf("%v (retry %v), hint %q", err, x.Retry, x.Hint)
			}
			t.Logf("%v (%s)", err, x.Hint)
			if all := trace.String() + err.Error() + x.Hint; strings.Contains(all, "pa55") || strings.Contains(all, "wr0ng") {
				t.Errorf("the password shows: %s", all)
			}
		})
	}
}
