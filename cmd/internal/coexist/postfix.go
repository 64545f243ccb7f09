package coexist

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// atoms are the characters of a local part that needs no quotes, beside letters and digits (RFC 5322 section 3.2.3).
const atoms = "!#$%&'*+-/=?^_`{|}~."

// postfixLine is a line of a transport table (transport(5)). The brackets say that the host is asked itself, and not what
// its MX says: that may still be the old server.
func postfixLine(e Entry) (string, error) {
	key := Key(e.Key)
	local, domain, is := cutAddress(key)
	switch {
	case !is:
		return "", errors.New("the login is no address, and Postfix looks for one")
	case !isAtom(local) || local[0] == '#':
		return "", errors.New("the address has characters before the @ that a table cannot hold")
	case !isDomain(domain):
		return "", errors.New("what is behind the @ is no domain (umlauts are written as xn--…)")
	case !isDomain(e.Relay) && !isAddr(e.Relay):
		return "", errors.New("the host that mail goes to is neither a name nor an address")
	case e.RelayPort < 1 || e.RelayPort > 65535:
		return "", errors.New("the port that mail goes to is no port")
	}
	host := e.Relay
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() { // RFC 5321 section 4.1.3, as Postfix wants it
		host = "ipv6:" + host
	}
	return fmt.Sprintf("%s relay:[%s]:%d", key, host, e.RelayPort), nil
}

func postfixKey(line string) (string, bool) {
	key, _, is := strings.Cut(line, " ")
	return key, is
}

// cutAddress cuts an address at its last @.
func cutAddress(s string) (local, domain string, is bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

func isAtom(s string) bool {
	for _, r := range s {
		if !isLetterOrDigit(r) && !strings.ContainsRune(atoms, r) {
			return false
		}
	}
	return s != ""
}

func isLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isDomain takes what a resolver can look up (RFC 1123 section 2.1), and a single label.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isLetterOrDigit(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

func isAddr(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}
