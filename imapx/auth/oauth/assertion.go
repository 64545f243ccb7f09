package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// assertionLife is how long a client assertion is valid: it is used at once.
const assertionLife = 5 * time.Minute

// certificate is what an application proves itself with instead of a secret.
type certificate struct {
	key        *rsa.PrivateKey
	thumbprint string // base64url of the SHA-256 of the certificate
}

// readCertificate reads PEM files; the key must be RSA, which is what Microsoft takes.
func readCertificate(certFile, keyFile string) (*certificate, error) {
	cert, err := readFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := readFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.New("certificate and key do not belong together, or are no PEM files")
	}
	private, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not an RSA key")
	}
	sum := sha256.Sum256(pair.Certificate[0])
	return &certificate{private, base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// assertion is a JWT with which the application says who it is (RFC 7523 section 3), as Microsoft documents it: PS256 and
// the certificate's SHA-256.
func (c *certificate) assertion(clientID, audience string, now time.Time) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	encode := func(v any) (string, error) {
		b, err := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b), err
	}
	head, err := encode(map[string]string{"alg": "PS256", "typ": "JWT", "x5t#S256": c.thumbprint})
	if err != nil {
		return "", err
	}
	body, err := encode(map[string]any{"aud": audience, "iss": clientID, "sub": clientID,
		"jti": base64.RawURLEncoding.EncodeToString(id), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(assertionLife).Unix()})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(head + "." + body))
	signature, err := rsa.SignPSS(rand.Reader, c.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		return "", err
	}
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
