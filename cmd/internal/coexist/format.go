package coexist

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"mailmove/imapx/auth"
)

// TLS is how a proxy talks to the server behind it.
type TLS int

// The values of TLS.
const (
	NoTLS TLS = iota
	ImplicitTLS
	StartTLS
)

// Entry is one account that has moved.
type Entry struct {
	Key  string // what the old server knows it by: an address for Postfix, a login for a proxy
	User string // login at the new server; "": Key

	// For Postfix: where its mail goes.
	Relay     string // host name or address
	RelayPort int

	// For a proxy: which server is behind it.
	Addr    netip.AddrPort
	Name    string // that its certificate must have; "": the address
	TLS     TLS
	Login   auth.Secret // password at the new server; empty: the one that the user types goes through
	OnLogin string      // whose mailbox is opened, where User is an admin's login; else ""
}

// Format is one kind of map.
type Format struct {
	Name   string
	Proxy  bool // a map of logins, not of addresses
	head   []string
	tail   []string
	indent string
	line   func(Entry) (string, error)
	key    func(string) (string, bool)
	mask   func(string) string
}

// Formats are all kinds of maps.
func Formats() []Format {
	same := func(s string) string { return s }
	dovecot := Format{Proxy: true, line: dovecotLine, key: dovecotKey, mask: dovecotMask}
	dovecot.Name = "dovecot"
	newer := dovecot
	newer.Name = "dovecot24"
	return []Format{
		{Name: "postfix", line: postfixLine, key: postfixKey, mask: same},
		dovecot,
		newer,
		{Name: "nginx", Proxy: true, line: nginxLine, key: nginxKey, mask: same, head: nginxHead(), tail: nginxTail(), indent: "    "},
	}
}

// Line is what an entry comes to. Its error says which value the format cannot hold, without a password.
func (f Format) Line(e Entry) (string, error) { return f.line(e) }

// Find is what the entry of a key is found by in a Table.
func (f Format) Find(key string) string {
	if key = Key(key); f.Name == "nginx" {
		return nginxFound(key)
	}
	return key
}

// Masked is a line without what is secret in it.
func (f Format) Masked(line string) string { return f.mask(line) }

// Key is what an entry's line is found by: the formats fold capitals, as the servers do before they look.
func Key(text string) string { return strings.ToLower(text) }

// plain refuses what no format holds: what is not text, and what could end a line.
func plain(what, value string) error {
	switch {
	case value == "":
		return errors.New(what + " is empty")
	case !utf8.ValidString(value):
		return errors.New(what + " is no UTF-8")
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return errors.New(what + " holds a control character")
	}
	return nil
}

// without refuses characters that mean something to the format.
func without(what, value, chars, format string) error {
	if err := plain(what, value); err != nil {
		return err
	}
	if i := strings.IndexAny(value, chars); i >= 0 {
		name := string(value[i])
		if name == " " {
			name = "a blank"
		}
		return fmt.Errorf("%s holds %s, which %s cannot hold", what, name, format)
	}
	return nil
}
