package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"mailmove/imapx/auth"
)

// aboutOver is how much of its life a kept access token must still have: the same for all processes.
const aboutOver = time.Minute

// renewTimeout bounds the wait for other processes that renew the same login, and our own exchange.
const renewTimeout = 3 * time.Minute

// Kept gives the tokens of a login that is kept. It is read now, so that a missing one is found before anything is
// connected. A new refresh token is on disk before the access token that came with it is given to anybody: a server that
// rotates them takes each one once.
func (c *Client) Kept(s *Store, provider, user string) (*auth.Tokens, error) {
	r, err := s.Load(provider, user)
	if err != nil {
		return nil, err
	}
	credential := auth.NewSecret(r.Provider + " " + r.User + " " + r.ClientID + " " + r.LoggedIn.Format(time.RFC3339Nano))
	given := ""
	return auth.NewTokens(credential, func(ctx context.Context) (token auth.Token, err error) {
		ctx, cancel := context.WithTimeout(ctx, renewTimeout)
		defer cancel()
		err = s.Change(ctx, provider, user, func(r *Record) (bool, error) {
			// Another process may have asked meanwhile. A token that was given before was refused or is over.
			if r.AccessToken != "" && r.AccessToken != given && c.now().Add(c.margin(*r)).Before(r.Expires) {
				token = auth.Token{Value: auth.NewSecret(r.AccessToken), Expires: r.Expires, Used: true}
				return false, nil
			}
			token, err = c.renew(ctx, r)
			return err == nil, err
		})
		var known *auth.TokenError
		switch {
		case err == nil:
			given = token.Value.Reveal()
			return token, nil
		case errors.As(err, &known), ctx.Err() != nil:
			return auth.Token{}, err
		}
		return auth.Token{}, &auth.TokenError{Text: fmt.Sprintf("the login of %s at %s: %v", user, provider, err), Permanent: true, Err: err,
			Hint: "log in anew: mailmove oauth login"}
	}), nil
}

// margin is aboutOver, or a quarter of what a short-lived token had.
func (c *Client) margin(r Record) time.Duration {
	return max(0, min(aboutOver, r.Expires.Sub(r.Renewed)/4))
}

// renewGrace is how long an answer is still waited for when nobody wants its token any more: a pass ends its target's login,
// too, when the source refuses. A server that rotates refresh tokens has taken the one we have by then.
const renewGrace = 5 * time.Second

// lingering ends some time after ctx.
func lingering(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			end(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); end(nil) }
}

// renew asks for an access token and puts what came into the record.
func (c *Client) renew(ctx context.Context, r *Record) (auth.Token, error) {
	if ctx.Err() != nil {
		return auth.Token{}, context.Cause(ctx)
	}
	longer, stop := lingering(ctx, renewGrace)
	defer stop()
	a := c.ask(longer)
	defer a.end()
	p := Person{ClientID: r.ClientID, ClientSecret: r.ClientSecret, TokenURL: r.TokenURL, Scopes: r.Scopes}
	where := hostOf(r.TokenURL)
	t, err := p.config().TokenSource(a.ctx, &oauth2.Token{RefreshToken: r.RefreshToken}).Token()
	token, err := c.token(ctx, t, a.because(err), where)
	if err != nil {
		var e *auth.TokenError
		if errors.As(err, &e) && e.Permanent {
			e.Hint = fmt.Sprintf("log in anew: mailmove oauth login %s --user %s", r.Provider, r.User)
		}
		return auth.Token{}, err
	}
	if t.RefreshToken != "" {
		r.RefreshToken = t.RefreshToken
	}
	r.AccessToken, r.Expires, r.Renewed = t.AccessToken, t.Expiry.UTC(), c.now().UTC()
	return token, nil
}
