package cmd

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"mailmove/imapx"
)

// address is what --source or --target says.
type address struct {
	Host string
	Port int // 0: the default of TLS
	TLS  imapx.TLSMode
	User string // "": not given
}

// schemes are the URL forms (RFC 5092, with imaps for implicit TLS as in RFC 8314). Clear text has none: it
// wants its own flag.
func schemes() map[string]imapx.TLSMode {
	return map[string]imapx.TLSMode{"imaps": imapx.TLSImplicit, "imap": imapx.TLSStartTLS}
}

// parseAddress reads a URL or a bare host. No error repeats what was typed before the last "@" or after a
// colon, for a password may be there.
func parseAddress(flag, s string) (address, error) {
	if s == "" {
		example := flag + " mail.example.org"
		if !strings.HasPrefix(flag, "-") { // an argument, not a flag
			example = "mail.example.org"
		}
		return address{}, usagef("say which server it is, for example "+example, "no %s", flag)
	}
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return parseBare(flag, s)
	}
	mode, ok := schemes()[strings.ToLower(scheme)]
	if !ok {
		return address{}, usagef("write imaps://host (TLS from the start, port 993) or imap://host (STARTTLS, port 143)",
			"%s: the URL begins with neither imaps:// nor imap://", flag)
	}
	a := address{TLS: mode}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, err := parseUser(flag, rest[:at])
		if err != nil {
			return address{}, err
		}
		a.User, rest = user, rest[at+1:]
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return address{}, usagef("give the server alone: a pass moves the whole mailbox",
			"%s: the URL goes on after the host", flag)
	}
	var err error
	a.Host, a.Port, err = parseHostPort(flag, rest)
	return a, err
}

// parseBare reads "host" and "host:port", which mean implicit TLS.
func parseBare(flag, s string) (address, error) {
	if strings.ContainsRune(s, '@') {
		return address{}, usagef("give the host with "+flag+" and the user with "+beside(flag, "-user"),
			"%s: a host name has no @", flag)
	}
	host, port, err := parseHostPort(flag, s)
	return address{Host: host, Port: port, TLS: imapx.TLSImplicit}, err
}

// parseUser decodes the user of a URL: all before the last "@", so that addresses need no %40.
func parseUser(flag, s string) (string, error) {
	if strings.ContainsRune(s, ':') {
		return "", usagef("command lines are seen by every user of a machine: use "+beside(flag, "-password-file")+", "+
			beside(flag, "-password-command")+" or the environment (a colon in a user name is %3A)",
			"%s: a password in a URL is refused", flag)
	}
	user, err := url.PathUnescape(s)
	if err != nil {
		return "", usagef("write %25 for a percent sign, or give the user with "+beside(flag, "-user"),
			"%s: the user holds a %% that is no %%-code", flag)
	}
	if user == "" {
		return "", usagef("", "%s: the user before the @ is empty", flag)
	}
	return user, checkUser(flag, user)
}

// beside is a flag that belongs to another: --source-user to --source. What stands without a flag, as ENDPOINT does, has --user.
func beside(flag, part string) string {
	if !strings.HasPrefix(flag, "--") {
		flag = "-"
	}
	return flag + part
}

// checkUser refuses what no server takes and what could disturb a terminal.
func checkUser(flag, user string) error {
	if strings.IndexFunc(user, unicode.IsControl) >= 0 {
		return usagef("", "%s: the user holds a control character", flag)
	}
	return nil
}

// parseHostPort splits host and port. IPv6 literals stand in brackets where a port follows.
func parseHostPort(flag, s string) (string, int, error) {
	host, portText := s, ""
	switch {
	case net.ParseIP(s) != nil:
		return s, 0, nil
	case strings.HasPrefix(s, "["):
		inner, after, ok := strings.Cut(s[1:], "]")
		if !ok || net.ParseIP(inner) == nil || (after != "" && after[0] != ':') {
			return "", 0, usagef("write [2001:db8::1]:993", "%s: no IPv6 address stands in the brackets", flag)
		}
		host, portText = inner, after
	default:
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			host, portText = s[:i], s[i:]
		}
		if !isHostName(host) {
			return "", 0, usagef("a host is a name such as mail.example.org (umlauts as xn--…) or an IP address",
				"%s: that is no host name", flag)
		}
	}
	if portText == "" {
		return host, 0, nil
	}
	port, err := strconv.ParseUint(portText[1:], 10, 16)
	if err != nil || port == 0 {
		return "", 0, usagef("a port is a number from 1 to 65535", "%s: the port after the host is no port", flag)
	}
	return host, int(port), nil
}

// isHostName takes the names that a resolver can look up (RFC 1123 section 2.1, and "_" which some use).
func isHostName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return false
		}
	}
	return !strings.Contains(s, "..")
}
