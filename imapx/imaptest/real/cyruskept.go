package real

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mailmove/imapx/imaptest"
)

// keepPasswords makes a Cyrus that checks passwords itself, out of Cyrus SASL's database: then it has every mechanism
// that needs to know them, client certificates and authorization identities too, and beside the clear-text port one with
// TLS. Only the users of kept may log in, and those of FreshUser. It gives the service of that port, for cyrus.conf.
func (s *Isolated) keepPasswords(kept map[string]string, imapd, socket string) string {
	s.t.Helper()
	s.propertyPlugin()
	for _, user := range slices.Sorted(maps.Keys(kept)) {
		s.check(s.keep(user, kept[user]))
	}
	s.welcome = func(user string) error { return s.keep(user, Password) }
	s.check(s.certificate())
	var err error
	s.secure, err = net.Listen("tcp4", "127.0.0.1:0")
	s.check(err)
	return fmt.Sprintf(" imaps cmd=\"%s/bin/imapd -s -C %s\" listen=\"%s\" prefork=1 maxchild=200\n", s.from, imapd, socket)
}

// propertyPlugin puts the plugin of Cyrus SASL's database where Cyrus finds it, whether there is a database or not.
func (s *Isolated) propertyPlugin() {
	s.t.Helper()
	from := unpacked("sasldb")
	if from == "" {
		missing(s.t, "sasldb")
	}
	s.check(copyTree(from, filepath.Join(s.from, "sasldb"), bytes.Clone))
}

// keptConfig are the lines of imapd.conf that go with it.
func (s *Isolated) keptConfig() []string {
	return []string{
		"sasl_pwcheck_method: auxprop",
		"sasl_auxprop_plugin: sasldb",
		"sasl_sasldb_path: " + s.database(),
		"sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 EXTERNAL",
		"tls_server_cert: " + filepath.Join(s.base, "cert.pem"),
		"tls_server_key: " + filepath.Join(s.base, "key.pem"),
		"tls_client_ca_file: " + filepath.Join(s.base, "ca.pem"),
		"tls_client_certs: optional",
	}
}

func (s *Isolated) database() string { return filepath.Join(s.mail, "conf/sasldb2") }

// keep stores a password in the clear, so that every mechanism can check it. The realm is Cyrus's servername.
func (s *Isolated) keep(user, password string) error {
	cmd, err := s.command(filepath.Join(s.from, "sasldb/bin/saslpasswd2"), "-p", "-c", "-f", s.database(), "-u", "localhost", user)
	if err != nil {
		return err
	}
	defer cmd.Stderr.(*os.File).Close()
	s.saslEnviron(cmd)
	cmd.Stdin = strings.NewReader(password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential()}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("password of %s: %w", user, err)
	}
	return nil
}

// saslEnviron tells Cyrus SASL where its plugins lie. Those of propertyPlugin are there only where it ran.
func (s *Isolated) saslEnviron(cmd *exec.Cmd) {
	in := func(name string) string {
		return filepath.Join(s.from, name) + ":" + filepath.Join(s.from, "sasldb", name)
	}
	cmd.Env = append(cmd.Env, "SASL_PATH="+in("sasl2"), "LD_LIBRARY_PATH="+in("lib"))
}

// certificate makes an authority, and a certificate that the server's own user may read.
func (s *Isolated) certificate() error {
	var err error
	if s.ca, err = imaptest.NewCA(); err != nil {
		return err
	}
	cert, err := s.ca.Issue(imaptest.CertGood)
	if err != nil {
		return err
	}
	chain, key, err := imaptest.CertPEM(cert)
	if err != nil {
		return err
	}
	secret := filepath.Join(s.base, "key.pem")
	return errors.Join(
		os.WriteFile(filepath.Join(s.base, "cert.pem"), chain, 0o644),
		os.WriteFile(filepath.Join(s.base, "ca.pem"), s.ca.PEM(), 0o644),
		os.WriteFile(secret, key, 0o600),
		giveTo(secret, s.id),
	)
}

// TLSAddr is host:port of the implicit TLS port of a Cyrus with CyrusOptions.Kept.
func (s *Isolated) TLSAddr() string { return s.secure.Addr().String() }

// CertPool trusts that port's certificate authority only.
func (s *Isolated) CertPool() *x509.CertPool { return s.ca.Pool() }

// ClientCertificate is one that the server takes for a user's.
func (s *Isolated) ClientCertificate(user string) (tls.Certificate, error) {
	return s.ca.IssueClient(user)
}
