package imapx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/auth"
	"mailmove/imapx/wire"
)

// capName gives a capability the spelling of the imap package.
func capName(s string) imap.Cap {
	switch up := strings.ToUpper(s); up {
	case "IMAP4REV1":
		return imap.CapIMAP4rev1
	case "IMAP4REV2":
		return imap.CapIMAP4rev2
	default:
		return imap.Cap(up)
	}
}

// login authenticates and reads the capabilities that count, those after it. Nothing is pipelined behind the
// login: Courier throws such input away. The credential is sent once: whatever the server says to it is the answer.
func (c *conn) login(ctx context.Context, e Endpoint, token auth.Secret) error {
	if len(c.Caps()) == 0 {
		if err := c.capability(ctx); err != nil {
			return err
		}
	}
	caps := c.Caps()
	offer := auth.Offer{Mechanisms: caps.AuthMechanisms(), LoginDisabled: caps.Has(imap.CapLoginDisabled), Secure: c.secure}
	choice, err := auth.Choose(offer, auth.Credentials{User: e.User, AuthzID: e.AuthzID, Password: e.Password, Token: token,
		Certificate: e.ClientCert != nil && c.secure, Force: e.Auth})
	if err != nil {
		return c.choiceError(e, err)
	}
	c.setCaps("") // a server that sends none with its OK is asked
	h := &command{op: "login", kind: KindAuth, scope: ScopeAccount}
	if choice.Exchange == nil {
		err = c.call(ctx, c.command("LOGIN").Secret(auth.NewSecret(e.User)).Secret(e.Password), h)
	} else {
		err = c.authenticate(ctx, choice, h, caps.Has(imap.CapSASLIR))
	}
	if err != nil {
		return loginHint(err, e, offer, choice)
	}
	if len(c.Caps()) == 0 {
		return c.capability(ctx)
	}
	return nil
}

func (c *conn) capability(ctx context.Context) error {
	return c.call(ctx, c.command("CAPABILITY"), &command{op: "CAPABILITY", kind: KindConnect})
}

func (c *conn) choiceError(e Endpoint, err error) error {
	x := &Error{Op: "login", Kind: KindAuth, Scope: ScopeAccount, Text: err.Error(), Err: err}
	unoffered := errors.Is(err, auth.ErrDisabled) || errors.Is(err, auth.ErrNotOffered)
	switch {
	case unoffered && !c.secure:
		x.Hint = fmt.Sprintf("the server wants TLS first: use --%s-tls starttls or implicit", e.Side)
	case errors.Is(err, auth.ErrNotOffered):
		x.Hint = fmt.Sprintf("leave out --%s-auth: then the strongest of what both sides have is taken", e.Side)
	case unoffered && e.Token == nil && e.Password.Empty():
		x.Hint = fmt.Sprintf("a client certificate logs in where the server offers EXTERNAL; elsewhere give a password as well (--%s-password-file)", e.Side)
	case unoffered && e.Token != nil:
		x.Hint = "access tokens need OAUTHBEARER or XOAUTH2; this server may want a password, or an app password"
	case unoffered:
		x.Hint = "the server may take access tokens only (docs/oauth.md)"
	case errors.Is(err, auth.ErrNoAuthzID):
		x.Hint = fmt.Sprintf("leave out --%s-authzid, or write the master user into the user name where the server allows it (user*master)", e.Side)
	case errors.Is(err, auth.ErrUnprepared):
		x.Hint = fmt.Sprintf("--%s-auth plain sends them as they are", e.Side)
	}
	return c.error(nil, x)
}

// loginHint names the mechanism and adds what to look at when the server refuses a login.
func loginHint(err error, e Endpoint, o auth.Offer, choice auth.Login) error {
	var x *Error
	if !errors.As(err, &x) || x.Kind != KindAuth {
		return err
	}
	x.Mechanism = choice.Mechanism
	switch {
	case x.Hint != "":
	case e.AuthzID != "" && strings.Contains(x.Text, "no mechanism available"): // Cyrus, and nothing else tells it
		x.Hint = fmt.Sprintf("this Cyrus wants a SASL plugin for properties of users before it takes --%s-authzid: its admin installs "+
			"Debian's libsasl2-modules-db or its like", e.Side)
	default:
		x.Hint = auth.RefusedHint(e.Side, o, choice, auth.Credentials{User: e.User, AuthzID: e.AuthzID, Password: e.Password})
	}
	return err
}

// tokenRefused tells a login whose access token the server did not take.
func tokenRefused(err error) bool {
	var x *Error
	return errors.As(err, &x) && x.Kind == KindAuth && (x.Mechanism == auth.OAuthBearer || x.Mechanism == auth.XOAuth2)
}

// token gets the access token of a login, before anything is connected: a server would not wait for it. again: some
// other login has had it before.
func (e Endpoint) token(ctx context.Context) (token auth.Token, again bool, err error) {
	if e.Token == nil {
		return auth.Token{}, false, nil
	}
	token, again, err = e.Token.Get(ctx)
	return token, again, e.tokenError(ctx, err)
}

// renewed is token after old was refused.
func (e Endpoint) renewed(ctx context.Context, old auth.Token) (auth.Token, error) {
	token, err := e.Token.Renew(ctx, old)
	return token, e.tokenError(ctx, err)
}

// tokenError classifies why there is no token: until somebody changes something, or for now.
func (e Endpoint) tokenError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	_, shown := address(e)
	x := &Error{Op: "token", Side: e.Side, Server: shown, Scope: ScopeAccount, Err: err}
	var t *auth.TokenError
	switch {
	case ctx.Err() != nil:
		x.Kind, x.Text = KindConnect, "given up"
	case errors.As(err, &t) && t.Permanent:
		x.Kind, x.Retry = KindAuth, RetryNever
	default:
		x.Kind, x.Retry = KindUnavailable, RetryLater
	}
	if t != nil {
		x.Hint, x.Delay = t.Hint, t.Delay
	}
	if x.Text == "" {
		x.Text = "no access token: " + wire.Visible(err.Error(), 500)
	}
	return x
}

var _ wire.Secret = auth.Secret{}
