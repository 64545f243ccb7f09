package auth

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
)

// Credentials are what a mailbox is opened with.
type Credentials struct {
	User     string
	AuthzID  string // RFC 4616 authorization identity; empty: none
	Password Secret
}

// Offer is what a server lets us choose from, read on the connection that will carry the login.
type Offer struct {
	Mechanisms    []string // of AUTH=…
	LoginDisabled bool     // RFC 9051 section 7.2.2
}

// Login is a chosen way to log in.
type Login struct {
	Mechanism string // "PLAIN", or "" for the LOGIN command
	Initial   Secret // base64 of the initial response; with Mechanism
}

var (
	// ErrDisabled: the server takes no password on this connection.
	ErrDisabled = errors.New("the server offers neither AUTHENTICATE PLAIN nor LOGIN on this connection")
	// ErrNoAuthzID: an authorization identity needs SASL.
	ErrNoAuthzID = errors.New("an authorization identity needs AUTHENTICATE PLAIN, which the server does not offer")
	// ErrNoPassword: an empty password is never sent; some servers take it for an anonymous login.
	ErrNoPassword = errors.New("the password is empty")
	// ErrNUL: SASL PLAIN separates its fields by NUL.
	ErrNUL = errors.New("the user name or password holds a NUL")
)

// Choose picks the mechanism: PLAIN where offered, for it carries any password and identity, else LOGIN.
func Choose(o Offer, c Credentials) (Login, error) {
	switch {
	case c.Password.Empty():
		return Login{}, ErrNoPassword
	case strings.ContainsRune(c.User+c.AuthzID+c.Password.Reveal(), 0):
		return Login{}, ErrNUL
	case slices.ContainsFunc(o.Mechanisms, func(m string) bool { return strings.EqualFold(m, sasl.Plain) }):
		mechanism, response, err := sasl.NewPlainClient(c.AuthzID, c.User, c.Password.Reveal()).Start()
		if err != nil {
			return Login{}, err
		}
		return Login{Mechanism: mechanism, Initial: NewSecret(base64.StdEncoding.EncodeToString(response))}, nil
	case c.AuthzID != "":
		return Login{}, ErrNoAuthzID
	case o.LoginDisabled:
		return Login{}, ErrDisabled
	}
	return Login{}, nil
}
