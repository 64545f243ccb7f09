package coexist

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// nginxHead begins the map that nginx includes within http{}. What it finds goes into headers of the answer that its mail
// proxy gets (ngx_mail_auth_http_module).
func nginxHead() []string {
	return []string{"map $http_auth_user $mailmove {", `    default "";`}
}

// nginxTail cuts the value into its parts. All are empty for who has not moved.
func nginxTail() []string {
	return []string{
		"}",
		`map $mailmove $mailmove_server { default ""; "~^(?<mailmove_found_server>[^ ]+) " $mailmove_found_server; }`,
		`map $mailmove $mailmove_port { default ""; "~^[^ ]+ (?<mailmove_found_port>[0-9]+)" $mailmove_found_port; }`,
		`map $mailmove $mailmove_user { default ""; "~^[^ ]+ [0-9]+ (?<mailmove_found_user>.+)$" $mailmove_found_user; }`,
	}
}

// nginxLine is one entry of the map. nginx talks clear text to the server behind it, and passes on what the user typed.
func nginxLine(e Entry) (string, error) {
	key := Key(e.Key)
	if err := plain("the login", key); err != nil {
		return "", err
	}
	switch {
	case e.TLS != NoTLS:
		return "", errors.New("nginx' mail proxy talks clear text to the server behind it")
	case !e.Login.Empty():
		return "", errors.New("nginx cannot ask the old server for its password, so it passes on what the user typed")
	case !e.Addr.IsValid() || e.Addr.Port() == 0:
		return "", errors.New("the server behind the proxy has no address")
	}
	value := fmt.Sprintf("%s %d", e.Addr.Addr(), e.Addr.Port())
	if e.User != "" && e.User != key {
		if err := without("the login at the new server", e.User, ` "\$`, "a map of nginx"); err != nil {
			return "", err
		}
		value += " " + e.User
	}
	return nginxQuote(nginxFound(key)) + ` "` + value + `";`, nil
}

// nginxHeader is how nginx' mail proxy writes a login into the header Auth-User: blanks, percent signs and what is not
// printable ASCII as %XX.
func nginxHeader(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// nginxFound is a login as a string of a map holds it. What means something at its beginning is taken literally behind a
// backslash.
func nginxFound(key string) string {
	s := nginxHeader(key)
	switch {
	case strings.HasPrefix(s, "~"), strings.HasPrefix(s, `\`), s == "default", s == "hostnames", s == "include", s == "volatile":
		return `\` + s
	}
	return s
}

func nginxQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func nginxKey(line string) (string, bool) {
	quoted := strings.TrimSpace(line)
	for i := 1; i < len(quoted); i++ {
		switch quoted[i] {
		case '\\':
			i++
		case '"':
			key, err := strconv.Unquote(quoted[:i+1])
			return key, err == nil && quoted[0] == '"'
		}
	}
	return "", false
}
