package auth

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// RefusedHint says what to look at when a server has refused a login. side is "source" or "target", for the flags it
// names; one endpoint alone has none. It tells of the password's form, never of its letters.
func RefusedHint(side string, o Offer, l Login, c Credentials) string {
	hint := credentialHint(side, o, l, c)
	if c.AuthzID != "" { // Cyrus's refusal is the same for both, and Dovecot's with PLAIN
		hint += fmt.Sprintf("; and the server must let %s open other people's mailboxes (docs/logins.md)", c.User)
	}
	return hint
}

func credentialHint(side string, o Offer, l Login, c Credentials) string {
	switch l.Mechanism {
	case OAuthBearer, XOAuth2:
		return fmt.Sprintf("the token must be for this mailbox (%s), of this provider and with its scope for IMAP (docs/oauth.md)", c.User)
	case External:
		return "the server must trust the certificate's issuer and find this user in it"
	}
	hint := "check user name and password"
	if side != "" {
		hint += " of the " + side
	}
	switch password := c.Password.Reveal(); {
	case !utf8.ValidString(password):
		hint += "; the password is not in UTF-8, as most servers want it"
	case !norm.NFC.IsNormalString(password):
		hint += "; the password has letters with a mark of their own (NFD, as macOS writes them): servers keep the composed form, so type it anew"
	case strings.IndexFunc(password, func(r rune) bool { return r > 0x7e }) >= 0:
		hint += "; the password has letters beyond ASCII: the server may keep it in an old character set, and only a new password helps"
	case strings.TrimSpace(password) != password:
		hint += "; the password begins or ends with a blank"
	}
	if strings.HasPrefix(string(l.Mechanism), "SCRAM-") || l.Mechanism == CRAMMD5 {
		if o.Secure && o.has(Plain) {
			hint += fmt.Sprintf("; a server that keeps this one hashed refuses %s: --%s-auth plain sends the password within TLS", l.Mechanism, side)
		}
	}
	return hint
}
