package oauth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"mailmove/imapx/auth"
)

// config is what package oauth2 wants to know.
func (p Person) config() *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL, DeviceAuthURL: p.DeviceURL, AuthStyle: oauth2.AuthStyleInParams}}
}

// granted makes a record of what a login brought.
func (p Person) granted(user string, t *oauth2.Token, now time.Time) (Record, error) {
	if t.RefreshToken == "" {
		return Record{}, &auth.TokenError{Text: hostOf(p.TokenURL) + " gave no refresh token, so the login would end with its first access token",
			Hint:      "the scope for it may be missing (offline_access); at Google, take mailmove's access back and log in again",
			Permanent: true}
	}
	return Record{Version: recordVersion, Provider: p.Name, User: user, ClientID: p.ClientID, ClientSecret: p.ClientSecret,
		TokenURL: p.TokenURL, Scopes: p.Scopes, RefreshToken: t.RefreshToken, AccessToken: t.AccessToken, Expires: t.Expiry.UTC(),
		LoggedIn: now.UTC(), Renewed: now.UTC()}, nil
}

// ErrNoDevice: the provider has no device codes.
var ErrNoDevice = errors.New("this provider has no login by device code for mail")

// Device logs in by a code that is typed on any other machine (RFC 8628). show is given the address and the code once. It
// waits until the person has answered, the code has ended or ctx ends.
func (c *Client) Device(ctx context.Context, p Person, user string, show func(address, code string, until time.Time) error) (Record, error) {
	if p.DeviceURL == "" {
		return Record{}, ErrNoDevice
	}
	where := hostOf(p.TokenURL)
	// Each request is bounded by the HTTP client; the whole wait by the code's own end.
	waiting := context.WithValue(ctx, oauth2.HTTPClient, c.http)
	config := p.config()
	code, err := config.DeviceAuth(waiting)
	if err != nil {
		return Record{}, explained(ctx, err, where)
	}
	if code.Expiry.IsZero() || code.Expiry.After(c.now().Add(longestLogin)) {
		code.Expiry = c.now().Add(longestLogin)
	}
	if err := secureURL("verification_uri", code.VerificationURI); err != nil {
		return Record{}, &auth.TokenError{Text: where + " names an address for the code that is not safe", Permanent: true, Err: err}
	}
	if err := show(clean(code.VerificationURI), clean(code.UserCode), code.Expiry); err != nil {
		return Record{}, err
	}
	t, err := config.DeviceAccessToken(waiting, code)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return Record{}, &auth.TokenError{Text: "nobody has entered the code in time", Hint: "run it again for a new one", Permanent: true}
	case err != nil:
		return Record{}, explained(ctx, err, where)
	}
	return p.granted(user, t, c.now())
}
