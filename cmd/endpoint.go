package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"mailmove/imapx"
)

// endpointFlags are the flags of one side, all beginning with the side's name.
type endpointFlags struct {
	side    string // "source" or "target"
	url     string
	user    string
	authzID string
	tls     tlsMode
	tlsName string
	ca      string
	address string
	trust   trustFlags
	way     wayFlags
	pass    passwordFlags
	auth    authFlags
}

// bind declares the flags. The help shows those of the source only (usage.go).
func (e *endpointFlags) bind(set *pflag.FlagSet) {
	e.pass.side = e.side
	name := func(part string) string { return strings.TrimPrefix(e.side+part, "-") } // one endpoint alone has no side
	if e.side != "" {
		set.StringVar(&e.url, name(""), "", "server: `URL` (imaps://host, imap://host for STARTTLS) or bare host, which is imaps")
	}
	set.StringVar(&e.user, name("-user"), "", "user `NAME` to log in as, if not in the URL")
	set.StringVar(&e.authzID, name("-authzid"), "", "`NAME` whose mailbox is opened, where an admin logs in")
	set.Var(&e.tls, name("-tls"), "implicit, starttls or none, instead of what the URL says; only none talks clear text")
	set.StringVar(&e.tlsName, name("-tls-name"), "", "`NAME` that the certificate must have, if not the host")
	set.StringVar(&e.ca, name("-ca"), "", "PEM `FILE` of the certificate authorities to trust instead of the system's")
	e.trust.bind(set, name)
	set.StringVar(&e.address, name("-address"), "", "`IP` (or host:port) to dial; the certificate is still checked for the host")
	e.way.bind(set, name)
	set.StringVar(&e.pass.file, name("-password-file"), "", "`FILE` whose first line is the password")
	set.StringVar(&e.pass.command, name("-password-command"), "", "shell `COMMAND` whose first line of output is the password")
	e.auth.bind(set, e.side)
}

func (e *endpointFlags) flag(part string) string { return "--" + strings.TrimPrefix(e.side+part, "-") }

// endpoint validates the flags. It reads no password and talks to nobody.
func (e *endpointFlags) endpoint() (imapx.Endpoint, error) {
	a, err := parseAddress(e.flag(""), e.url)
	if err != nil {
		return imapx.Endpoint{}, err
	}
	user, err := e.userOf(a)
	if err != nil {
		return imapx.Endpoint{}, err
	}
	ep := imapx.Endpoint{
		Side: e.side, Host: a.Host, Port: a.Port, TLS: a.TLS,
		TLSName: e.tlsName, Address: e.address, User: user, AuthzID: e.authzID, Auth: e.auth.mechanism.Mechanism,
	}
	if err := e.auth.check(e.pass); err != nil {
		return imapx.Endpoint{}, err
	}
	if e.tls.set {
		ep.TLS = e.tls.mode
	}
	if ep.Port == 0 {
		ep.Port = defaultPort(ep.TLS)
	}
	if err := checkUser(e.flag("-authzid"), e.authzID); err != nil {
		return imapx.Endpoint{}, err
	}
	if e.tlsName != "" && !isHostName(e.tlsName) && net.ParseIP(e.tlsName) == nil {
		return imapx.Endpoint{}, usagef("", "%s %s: that is no host name", e.flag("-tls-name"), shown(e.tlsName))
	}
	if e.address != "" {
		if _, _, err := parseHostPort(e.flag("-address"), e.address); err != nil {
			return imapx.Endpoint{}, err
		}
	}
	if ep.Roots, err = e.roots(); err != nil {
		return ep, err
	}
	if err := e.trust.fill(&ep, e.flag); err != nil {
		return ep, err
	}
	return ep, e.way.fill(&ep, e.flag)
}

func defaultPort(m imapx.TLSMode) int {
	if m == imapx.TLSImplicit {
		return 993
	}
	return 143
}

func (e *endpointFlags) userOf(a address) (string, error) {
	switch {
	case e.user != "" && a.User != "" && e.user != a.User:
		return "", usagef("give the user once", "%s and the URL name different users", e.flag("-user"))
	case e.user == "" && a.User == "":
		return "", usagef("for example "+e.flag("-user")+" alice@example.org", "no %s", e.flag("-user"))
	case e.user != "":
		return e.user, checkUser(e.flag("-user"), e.user)
	}
	return a.User, nil
}

// roots reads the certificate authorities. nil means the system's.
func (e *endpointFlags) roots() (*x509.CertPool, error) {
	if e.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(e.ca)
	if err != nil {
		return nil, noInput(e.flag("-ca"), err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &failure{code: exitNoInput, what: e.flag("-ca") + " " + e.ca + ": no certificate in this file",
			hint: "give a PEM file: it has a line -----BEGIN CERTIFICATE-----"}
	}
	return pool, nil
}

// noInput is a named file that cannot be read.
func noInput(flag string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		flag += " " + path.Path
	}
	return &failure{code: exitNoInput, what: flag + ": " + cause(err).Error(), err: err}
}

// cause is what the system said of a file, without the call and the path.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// login adds the password, from where the flags, the environment or the terminal have it, or what takes its place.
func (e *endpointFlags) login(ctx context.Context, ep imapx.Endpoint, t terminal) (imapx.Endpoint, error) {
	if filled, err := e.credential(ctx, &ep); filled {
		return ep, err
	}
	secret, err := e.pass.read(ctx, ep.User+" at "+ep.Host, t)
	ep.Password = secret
	return ep, err
}

// checkDifferent refuses a source and a target that are one mailbox by their own words. The same mailbox under
// another name is found by the engine, before it writes.
func checkDifferent(source, target imapx.Endpoint) error {
	if mailboxOf(source) != mailboxOf(target) {
		return nil
	}
	return usagef("give two different mailboxes; where one host name is two machines, add --source-address",
		"source and target are the same mailbox: %s at %s", mailboxName(source), source.Host)
}

func mailboxOf(ep imapx.Endpoint) [3]string {
	host, port := dialledAddress(ep)
	return [3]string{host, itoa(port), strings.ToLower(mailboxName(ep))}
}

// dialledAddress is which machine and port are talked to.
func dialledAddress(ep imapx.Endpoint) (string, int) {
	host, port := ep.Host, ep.Port
	if ep.Address != "" {
		// Both parse: endpoint() has refused anything else.
		if h, p, err := parseHostPort("", ep.Address); err == nil {
			host = h
			if p != 0 {
				port = p
			}
		}
	}
	return normalHost(host), port
}

// mailboxName is whose mailbox is opened.
func mailboxName(ep imapx.Endpoint) string { return orElse(ep.AuthzID, ep.User) }

func normalHost(h string) string { return strings.ToLower(strings.TrimSuffix(h, ".")) }
