// Package discover finds the IMAP servers of a mail address: by SRV records (RFC 6186, RFC 8314 section 5.1), by the
// autoconfig file of the domain, and by the names that servers commonly have.
//
// It connects to no IMAP server and never names one in clear text. What only the DNS says could be said by anybody who can
// forge it (RFC 6186 section 6), so a server outside the mail domain that comes from there is not vouched for.
package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Server is where the mail of an address may be.
type Server struct {
	Host     string
	Port     int
	StartTLS bool   // false: TLS from the first byte
	User     string // to log in as; "": not told, the address is usual
	From     string // who says so, for people
	Guessed  bool   // nobody says so: it has a common name
	Vouched  bool   // a password may be sent there without asking
}

// Found is what a search brought: servers to be tried in order, and a line for each place that was looked at.
type Found struct {
	Servers []Server
	Notes   []string
}

// Config is how to look. The zero value asks this machine's resolver and the web.
type Config struct {
	Resolver *net.Resolver // nil: net.DefaultResolver
	Client   *http.Client  // its redirects and Timeout are replaced; nil: one of its own
}

const (
	lookupPatience = 10 * time.Second // for one record or one file
	longestUser    = 320              // bytes: the longest mail address (RFC 5321 4.5.3.1)
	mostServers    = 8                // from the DNS or the file
	mostEntries    = 32               // of a file, with those that are left out
)

// Look searches for a mail address. An error: it is none.
func Look(ctx context.Context, c Config, address string) (Found, error) {
	at := strings.LastIndexByte(address, '@')
	domain := strings.ToLower(strings.TrimSuffix(address[at+1:], "."))
	if at >= 1 && strings.IndexFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		return Found{}, errors.New("write its domain as the DNS has it, in ASCII (xn--…)") // RFC 5890
	}
	if at < 1 || !plainHost(domain) {
		return Found{}, errors.New("that is no mail address")
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	var f Found
	f.bySRV(ctx, c.Resolver, domain)
	f.byFile(ctx, c.Client, address, domain)
	for _, host := range []string{"imap." + domain, "mail." + domain, domain} {
		f.add(Server{Host: host, Port: 993, From: "a common name", Guessed: true, Vouched: true})
		f.add(Server{Host: host, Port: 143, StartTLS: true, From: "a common name", Guessed: true, Vouched: true})
	}
	return f, ctx.Err()
}

// add keeps the first of each host and port: better evidence comes first, but to be vouched for by any is enough.
func (f *Found) add(s Server) {
	i := slices.IndexFunc(f.Servers, func(o Server) bool { return o.Host == s.Host && o.Port == s.Port })
	switch {
	case i < 0:
		f.Servers = append(f.Servers, s)
	case s.Vouched && !f.Servers[i].Vouched:
		f.Servers[i].Vouched, f.Servers[i].User = true, s.User
	}
}

func (f *Found) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

func (f *Found) bySRV(ctx context.Context, r *net.Resolver, domain string) {
	for _, service := range []string{"imaps", "imap"} {
		name := "_" + service + "._tcp." + domain
		within, cancel := context.WithTimeout(ctx, lookupPatience)
		_, records, err := r.LookupSRV(within, service, "tcp", domain+".")
		cancel()
		var dns *net.DNSError
		switch {
		case errors.As(err, &dns) && dns.IsNotFound:
			f.note("%s: no SRV record", name)
			continue
		case err != nil && len(records) == 0:
			f.note("%s: %s", name, words(err))
			continue
		}
		for _, record := range records[:min(len(records), mostServers)] {
			host := strings.ToLower(strings.TrimSuffix(record.Target, "."))
			if host == "" { // "." says that there is no such service (RFC 2782)
				f.note("%s: the domain says that it has no such service", name)
				continue
			}
			if !plainHost(host) || record.Port == 0 {
				f.note("%s: a record that names no server", name)
				continue
			}
			f.note("%s: %s port %d", name, host, record.Port)
			f.add(Server{Host: host, Port: int(record.Port), StartTLS: service == "imap", From: "SRV " + name, Vouched: belongs(host, domain)})
		}
	}
}

// belongs tells whether a host belongs to a domain by its name.
func belongs(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }

// plainHost takes names that may stand in a command and in a URL.
func plainHost(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' || s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) < 0
}

// words says why something could not be asked, without the addresses of resolvers and sockets.
func words(err error) string {
	var (
		dns  *net.DNSError
		wait net.Error
		op   *net.OpError
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no host " + dns.Name
	case errors.As(err, &wait) && wait.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns):
		return "the DNS gives no answer for " + dns.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.As(err, &op) && op.Err != nil:
		return op.Err.Error()
	}
	return err.Error()
}
