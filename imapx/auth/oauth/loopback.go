package oauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"mailmove/imapx/auth"
)

// longestLogin is how long a person may take.
const longestLogin = 15 * time.Minute

// answer is what the browser brought back.
type answer struct {
	code string
	err  error
}

// Browser logs in with a browser on this machine, which comes back to a port of it (RFC 8252 section 7.3), protected by
// PKCE (RFC 7636). port 0 takes any. show is given the address to open, once.
func (c *Client) Browser(ctx context.Context, p Person, user string, port int, show func(address string) error) (rec Record, err error) {
	if p.AuthURL == "" {
		return Record{}, errors.New("this provider has no login by browser")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longestLogin, &auth.TokenError{
		Text: fmt.Sprintf("nobody has logged in within %v", longestLogin), Hint: "run it again for a new address", Permanent: true})
	defer cancel()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return Record{}, fmt.Errorf("a port for the browser to come back to: %w", err)
	}
	config := p.config()
	config.RedirectURL = fmt.Sprintf("http://%s:%d/", p.RedirectHost, listener.Addr().(*net.TCPAddr).Port)
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	answers := make(chan answer, 1)
	server := &http.Server{Handler: comeBack(state, answers), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }() // ends with an error: it is closed below
	defer func() {
		// The page that the browser is to show may be on its way still.
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer stop()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
		<-ended
	}()
	// prompt=consent: without it Google gives a refresh token at the first login only.
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.AccessTypeOffline,
		oauth2.SetAuthURLParam("login_hint", user)}
	if p.Name == Google {
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	if err := show(config.AuthCodeURL(state, options...)); err != nil {
		return Record{}, err
	}
	var got answer
	select {
	case got = <-answers:
	case <-ctx.Done():
		return Record{}, context.Cause(ctx)
	}
	if got.err != nil {
		return Record{}, got.err
	}
	a := c.ask(ctx)
	defer a.end()
	t, err := config.Exchange(a.ctx, got.code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Record{}, explained(ctx, a.because(err), hostOf(p.TokenURL))
	}
	return p.granted(user, t, c.now())
}

// comeBack takes the browser's return. What does not carry our state is another's and changes nothing.
func comeBack(state string, answers chan<- answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet || r.URL.Path != "/" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This is not the login that mailmove waits for.", http.StatusNotFound)
			return
		}
		got, text := read(q)
		select {
		case answers <- got:
		default: // the browser comes twice
		}
		_, _ = io.WriteString(w, text+"\n")
	})
}

func read(q url.Values) (answer, string) {
	code := q.Get("code")
	if code != "" && q.Get("error") == "" {
		return answer{code: code}, "mailmove is logged in. This window can be closed."
	}
	word := clean(q.Get("error"))
	if word == "" {
		word = "no code came back"
	}
	e := &auth.TokenError{Text: "the login in the browser failed: " + word, Hint: codeHints()[word], Permanent: true}
	if d := clean(q.Get("error_description")); d != "" {
		e.Text += ": " + d
	}
	return answer{err: e}, "The login failed: " + word + ". mailmove says more."
}
