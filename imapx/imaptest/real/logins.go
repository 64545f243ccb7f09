package real

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
)

// Logins are ways to log in that Dovecot has beside PLAIN and LOGIN with Password.
type Logins struct {
	Mechanisms string            // more of them, as "cram-md5 scram-sha-256 external xoauth2"
	Passwords  map[string]string // what is stored for a user, with its scheme: "{SCRAM-SHA-256}…"
	Introspect string            // URL that says whose an access token is (RFC 7662); "": tokens are not taken
}

// writeLogins writes the files that logins names.
func (s *Server) writeLogins(l Logins) error {
	var users strings.Builder
	for user, stored := range l.Passwords {
		users.WriteString(user + ":" + stored + "\n")
	}
	files := map[string]string{"users": users.String(),
		"oauth2": "introspection_url = " + l.Introspect + "\nintrospection_mode = post\nusername_attribute = username\n" +
			"active_attribute = active\nactive_value = true\ntimeout_msecs = 10000\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.base, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// logins is their part of the configuration.
func (s *Server) logins(l Logins) string {
	var b strings.Builder
	if strings.Contains(l.Mechanisms, "external") {
		b.WriteString("ssl_ca = <" + s.CAFile() + "\nssl_verify_client_cert = yes\nssl_require_crl = no\n" +
			"auth_ssl_username_from_cert = yes\nssl_cert_username_field = commonName\n" +
			"passdb {\n driver = static\n mechanisms = external\n master = yes\n username_filter = " + MasterUser + "\n args = nopassword=y\n}\n" +
			"passdb {\n driver = static\n mechanisms = external\n args = nopassword=y\n}\n")
	}
	if l.Introspect != "" {
		b.WriteString("passdb {\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = " + s.base + "/oauth2\n}\n")
	}
	if len(l.Passwords) > 0 {
		b.WriteString("passdb {\n driver = passwd-file\n args = " + s.base + "/users\n}\n")
	}
	return b.String()
}

// ClientCertificate is one that the server takes for a user's.
func (s *Server) ClientCertificate(user string) (tls.Certificate, error) {
	return s.ca.IssueClient(user)
}
