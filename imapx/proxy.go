package imapx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"mailmove/imapx/auth"
)

// ProxyKind is what a proxy speaks.
type ProxyKind int

const (
	ProxySOCKS5 ProxyKind = iota // RFC 1928, with user and password of RFC 1929
	ProxyHTTP                    // CONNECT of RFC 9110 section 9.3.6
)

func (k ProxyKind) String() string { return [...]string{"socks5", "http"}[k] }

// Proxy is what a server is dialled through. The proxy resolves the server's name: it may know one that this machine does not.
type Proxy struct {
	Kind     ProxyKind
	Address  string // host:port
	User     string // "": no login
	Password auth.Secret
}

// String is the proxy's URL, without user and password.
func (p *Proxy) String() string { return p.Kind.String() + "://" + p.Address }

// ProxyError: the way through a proxy failed, at the proxy or behind it.
type ProxyError struct {
	Proxy string
	Text  string // its own words, where it had any
	Login bool   // it wants a login, or another one
	Final bool   // it will say the same again
	Err   error  // cause; may be nil
}

func (e *ProxyError) Error() string { return "the proxy " + e.Proxy + " " + e.Text }
func (e *ProxyError) Unwrap() error { return e.Err }

func (e *ProxyError) hint(side string) string {
	if e.Login {
		return "give the user in " + flagOf(side, "-proxy") + " and the password in " + ProxyVariable(side)
	}
	return fmt.Sprintf("%s names the proxy, or ALL_PROXY in the environment; %[1]s none goes without", flagOf(side, "-proxy"))
}

// ProxyVariable is what in the environment has the password of a side's proxy.
func ProxyVariable(side string) string {
	return strings.ReplaceAll("MAILMOVE_"+strings.ToUpper(side)+"_PROXY_PASSWORD", "__", "_")
}

// flagOf is a flag of a side; a command with one endpoint has no side.
func flagOf(side, part string) string { return "--" + strings.TrimPrefix(side+part, "-") }

// through gives the way through the proxy; base dials the proxy itself.
func (p *Proxy) through(base dialFunc) dialFunc {
	talk := map[ProxyKind]func(net.Conn, string) error{ProxySOCKS5: p.socks, ProxyHTTP: p.connect}[p.Kind]
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := base(ctx, network, p.Address)
		if err != nil {
			return nil, p.unreachable(err)
		}
		if err := p.ask(ctx, nc, func() error { return talk(nc, address) }); err != nil {
			_ = nc.Close()
			return nil, err
		}
		return nc, nil
	}
}

func (p *Proxy) unreachable(err error) error {
	var dns *net.DNSError
	x := &ProxyError{Proxy: p.String(), Text: "cannot be reached: " + err.Error(), Err: err}
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		x.Text, x.Final = "cannot be reached: there is no host "+dns.Name, true
	case isTimeout(err):
		x.Text = "does not answer"
	case strings.Contains(err.Error(), "refused"):
		x.Text = "cannot be reached: nothing listens there (connection refused)"
	}
	return x
}

// ask runs the talk with a proxy until the context ends, and leaves a connection without deadlines.
func (p *Proxy) ask(ctx context.Context, nc net.Conn, talk func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) }) // ends what waits
	err := talk()
	if !stop() {
		// The deadline comes, or came, from the context; which of the two, the caller is not to find out by luck.
		return p.failed(context.Cause(ctx))
	}
	if err != nil {
		return p.failed(err)
	}
	return nil
}

// failed gives every error of a talk the proxy's name.
func (p *Proxy) failed(err error) error {
	var done *ProxyError
	if errors.As(err, &done) {
		return err
	}
	x := &ProxyError{Proxy: p.String(), Text: "ended the connection without an answer", Err: err}
	switch {
	case isTimeout(err):
		x.Text = "took the connection and then said nothing in time"
	case !isCut(err):
		x.Text = "failed: " + err.Error()
	}
	return x
}

// refused is a proxy's no.
func (p *Proxy) refused(words string, final bool) error {
	return &ProxyError{Proxy: p.String(), Text: "says: " + words, Final: final}
}

// wantsLogin: without a user, or with this one, the proxy does nothing.
func (p *Proxy) wantsLogin(words string) error {
	return &ProxyError{Proxy: p.String(), Text: words, Login: true, Final: true}
}

// foreign: what answers is no proxy of this kind.
func (p *Proxy) foreign() error {
	return &ProxyError{Proxy: p.String(), Text: "answers in another way than a " + p.Kind.String() + " proxy", Final: true}
}
