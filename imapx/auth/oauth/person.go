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
	config := p.config()
	code, err := c.deviceCode(ctx, config, where)
	if err != nil {
		return Record{}, err
	}
	if err := secureURL("verification_uri", code.VerificationURI); err != nil {
		return Record{}, &auth.TokenError{Text: where + " names an address for the code that is not safe", Permanent: true, Err: err}
	}
	if err := show(clean(code.VerificationURI), clean(code.UserCode), code.Expiry); err != nil {
		return Record{}, err
	}
	t, err := c.poll(ctx, config, code, where)
	if err != nil {
		return Record{}, err
	}
	return p.granted(user, t, c.now())
}

// deviceCode gets a code, within our bounds of its life and of the pauses.
func (c *Client) deviceCode(ctx context.Context, config *oauth2.Config, where string) (*oauth2.DeviceAuthResponse, error) {
	a := c.ask(ctx)
	defer a.end()
	code, err := config.DeviceAuth(a.ctx)
	if err != nil {
		return nil, explained(ctx, a.because(err), where)
	}
	if code.Expiry.IsZero() || code.Expiry.After(c.now().Add(longestLogin)) {
		code.Expiry = c.now().Add(longestLogin)
	}
	if code.Interval <= 0 { // package oauth2 makes a timer of it
		code.Interval = devicePause
	}
	code.Interval = min(code.Interval, longestPause)
	return code, nil
}

// Seconds between two questions whether the person has answered (RFC 8628 section 3.2).
const (
	devicePause  = 5 // where the server names none
	longestPause = 60
)

// poll waits until the person has answered. A server that is not reached or not available for a moment is asked again, more
// slowly (RFC 8628 section 3.5): somebody is typing the code.
func (c *Client) poll(ctx context.Context, config *oauth2.Config, code *oauth2.DeviceAuthResponse, where string) (*oauth2.Token, error) {
	for {
		a := c.asking(ctx)
		t, err := config.DeviceAccessToken(a.ctx, code)
		if err == nil {
			return t, nil
		}
		said := explained(ctx, a.because(err), where)
		var e *auth.TokenError
		switch over := !c.now().Before(code.Expiry); {
		case ctx.Err() == nil && over && a.lost == nil:
			return nil, &auth.TokenError{Text: "nobody has entered the code in time", Hint: "run it again for a new one", Permanent: true}
		case ctx.Err() != nil, over, !errors.As(said, &e), e.Permanent:
			return nil, said
		}
		code.Interval = min(2*code.Interval, longestPause)
	}
}
