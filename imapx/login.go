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
// login: Courier throws such input away.
func (c *conn) login(ctx context.Context, e Endpoint) error {
	if len(c.Caps()) == 0 {
		if err := c.capability(ctx); err != nil {
			return err
		}
	}
	caps := c.Caps()
	choice, err := auth.Choose(auth.Offer{
		Mechanisms:    caps.AuthMechanisms(),
		LoginDisabled: caps.Has(imap.CapLoginDisabled),
	}, auth.Credentials{User: e.User, AuthzID: e.AuthzID, Password: e.Password})
	if err != nil {
		return c.choiceError(e, err)
	}
	c.setCaps("") // a server that sends none with its OK is asked
	h := &command{op: "login", kind: KindAuth, scope: ScopeAccount}
	w := c.command("LOGIN").Secret(auth.NewSecret(e.User)).Secret(e.Password)
	switch {
	case choice.Mechanism != "" && caps.Has(imap.CapSASLIR): // RFC 4959
		w = c.command("AUTHENTICATE " + choice.Mechanism).RawSecret(choice.Initial)
	case choice.Mechanism != "":
		w = c.command("AUTHENTICATE " + choice.Mechanism).Answer(choice.Initial)
	}
	if err := c.call(ctx, w, h); err != nil {
		return loginHint(err, e)
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
	switch {
	case errors.Is(err, auth.ErrDisabled) && !c.secure:
		x.Hint = fmt.Sprintf("the server wants TLS first: use --%s-tls starttls or implicit", e.Side)
	case errors.Is(err, auth.ErrNoAuthzID):
		x.Hint = fmt.Sprintf("leave out --%s-authzid, or write the master user into the user name where the server allows it (user*master)", e.Side)
	}
	return c.error(nil, x)
}

// loginHint adds what to look at when the server refuses a login.
func loginHint(err error, e Endpoint) error {
	var x *Error
	if errors.As(err, &x) && x.Kind == KindAuth && x.Hint == "" {
		x.Hint = fmt.Sprintf("check user name and password of the %s", e.Side)
	}
	return err
}

var _ wire.Secret = auth.Secret{}
