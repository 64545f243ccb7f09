package auth

import (
	"context"
	"time"
)

// Token is an OAuth access token.
type Token struct {
	Value   Secret
	Expires time.Time // zero: nobody said
	Used    bool      // it was given out before, by another run: a refusal may be due to its age
}

// TokenError is why there is no token. Text and Hint hold no secret.
type TokenError struct {
	Text      string
	Hint      string
	Permanent bool          // trying again does not help until somebody changes something
	Delay     time.Duration // what the token server suggested to wait, 0: nothing
	Err       error
}

func (e *TokenError) Error() string { return e.Text }
func (e *TokenError) Unwrap() error { return e.Err }

const (
	// tokenMargin is how long before its end a token is not used any more; of a short-lived one, a quarter of its life.
	tokenMargin = 5 * time.Minute
	// tokenKept is how long a token without an end is given to the connections that ask for one together.
	tokenKept = 10 * time.Second
)

// Tokens gives the access tokens of one login, to all its connections: of several that ask at once, one fetches.
type Tokens struct {
	fetch      func(context.Context) (Token, error)
	credential Secret
	now        func() time.Time

	fetching chan struct{} // semaphore of one; what follows belongs to its holder
	token    Token
	got      time.Time
	used     bool  // some login has had it
	failed   error // of the last round
}

// NewTokens makes tokens of fetch, which is never called twice at once. credential is what somebody would change to put
// a refused login right: what the tokens are got with. It tells failed logins apart and is not sent anywhere.
func NewTokens(credential Secret, fetch func(context.Context) (Token, error)) *Tokens {
	return &Tokens{fetch: fetch, credential: credential, now: time.Now, fetching: make(chan struct{}, 1)}
}

// Credential is what NewTokens was given.
func (t *Tokens) Credential() Secret { return t.credential }

// Get gives a token that is valid for some time still. again: another login has had it before, so that a refusal may be
// due to its age. Errors are those of fetch, or the context's.
func (t *Tokens) Get(ctx context.Context) (token Token, again bool, err error) {
	return t.get(ctx, Secret{})
}

// Renew is Get after a login with the token old was refused: it never gives that one again.
func (t *Tokens) Renew(ctx context.Context, old Token) (Token, error) {
	token, _, err := t.get(ctx, old.Value)
	if err == nil && token.Value == old.Value {
		err = &TokenError{Text: "the same access token came again after the server had refused it", Permanent: true}
	}
	return token, err
}

func (t *Tokens) get(ctx context.Context, refused Secret) (token Token, again bool, err error) {
	select {
	case t.fetching <- struct{}{}:
	default:
		// Somebody fetches: his answer is ours, also where it is an error.
		select {
		case t.fetching <- struct{}{}:
			if t.failed != nil && !t.usable(refused) {
				defer func() { <-t.fetching }()
				return t.instead(refused)
			}
		case <-ctx.Done():
			return Token{}, false, context.Cause(ctx)
		}
	}
	defer func() { <-t.fetching }()
	if t.usable(refused) {
		again, t.used = t.used, true
		return t.token, again, nil
	}
	fetched, err := t.fetch(ctx)
	t.failed = err
	if err == nil {
		t.token, t.got, t.used = fetched, t.now(), true
		return t.token, fetched.Used, nil
	}
	if ctx.Err() != nil { // he gave up: nobody else has an answer by that
		t.failed = nil
		return Token{}, false, err
	}
	return t.instead(refused)
}

// instead is the answer where fetching failed: the kept token as long as it is good, for the margin is for such times.
func (t *Tokens) instead(refused Secret) (token Token, again bool, err error) {
	if t.token.Value != refused && !t.token.Value.Empty() && t.now().Before(t.token.Expires) {
		return t.token, true, nil
	}
	return Token{}, false, t.failed
}

// usable tells whether the kept token will do.
func (t *Tokens) usable(refused Secret) bool {
	now := t.now()
	switch {
	case t.token.Value.Empty() || t.token.Value == refused:
		return false
	case t.token.Expires.IsZero():
		return now.Sub(t.got) < tokenKept
	}
	margin := min(tokenMargin, t.token.Expires.Sub(t.got)/4)
	return now.Before(t.token.Expires.Add(-margin))
}
