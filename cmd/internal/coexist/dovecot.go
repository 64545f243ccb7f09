package coexist

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// dovecotLine is a line of a passwd-file that sends a login on. Fields 2 to 7 are empty, the eighth holds options.
//
// Where the user's own password goes through, this server accepts any (nopassword) and the new one judges it: so the
// passdb may serve IMAP and POP3 only, or any password would do for sending mail (docs/coexistence.md). Where another
// password is given, noauthenticate leaves judging to the passdb that follows, which knows the old password.
func dovecotLine(e Entry) (string, error) {
	key := Key(e.Key)
	if err := without("the login", key, ": ", "a passwd-file"); err != nil {
		return "", err
	}
	if key[0] == '#' {
		return "", errors.New("the login begins with #, which is a comment in a passwd-file")
	}
	if !e.Addr.IsValid() || e.Addr.Port() == 0 {
		return "", errors.New("the server behind the proxy has no address")
	}
	words := []string{"proxy=y"}
	if e.Login.Empty() {
		words = append(words, "nopassword=y")
	} else {
		words = append(words, "noauthenticate=y")
	}
	address := e.Addr.Addr().String()
	if e.Name == "" || e.Name == address {
		words = append(words, "host="+address)
	} else {
		// host is the name that the certificate must have; hostip saves the lookup, and does not follow the DNS.
		if !isDomain(e.Name) {
			return "", errors.New("the name of the server behind the proxy is no host name")
		}
		words = append(words, "host="+e.Name, "hostip="+address)
	}
	words = append(words, fmt.Sprintf("port=%d", e.Addr.Port()))
	switch e.TLS {
	case ImplicitTLS:
		words = append(words, "ssl=yes")
	case StartTLS:
		words = append(words, "starttls=yes")
	}
	more, err := dovecotLogin(e, key)
	if err != nil {
		return "", err
	}
	return key + ":::::::" + strings.Join(append(words, more...), " "), nil
}

// dovecotLogin are the options that say who logs in at the new server. An admin's login is authorised to be the user
// (master), which Dovecot sends as SASL PLAIN does.
func dovecotLogin(e Entry, key string) (words []string, err error) {
	user, master := e.User, ""
	if e.OnLogin != "" {
		user, master = e.OnLogin, e.User
	}
	for _, o := range []struct {
		name, what, value string
		given             bool
	}{
		{"destuser", "the login at the new server", user, user != "" && user != key},
		{"master", "the admin's login at the new server", master, master != ""},
		{"pass", "the password at the new server", e.Login.Reveal(), !e.Login.Empty()},
	} {
		if !o.given {
			continue
		}
		if err := without(o.what, o.value, " ", "a passwd-file"); err != nil {
			return nil, err
		}
		words = append(words, o.name+"="+strings.ReplaceAll(o.value, "%", "%%")) // values are expanded
	}
	return words, nil
}

func dovecotKey(line string) (string, bool) {
	key, _, is := strings.Cut(line, ":")
	return key, is && key != ""
}

func dovecotMask(line string) string {
	return regexp.MustCompile(` pass=[^ ]*`).ReplaceAllString(line, " pass=••••••")
}
