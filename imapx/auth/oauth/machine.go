package oauth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"mailmove/imapx/auth"
)

// Tokens gives the tokens that the settings have without anybody logging in. subject is whose mailbox it is, for a
// service account; an application's token is for every mailbox that it may open. Everything that the settings name is read
// now.
func (c *Client) Tokens(s *Settings, subject string) (*auth.Tokens, error) {
	switch s.Type {
	case typeServiceAccount:
		return c.serviceAccount(s, subject)
	case typeMicrosoft, typeClient:
		return c.application(s)
	}
	return nil, errors.New("these settings are for a person, who logs in first: mailmove oauth login")
}

// PerMailbox tells whether each mailbox needs tokens of its own.
func (s *Settings) PerMailbox() bool { return s.Type == typeServiceAccount }

// serviceAccount is Google's domain-wide delegation: a signed JWT that names the user (RFC 7523 section 2.1).
func (c *Client) serviceAccount(s *Settings, subject string) (*auth.Tokens, error) {
	if err := checkRSA(s.PrivateKey); err != nil {
		return nil, err
	}
	config := jwt.Config{Email: s.ClientEmail, PrivateKey: []byte(s.PrivateKey), PrivateKeyID: s.PrivateKeyID,
		Subject: subject, Scopes: s.Scopes, TokenURL: s.TokenURL}
	credential := auth.NewSecret(s.ClientEmail + " " + s.PrivateKeyID + " " + subject)
	return auth.NewTokens(credential, func(ctx context.Context) (auth.Token, error) {
		a := c.ask(ctx)
		defer a.end()
		t, err := config.TokenSource(a.ctx).Token()
		return c.token(ctx, t, a.because(err), hostOf(s.TokenURL))
	}), nil
}

// checkRSA finds a broken key before anything is asked. What is in it is not repeated.
func checkRSA(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New(`its field "private_key" is no PEM block`)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return errors.New(`its field "private_key" is no RSA key`)
		}
		return nil
	}
	if _, ok := key.(*rsa.PrivateKey); !ok {
		return errors.New(`its field "private_key" is no RSA key`)
	}
	return nil
}

// application is the client credentials grant (RFC 6749 section 4.4), by a secret or by a certificate.
func (c *Client) application(s *Settings) (*auth.Tokens, error) {
	var (
		proof  *certificate
		secret string
	)
	credential := s.TokenURL + " " + s.ClientID + " "
	if s.Certificate != "" {
		var err error
		if proof, err = readCertificate(s.path(s.Certificate), s.path(s.Key)); err != nil {
			return nil, err
		}
		credential += proof.thumbprint
	} else {
		var err error
		if secret, err = s.secret(); err != nil {
			return nil, err
		}
		credential += secret
	}
	return auth.NewTokens(auth.NewSecret(credential), func(ctx context.Context) (auth.Token, error) {
		a := c.ask(ctx)
		defer a.end()
		ask := clientcredentials.Config{ClientID: s.ClientID, ClientSecret: secret, TokenURL: s.TokenURL, Scopes: s.Scopes,
			AuthStyle: oauth2.AuthStyleInParams}
		if proof != nil { // a new one for each time: it is used once
			signed, err := proof.assertion(s.ClientID, s.TokenURL, c.now())
			if err != nil {
				return auth.Token{}, &auth.TokenError{Text: "the client assertion cannot be signed", Permanent: true, Err: err}
			}
			ask.EndpointParams = url.Values{"client_assertion": {signed},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		}
		t, err := ask.Token(a.ctx)
		return c.token(ctx, t, a.because(err), hostOf(s.TokenURL))
	}), nil
}
