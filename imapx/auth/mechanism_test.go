package auth

import (
	"errors"
	"strings"
	"testing"
)

func offer(secure bool, mechanisms ...string) Offer {
	return Offer{Mechanisms: mechanisms, Secure: secure}
}

func TestChoose(t *testing.T) {
	c := Credentials{User: "u", Password: NewSecret("p")}
	with := func(change func(*Credentials)) Credentials { x := c; change(&x); return x }
	admin := with(func(c *Credentials) { c.AuthzID = "a" })
	token := Credentials{User: "u", Token: NewSecret("t")}
	cert := Credentials{User: "u", Certificate: true}
	force := func(m Mechanism) Credentials { return with(func(c *Credentials) { c.Force = m }) }
	all := offer(true, "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "scram-sha-256", "EXTERNAL", "XOAUTH2", "OAUTHBEARER")
	disabled := func(o Offer) Offer { o.LoginDisabled = true; return o }
	for name, x := range map[string]struct {
		o    Offer
		c    Credentials
		want Mechanism
		err  error
	}{
		"strongest":                {all, c, SCRAMSHA256, nil},
		"older SCRAM":              {offer(true, "PLAIN", "SCRAM-SHA-1"), c, SCRAMSHA1, nil},
		"PLAIN within TLS":         {offer(true, "CRAM-MD5", "PLAIN"), c, Plain, nil},
		"CRAM-MD5 in clear text":   {offer(false, "CRAM-MD5", "PLAIN"), c, CRAMMD5, nil},
		"SCRAM in clear text":      {offer(false, "CRAM-MD5", "PLAIN", "SCRAM-SHA-1"), c, SCRAMSHA1, nil},
		"command":                  {offer(true), c, Command, nil},
		"command before LOGIN":     {offer(true, "LOGIN"), c, Command, nil},
		"LOGIN":                    {disabled(offer(true, "LOGIN")), c, LoginSASL, nil},
		"CRAM-MD5 alone":           {disabled(offer(true, "CRAM-MD5")), c, CRAMMD5, nil},
		"PLAIN, LOGIN disabled":    {disabled(offer(true, "PLAIN")), c, Plain, nil},
		"nothing":                  {disabled(offer(true, "NTLM")), c, "", ErrDisabled},
		"identity by SCRAM":        {all, admin, SCRAMSHA256, nil},
		"identity past CRAM-MD5":   {offer(false, "CRAM-MD5", "PLAIN"), admin, Plain, nil},
		"no identity in a command": {offer(true), admin, "", ErrNoAuthzID},
		"no identity in CRAM-MD5":  {disabled(offer(true, "CRAM-MD5")), admin, "", ErrNoAuthzID},
		"no identity, disabled":    {disabled(offer(true)), admin, "", ErrDisabled},
		"forced":                   {all, force(CRAMMD5), CRAMMD5, nil},
		"forced command":           {all, force(Command), Command, nil},
		"forced, not offered":      {offer(true, "PLAIN"), force(SCRAMSHA1), "", ErrNotOffered},
		"forced token, a password": {all, force(XOAuth2), "", ErrNoToken},
		"forced EXTERNAL":          {all, force(External), "", ErrNoCertificate},
		"token":                    {all, token, OAuthBearer, nil},
		"token, old":               {offer(true, "XOAUTH2", "PLAIN"), token, XOAuth2, nil},
		"token, passwords only":    {offer(true, "PLAIN"), token, "", ErrDisabled},
		"token, identity, XOAUTH2": {offer(true, "XOAUTH2"), Credentials{User: "u", AuthzID: "a", Token: NewSecret("t")}, "", ErrNoAuthzID},
		"token with a line break":  {all, Credentials{User: "u", Token: NewSecret("t\x01")}, "", ErrNUL},
		"certificate":              {all, cert, External, nil},
		"certificate and password": {all, with(func(c *Credentials) { c.Certificate = true }), SCRAMSHA256, nil},
		"certificate, not offered": {offer(true, "PLAIN"), cert, "", ErrDisabled},
		"empty":                    {all, Credentials{User: "u"}, "", ErrNoPassword},
		"NUL":                      {all, Credentials{User: "u\x00v", Password: NewSecret("p")}, "", ErrNUL},
		"unprepared":               {all, Credentials{User: "u", Password: NewSecret("a\u0007b")}, "", ErrUnprepared},
	} {
		l, err := Choose(x.o, x.c)
		if !errors.Is(err, x.err) || err == nil && l.Mechanism != x.want {
			t.Errorf("%s: %q %v", name, l.Mechanism, err)
		}
		if err != nil && !NotSent(err) {
			t.Errorf("%s: %v counts as sent", name, err)
		}
	}
}

func TestEveryWordIsAMechanism(t *testing.T) {
	known := map[Mechanism]bool{}
	for _, word := range Mechanisms() {
		m, err := ParseMechanism(strings.ToUpper(word))
		if err != nil {
			t.Error(err)
		}
		known[m] = true
	}
	for _, r := range table() {
		if !known[r.name] {
			t.Errorf("%s cannot be asked for", r.name)
		}
	}
	if len(known) != len(table()) {
		t.Errorf("%d words for %d mechanisms", len(known), len(table()))
	}
	if _, err := ParseMechanism("ntlm"); err == nil {
		t.Error("ntlm is taken")
	}
}

func TestOfferTextIsSafe(t *testing.T) {
	o := disabledOffer("PLAIN", "EVIL\x1b[31m", strings.Repeat("X", 1000))
	if got := o.text(); got != "PLAIN" {
		t.Errorf("%q", got)
	}
}

func disabledOffer(mechanisms ...string) Offer {
	o := offer(true, mechanisms...)
	o.LoginDisabled = true
	return o
}

// The hint tells of a password's form, and never of its letters.
func TestRefusedHint(t *testing.T) {
	for password, want := range map[string]string{
		"plain":        "check user name and password of the source",
		"Mu\u0308ller": "NFD",
		"M\u00fcller":  "beyond ASCII",
		"M\xfcller":    "not in UTF-8",
		" blank":       "blank",
	} {
		got := RefusedHint("source", offer(true, "PLAIN"), Login{Mechanism: Plain}, Credentials{User: "u", Password: NewSecret(password)})
		if !strings.Contains(got, want) || strings.Contains(got, "ller") {
			t.Errorf("%q: %s", password, got)
		}
	}
	if got := RefusedHint("", offer(true, "PLAIN"), Login{Mechanism: Plain}, Credentials{User: "u", Password: NewSecret("p")}); got != "check user name and password" {
		t.Errorf("one endpoint alone: %q", got)
	}
	for _, m := range []Mechanism{Plain, SCRAMSHA1, External, OAuthBearer} {
		got := RefusedHint("source", offer(true, "PLAIN"), Login{Mechanism: m}, Credentials{User: "admin", AuthzID: "u", Password: NewSecret("p")})
		if !strings.Contains(got, "let admin open other people's mailboxes") {
			t.Errorf("%s with an authorization identity: %s", m, got)
		}
	}
	got := RefusedHint("target", offer(true, "PLAIN", "SCRAM-SHA-256"), Login{Mechanism: SCRAMSHA256}, Credentials{User: "u", Password: NewSecret("p")})
	if !strings.Contains(got, "--target-auth plain") {
		t.Error(got)
	}
	got = RefusedHint("target", offer(false, "PLAIN", "CRAM-MD5"), Login{Mechanism: CRAMMD5}, Credentials{User: "u", Password: NewSecret("p")})
	if strings.Contains(got, "plain") {
		t.Errorf("in clear text it proposes to show the password: %s", got)
	}
}
