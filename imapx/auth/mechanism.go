package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mechanism is a way to log in: a SASL mechanism's name, or Command. Empty: the strongest that both sides have.
type Mechanism string

// The mechanisms that this program speaks.
const (
	Command     Mechanism = "LOGIN command" // RFC 9051 section 6.2.3
	Plain       Mechanism = "PLAIN"         // RFC 4616
	LoginSASL   Mechanism = "LOGIN"         // draft-murchison-sasl-login
	CRAMMD5     Mechanism = "CRAM-MD5"      // RFC 2195
	SCRAMSHA1   Mechanism = "SCRAM-SHA-1"   // RFC 5802
	SCRAMSHA256 Mechanism = "SCRAM-SHA-256" // RFC 7677
	External    Mechanism = "EXTERNAL"      // RFC 4422 appendix A
	OAuthBearer Mechanism = "OAUTHBEARER"   // RFC 7628
	XOAuth2     Mechanism = "XOAUTH2"       // Google's, before OAUTHBEARER
)

// Mechanisms lists them by the words that ParseMechanism takes, in the order in which TLS connections prefer them.
func Mechanisms() []string {
	return []string{"external", "oauthbearer", "xoauth2", "scram-sha-256", "scram-sha-1", "plain", "command", "login", "cram-md5"}
}

// ParseMechanism reads a mechanism's name in any case; "command" is IMAP's own LOGIN command.
func ParseMechanism(word string) (Mechanism, error) {
	switch low := strings.ToLower(word); {
	case low == "command":
		return Command, nil
	case slices.Contains(Mechanisms(), low):
		return Mechanism(strings.ToUpper(word)), nil
	}
	return "", fmt.Errorf("write one of %s", strings.Join(Mechanisms(), ", "))
}

// Credentials are what a mailbox is opened with: one of Token, Password and Certificate; with several, in this order.
type Credentials struct {
	User        string
	AuthzID     string // authorization identity (RFC 4422 section 3.4.1), whose mailbox is opened; empty: none
	Password    Secret
	Token       Secret    // OAuth access token (RFC 6750)
	Certificate bool      // the connection has shown a client certificate
	Force       Mechanism // this one or none; empty: the strongest
}

// Offer is what a server lets us choose from, read on the connection that will carry the login.
type Offer struct {
	Mechanisms    []string // of AUTH=…
	LoginDisabled bool     // RFC 9051 section 7.2.2
	Secure        bool     // the connection is TLS
}

func (o Offer) has(m Mechanism) bool {
	if m == Command {
		return !o.LoginDisabled
	}
	return slices.ContainsFunc(o.Mechanisms, func(s string) bool { return strings.EqualFold(s, string(m)) })
}

// Login is a chosen way to log in.
type Login struct {
	Mechanism Mechanism
	Exchange  Exchange // nil with Command
}

// Why a login was not sent. NotSent knows them all.
var (
	// ErrDisabled: the server takes no login of this kind on this connection.
	ErrDisabled = errors.New("the server offers no way to log in with this kind of credential on this connection")
	// ErrNotOffered: the mechanism that was asked for is not there.
	ErrNotOffered = errors.New("the server does not offer the mechanism that was asked for on this connection")
	// ErrNoAuthzID: an authorization identity needs a mechanism that carries one.
	ErrNoAuthzID = errors.New("the server offers no mechanism that carries an authorization identity, such as PLAIN")
	// ErrNoPassword: an empty password is never sent; some servers take it for an anonymous login.
	ErrNoPassword = errors.New("the password is empty")
	// ErrNoToken: a mechanism for access tokens was asked for, and there is none.
	ErrNoToken = errors.New("this mechanism takes an access token, and there is none")
	// ErrNoCertificate: EXTERNAL was asked for without a client certificate.
	ErrNoCertificate = errors.New("EXTERNAL takes a client certificate, and there is none")
	// ErrNUL: SASL PLAIN separates its fields by NUL, OAUTHBEARER by ^A.
	ErrNUL = errors.New("the user name, password or token holds a control character that no mechanism carries")
	// ErrUnprepared: SCRAM wants names and passwords that SASLprep (RFC 4013) allows.
	ErrUnprepared = errors.New("the user name or password holds characters that SCRAM does not allow")
)

// NotSent tells whether a login failed before the server could judge the credential.
func NotSent(err error) bool {
	return slices.ContainsFunc([]error{ErrDisabled, ErrNotOffered, ErrNoAuthzID, ErrNoPassword, ErrNoToken, ErrNoCertificate, ErrNUL, ErrUnprepared},
		func(e error) bool { return errors.Is(err, e) })
}

// kind is what a mechanism proves.
type kind int

const (
	byPassword kind = iota
	byToken
	byCertificate
)

// row is a mechanism of the table.
type row struct {
	name    Mechanism
	kind    kind
	authzID bool // it carries an authorization identity
	begin   func(Credentials) (Exchange, error)
}

// table holds the mechanisms, those that TLS connections prefer first.
//
// SCRAM never shows the password, and proves that the server knows it. Within TLS, PLAIN stands before CRAM-MD5: it
// carries any identity and works whatever form the server keeps passwords in, while servers offer CRAM-MD5 also for those that
// they keep hashed, and then refuse the right password. In clear text anything that hides the password comes first.
func table() []row {
	return []row{
		{OAuthBearer, byToken, true, newOAuthBearer},
		{XOAuth2, byToken, false, newXOAuth2},
		{SCRAMSHA256, byPassword, true, newSCRAM256},
		{SCRAMSHA1, byPassword, true, newSCRAM1},
		{Plain, byPassword, true, newPlain},
		{Command, byPassword, false, func(Credentials) (Exchange, error) { return nil, nil }},
		{LoginSASL, byPassword, false, newLogin},
		{CRAMMD5, byPassword, false, newCRAM},
		{External, byCertificate, true, newExternal},
	}
}

// order is the table as a connection prefers it.
func order(secure bool) []row {
	rows := table()
	if !secure {
		hides := func(r row) int {
			switch r.name {
			case Plain, Command, LoginSASL:
				return 1
			}
			return 0
		}
		slices.SortStableFunc(rows, func(a, b row) int { return hides(a) - hides(b) })
	}
	return rows
}

// Choose picks the mechanism: the strongest that both sides have, or the one that is forced. There is no second choice:
// what the server says to it is the answer.
func Choose(o Offer, c Credentials) (Login, error) {
	kind, err := c.kind()
	if err != nil {
		return Login{}, err
	}
	withoutAuthzID := false
	for _, r := range order(o.Secure) {
		switch {
		case r.kind != kind, c.Force != "" && r.name != c.Force, !o.has(r.name):
			continue
		case c.AuthzID != "" && !r.authzID:
			withoutAuthzID = true
			continue
		}
		x, err := r.begin(c)
		return Login{Mechanism: r.name, Exchange: x}, err
	}
	switch {
	case withoutAuthzID:
		return Login{}, ErrNoAuthzID
	case c.Force != "":
		return Login{}, fmt.Errorf("%w (%s; it offers %s)", ErrNotOffered, c.Force, o.text())
	case kind == byPassword && c.AuthzID != "" && !o.LoginDisabled:
		return Login{}, ErrNoAuthzID
	}
	return Login{}, fmt.Errorf("%w (it offers %s)", ErrDisabled, o.text())
}

// kind is what the credentials prove, and checks that they can be sent.
func (c Credentials) kind() (kind, error) {
	k := byPassword
	switch {
	case c.Force != "":
		for _, r := range table() {
			if r.name == c.Force {
				k = r.kind
			}
		}
	case !c.Token.Empty():
		k = byToken
	case c.Password.Empty() && c.Certificate:
		k = byCertificate
	}
	switch {
	case k == byPassword && c.Password.Empty():
		return k, ErrNoPassword
	case k == byToken && c.Token.Empty():
		return k, ErrNoToken
	case k == byCertificate && !c.Certificate:
		return k, ErrNoCertificate
	case strings.ContainsRune(c.User+c.AuthzID+c.Password.Reveal(), 0):
		return k, ErrNUL
	case k == byToken && strings.ContainsFunc(c.User+c.AuthzID+c.Token.Reveal(), isControl):
		return k, ErrNUL
	}
	return k, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// text names what is offered, for an error. The names are the server's: few, short and printable ones are shown.
func (o Offer) text() string {
	var names []string
	for _, m := range o.Mechanisms {
		if len(m) <= 20 && len(names) < 12 && !strings.ContainsFunc(m, func(r rune) bool { return r <= ' ' || r > '~' }) {
			names = append(names, m)
		}
	}
	if !o.LoginDisabled {
		names = append(names, string(Command))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
