package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Pin is the SHA-256 of a whole certificate (DER). It is what "openssl x509 -fingerprint -sha256" prints, and what mail
// programs show: an admin can compare it. A renewed certificate has another one, also where its key is the old one.
type Pin [sha256.Size]byte

const pinPrefix = "sha256:"

var errPin = errors.New("write sha256: and the 64 hexadecimal digits of the certificate's SHA-256, with or without colons")

// PinOf is the pin of a certificate.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.Raw) }

// ParsePin reads "sha256:" and 64 hexadecimal digits, in either case and with or without colons between the bytes.
func ParsePin(text string) (Pin, error) {
	if len(text) < len(pinPrefix) || !strings.EqualFold(text[:len(pinPrefix)], pinPrefix) {
		return Pin{}, errPin
	}
	digits := text[len(pinPrefix):]
	if len(digits) == 3*sha256.Size-1 {
		for i := 2; i < len(digits); i += 3 {
			if digits[i] != ':' {
				return Pin{}, errPin
			}
		}
		digits = strings.ReplaceAll(digits, ":", "")
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return Pin{}, errPin
	}
	return Pin(sum), nil
}

// String is what ParsePin reads, in small letters and without colons.
func (p Pin) String() string { return pinPrefix + hex.EncodeToString(p[:]) }

// Fingerprint is the pin as openssl prints it, to be compared by eye: AB:CD:….
func (p Pin) Fingerprint() string {
	var b strings.Builder
	for i, x := range p {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", x)
	}
	return b.String()
}

// ChangedError: the certificate is none of the pinned ones.
type ChangedError struct {
	Want []Pin
	Got  *x509.Certificate
}

func (e *ChangedError) Error() string {
	return "the certificate is " + PinOf(e.Got).String() + ", which is not pinned"
}

// UntrustedError: a server showed a certificate that is not trusted.
type UntrustedError struct {
	Certificate *x509.Certificate
	Changed     bool // it is pinned to another one: no question is asked then
	Err         error
}

func (e *UntrustedError) Error() string { return e.Err.Error() }
func (e *UntrustedError) Unwrap() error { return e.Err }
