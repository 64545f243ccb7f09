package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"mailmove/imapx/auth"
)

const (
	askTimeout  = time.Minute // a whole exchange with a token server
	dialTimeout = 20 * time.Second
	mostSaid    = 300 // bytes of what a token server says in an error
)

// Client talks to token servers.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// NewClient makes a client. proxy says through which proxy a request goes (http.ProxyFromEnvironment); nil: none.
func NewClient(proxy func(*http.Request) (*url.URL, error)) *Client {
	transport := &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  askTimeout,
		DisableKeepAlives:      true, // a token an hour: a connection kept open serves nobody
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	return &Client{now: time.Now, http: &http.Client{Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// asking is what is said to a token server for one thing.
type asking struct {
	ctx  context.Context // carries the client to package oauth2, which takes it from there
	end  context.CancelFunc
	next http.RoundTripper
	lost error // why the last request had no answer; nil: it had one
}

// ask begins an exchange, and bounds the wait for it.
func (c *Client) ask(ctx context.Context) *asking {
	ctx, end := context.WithTimeout(ctx, askTimeout)
	a := c.asking(ctx)
	a.end = end
	return a
}

// asking is ask for many requests; only each of them is bounded.
func (c *Client) asking(ctx context.Context) *asking {
	a := &asking{next: c.http.Transport}
	own := *c.http
	own.Transport = a
	a.ctx = context.WithValue(ctx, oauth2.HTTPClient, &own)
	return a
}

// RoundTrip ends with the exchange's context: package jwt and the request for a device code have none.
func (a *asking) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(context.Cause(a.ctx)) })
	end := func() { stop(); cancel(nil) }
	if resp, a.lost = a.next.RoundTrip(r.WithContext(ctx)); a.lost != nil {
		end()
		return nil, a.lost
	}
	resp.Body = &watched{resp.Body, a, end}
	return resp, nil
}

// watched is the body of an answer that may be cut off.
type watched struct {
	io.ReadCloser
	of  *asking
	end func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		w.of.lost = err
	}
	return n, err
}

func (w *watched) Close() error {
	defer w.end()
	return w.ReadCloser.Close()
}

// because is err with its cause: the packages make words of a way that failed, and those are no network error any more.
func (a *asking) because(err error) error {
	if err == nil || a.lost == nil {
		return err
	}
	return &url.Error{Op: "ask", Err: a.lost}
}

// secureURL takes https, and http to this machine itself.
func secureURL(what, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("%s: that is no https:// address", what)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s: tokens travel over https:// only", what)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// token checks what came and turns it into ours.
func (c *Client) token(ctx context.Context, t *oauth2.Token, err error, where string) (auth.Token, error) {
	if err != nil {
		return auth.Token{}, explained(ctx, err, where)
	}
	kind := strings.ToLower(t.TokenType)
	if t.AccessToken == "" || kind != "" && kind != "bearer" {
		return auth.Token{}, &auth.TokenError{Text: where + " gave no bearer token", Permanent: true}
	}
	return auth.Token{Value: auth.NewSecret(t.AccessToken), Expires: t.Expiry}, nil
}

// reply is an error of RFC 6749 section 5.2, and of RFC 8628 section 3.5.
type reply struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// explained words a failed exchange. Of an answer only its two error fields are repeated, cleaned: all else may hold
// anything.
func explained(ctx context.Context, err error, where string) error {
	var (
		refused *oauth2.RetrieveError
		ours    *auth.TokenError
	)
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &refused):
		return refusal(refused, where)
	case context.Cause(ctx) != nil && ctx.Err() == context.Canceled:
		return &auth.TokenError{Text: "given up", Err: context.Cause(ctx)}
	}
	// An error of net/http names the address with all parameters: only its cause is repeated.
	cause := err
	var request *url.Error
	if errors.As(err, &request) {
		cause = request.Err
		return &auth.TokenError{Text: where + " cannot be reached: " + clean(cause.Error()), Err: cause,
			Hint: "check the network of this machine, and HTTPS_PROXY where it needs a proxy"}
	}
	return &auth.TokenError{Text: where + " answers in a way that is not understood", Permanent: true}
}

func refusal(e *oauth2.RetrieveError, where string) error {
	said := reply{e.ErrorCode, e.ErrorDescription}
	if said.Error == "" {
		_ = json.Unmarshal(e.Body, &said) // package jwt leaves that to us; other bodies are not for people
	}
	status := 0
	x := &auth.TokenError{}
	if e.Response != nil {
		status = e.Response.StatusCode
		if s, err := strconv.Atoi(e.Response.Header.Get("Retry-After")); err == nil && s > 0 {
			x.Delay = min(time.Duration(s)*time.Second, time.Hour)
		}
	}
	code := clean(said.Error)
	switch {
	case code == "" && (status >= 500 || status == http.StatusTooManyRequests), code == "temporarily_unavailable", code == "server_error":
		x.Text = fmt.Sprintf("%s is not available now (HTTP %d)", where, status)
		return x
	case code == "":
		x.Text, x.Permanent = fmt.Sprintf("%s refuses (HTTP %d)", where, status), true
		return x
	}
	x.Text, x.Permanent = where+" refuses: "+code, true
	if d := clean(said.Description); d != "" {
		x.Text += ": " + d
	}
	x.Hint = codeHints()[code]
	return x
}

// codeHints say what to do about an error of RFC 6749 sections 4.1.2.1 and 5.2.
func codeHints() map[string]string {
	return map[string]string{
		"invalid_grant": "what the token is got with is not valid any more: log in anew (mailmove oauth login); for a service " +
			"account, check the user's name, the delegation and this machine's clock",
		"invalid_client":      "check client_id and secret or certificate: a secret ends after some months",
		"unauthorized_client": "the tenant's admin has to allow this application: mailmove oauth setup says how",
		"access_denied":       "the person or the tenant's admin has said no",
		"invalid_scope":       "the application may not ask for this scope: mailmove oauth setup says which it needs",
	}
}

// clean makes a token server's words fit for a line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > mostSaid {
		s = strings.ToValidUTF8(s[:mostSaid], "") + "…"
	}
	return s
}

// hostOf names a token server in messages.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return "the token server " + u.Host
	}
	return "the token server"
}
