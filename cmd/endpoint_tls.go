package cmd

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"mailmove/imapx"
	"mailmove/imapx/auth"
)

// trustFlags say which certificate a server may have beside one that the authorities vouch for, and which we show it.
type trustFlags struct {
	oldest tlsVersion
	pins   pinList
	cert   string
	key    string
}

func (t *trustFlags) bind(set *pflag.FlagSet, name func(string) string) {
	set.Var(&t.pins, name("-tls-pin"), "the certificate, as sha256: and 64 hex digits, instead of asking an authority")
	set.Var(&t.oldest, name("-tls-min"), "oldest TLS version: 1.0, 1.1, 1.2 or 1.3; 1.0 and 1.1 are for old servers (docs/tls.md)")
	set.StringVar(&t.cert, name("-tls-cert"), "", "PEM `FILE` of a certificate of yours, for servers that want one")
	set.StringVar(&t.key, name("-tls-key"), "", "PEM `FILE` of its key, where the first file has none")
}

// fill reads the files and sets the endpoint's part.
func (t *trustFlags) fill(ep *imapx.Endpoint, flag func(string) string) (err error) {
	if ep.TLS == imapx.TLSNone {
		for _, part := range []struct {
			name  string
			given bool
		}{{"-tls-pin", len(t.pins) > 0}, {"-tls-min", t.oldest != 0}, {"-tls-cert", t.cert != ""}, {"-tls-key", t.key != ""}} {
			if part.given {
				return usagef("leave one of them out", "%s in clear text (%s none): there is no TLS", flag(part.name), flag("-tls"))
			}
		}
	}
	ep.OldestTLS, ep.Pins = uint16(t.oldest), t.pins
	ep.ClientCert, err = t.own(flag)
	return err
}

// own reads our certificate and its key; nil without one.
func (t *trustFlags) own(flag func(string) string) (*tls.Certificate, error) {
	certFlag, keyFlag := flag("-tls-cert"), flag("-tls-key")
	switch {
	case t.cert == "" && t.key == "":
		return nil, nil
	case t.cert == "":
		return nil, usagef("give the certificate with "+certFlag, "%s without a certificate", keyFlag)
	}
	certText, err := os.ReadFile(t.cert)
	if err != nil {
		return nil, noInput(certFlag, err)
	}
	keyText, keyFile := certText, certFlag+" "+t.cert
	if t.key != "" {
		if keyText, err = os.ReadFile(t.key); err != nil {
			return nil, noInput(keyFlag, err)
		}
		keyFile = keyFlag + " " + t.key
	}
	if encrypted(keyText) {
		return nil, &failure{code: exitNoInput, what: keyFile + ": the key is encrypted",
			hint: "nobody is asked for its password: openssl pkey -in FILE -out PLAIN, in a file that only you can read"}
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, &failure{code: exitNoInput, what: keyFile + ": " + strings.TrimPrefix(err.Error(), "tls: "), err: err,
			hint: "give a PEM file with the certificate, and one with its key (or both in one file)"}
	}
	return &pair, nil
}

// encrypted finds a PEM key with a password, in the form of PKCS #8 or the old one of OpenSSL.
func encrypted(text []byte) bool {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return false
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
		text = rest
	}
}

// mostPins bounds the certificates of one server: those of its machines, old and new.
const mostPins = 16

// pinList is the value of --source-tls-pin: one pin, or several between commas.
type pinList []auth.Pin

func (l *pinList) Set(text string) error {
	var all pinList
	for part := range strings.SplitSeq(text, ",") {
		pin, err := auth.ParsePin(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		all = append(all, pin)
	}
	if len(all) > mostPins {
		return fmt.Errorf("at most %d certificates", mostPins)
	}
	*l = all
	return nil
}

func (l *pinList) String() string {
	var all []string
	for _, pin := range *l {
		all = append(all, pin.String())
	}
	return strings.Join(all, ",")
}

func (*pinList) Type() string { return "SHA256" }

// tlsVersion is the value of --source-tls-min; 0 leaves it at TLS 1.2.
type tlsVersion uint16

func tlsVersions() []string { return []string{"1.0", "1.1", "1.2", "1.3"} } // from tls.VersionTLS10 on

func (v *tlsVersion) Set(text string) error {
	for i, name := range tlsVersions() {
		if text == name {
			*v = tlsVersion(tls.VersionTLS10 + i)
			return nil
		}
	}
	return errors.New("write 1.0, 1.1, 1.2 or 1.3")
}

func (v *tlsVersion) String() string {
	if *v == 0 {
		return ""
	}
	return tlsVersions()[*v-tls.VersionTLS10]
}

func (*tlsVersion) Type() string { return "VERSION" }
