package auth

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"
)

// Exchange is the client's side of one SASL login (RFC 4422 section 3). It is used once.
type Exchange interface {
	// Initial is the initial response; nil where the server speaks first.
	Initial() ([]byte, error)
	// Next answers a challenge. An error ends the login: nothing more may be sent of it.
	Next(challenge []byte) ([]byte, error)
	// Done is asked when the server says that the login worked: an error means that it did not prove itself.
	Done() error
	// Refusal is what the server said within the exchange of why it refuses, in its words, or "".
	Refusal() string
}

// errMore is a server that asks on when all is said.
var errMore = errors.New("the server asks for more than the mechanism has")

// simple is a mechanism that says all at once.
type simple struct{ client sasl.Client }

func (s simple) Initial() ([]byte, error) {
	_, response, err := s.client.Start()
	if response == nil {
		response = []byte{}
	}
	return response, err
}

func (simple) Next([]byte) ([]byte, error) { return nil, errMore }
func (simple) Done() error                 { return nil }
func (simple) Refusal() string             { return "" }

func newPlain(c Credentials) (Exchange, error) {
	return simple{sasl.NewPlainClient(c.AuthzID, c.User, c.Password.Reveal())}, nil
}

// newExternal sends whose mailbox it is: an empty identity leaves that to the certificate alone.
func newExternal(c Credentials) (Exchange, error) {
	identity := c.AuthzID
	if identity == "" {
		identity = c.User
	}
	return simple{sasl.NewExternalClient(identity)}, nil
}

// login answers two prompts, whatever they say: servers word them differently.
type login struct {
	answers []string
}

func newLogin(c Credentials) (Exchange, error) {
	return &login{answers: []string{c.User, c.Password.Reveal()}}, nil
}

func (*login) Initial() ([]byte, error) { return nil, nil }

func (l *login) Next([]byte) ([]byte, error) {
	if len(l.answers) == 0 {
		return nil, errMore
	}
	answer := l.answers[0]
	l.answers = l.answers[1:]
	return []byte(answer), nil
}

func (*login) Done() error     { return nil }
func (*login) Refusal() string { return "" }

// cram is CRAM-MD5 (RFC 2195): the password keys a digest of the challenge.
type cram struct {
	user     string
	password Secret
	said     bool
}

func newCRAM(c Credentials) (Exchange, error) { return &cram{user: c.User, password: c.Password}, nil }

func (*cram) Initial() ([]byte, error) { return nil, nil }

func (x *cram) Next(challenge []byte) ([]byte, error) {
	if x.said {
		return nil, errMore
	}
	x.said = true
	h := hmac.New(md5.New, []byte(x.password.Reveal()))
	h.Write(challenge)
	return []byte(x.user + " " + hex.EncodeToString(h.Sum(nil))), nil
}

func (x *cram) Done() error {
	if !x.said {
		return errors.New("the server took the login without having asked for a proof")
	}
	return nil
}

func (*cram) Refusal() string { return "" }

// bearer sends an access token. A refusal comes as a challenge with JSON in it, which must be answered before the
// server says NO: with one octet ^A in OAUTHBEARER (RFC 7628 section 3.2.3), with nothing in XOAUTH2.
type bearer struct {
	initial string
	dummy   string
	refusal string
	refused bool
}

// newOAuthBearer names the mailbox in the GS2 header, where RFC 7628 section 3.1 wants it.
func newOAuthBearer(c Credentials) (Exchange, error) {
	identity := c.AuthzID
	if identity == "" {
		identity = c.User
	}
	escaped := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(identity) // RFC 5801 section 4
	return &bearer{initial: "n,a=" + escaped + ",\x01auth=Bearer " + c.Token.Reveal() + "\x01\x01", dummy: "\x01"}, nil
}

func newXOAuth2(c Credentials) (Exchange, error) {
	return &bearer{initial: "user=" + c.User + "\x01auth=Bearer " + c.Token.Reveal() + "\x01\x01"}, nil
}

func (b *bearer) Initial() ([]byte, error) { return []byte(b.initial), nil }

func (b *bearer) Next(challenge []byte) ([]byte, error) {
	if b.refused {
		return nil, errMore
	}
	b.refused = true
	b.refusal = bearerRefusal(challenge)
	return []byte(b.dummy), nil
}

func (b *bearer) Done() error {
	if b.refused {
		return errors.New("the server refused the token and then let us in all the same")
	}
	return nil
}

func (b *bearer) Refusal() string { return b.refusal }

// bearerRefusal reads status and scope; Google's and Microsoft's are of the same form.
func bearerRefusal(challenge []byte) string {
	var said struct {
		Status string `json:"status"`
		Scope  string `json:"scope"`
	}
	if json.Unmarshal(challenge, &said) != nil || said.Status == "" {
		return ""
	}
	if said.Scope != "" {
		return fmt.Sprintf("status %s, scope wanted: %s", said.Status, said.Scope)
	}
	return "status " + said.Status
}
