package dns

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// Bounds of a policy (RFC 8461 3.3 recommends both).
const (
	policyMost = 64 << 10 // bytes
	policyTime = 15 * time.Second
)

// policy is an MTA-STS policy (RFC 8461 3.2).
type policy struct {
	mode   string // enforce, testing, none
	mx     []string
	maxAge time.Duration
}

// lookMTASTS looks whether a policy keeps mail from the servers of now or from those that are expected: senders that know
// it deliver to nobody else, for as long as it says.
func lookMTASTS(ctx context.Context, l *looker) {
	a, err := l.lookup(ctx, "_mta-sts."+l.d.Name, miekg.TypeTXT, 0)
	if err != nil {
		l.find("mta-sts", Warning, "", "_mta-sts.%s: %s", l.d.Name, short(err.Error()))
		return
	}
	switch n := announcements(a.rrs); {
	case n == 0:
		l.find("mta-sts", OK, "", "%s has no MTA-STS policy", l.d.Name)
		return
	case n > 1:
		l.find("mta-sts", Warning, "leave one", "_mta-sts.%s has %d records: senders that know no policy yet take it for none then (RFC 8461 3.1)", l.d.Name, n)
		return
	}
	p, err := l.fetchPolicy(ctx)
	if err != nil {
		l.find("mta-sts", Warning, "put the policy there, or take TXT _mta-sts away; senders that know an older one go on with it until it ends",
			"%s announces an MTA-STS policy that cannot be fetched: %s", l.d.Name, short(err.Error()))
		return
	}
	l.judgePolicy(p)
}

// announcements counts the records that say that there is a policy.
func announcements(rrs []miekg.RR) (n int) {
	for _, rr := range rrs {
		if t, is := rr.(*miekg.TXT); is {
			if version, _, _ := strings.Cut(textOf(t), ";"); strings.TrimSpace(version) == "v=STSv1" {
				n++
			}
		}
	}
	return n
}

// judgePolicy holds a policy against the mail servers.
func (l *looker) judgePolicy(p policy) {
	kept := fmt.Sprintf("mode %s, kept by senders for %s", p.mode, Spell(p.maxAge))
	now := l.mxNow()
	before := len(l.d.Findings)
	for _, host := range l.mxAll() {
		if p.mode == "none" || slices.ContainsFunc(p.mx, func(pattern string) bool { return policyMatches(pattern, host) }) {
			continue
		}
		verdict, effect := Failed, "senders that know it deliver nothing there"
		if p.mode == "testing" {
			verdict, effect = Warning, "senders report it, and still deliver"
		}
		server := "mail server"
		if !slices.Contains(now, host) {
			server = "new mail server"
		}
		l.find("mta-sts", verdict, "publish a policy that names it too, with a new id in TXT _mta-sts, before the switch",
			"the MTA-STS policy names %s, not the %s %s: %s (%s)", short(list(p.mx)), server, host, effect, kept)
	}
	if l.c.Source != "" && !slices.Contains(now, l.c.Source) && slices.Contains(p.mx, l.c.Source) {
		l.find("mta-sts", Warning, "take it out when the tail is over", "the MTA-STS policy still names the old server %s (%s)", l.c.Source, kept)
	}
	if len(l.d.Findings) == before {
		l.find("mta-sts", OK, "", "the MTA-STS policy names %s (%s)", short(list(p.mx)), kept)
	}
}

// policyMatches: "*." stands for one label (RFC 8461 4.1).
func policyMatches(pattern, host string) bool {
	pattern = Name(pattern)
	if rest, wild := strings.CutPrefix(pattern, "*."); wild {
		_, parent, _ := strings.Cut(host, ".")
		return parent == rest
	}
	return pattern == host
}

// fetchPolicy gets the policy from where RFC 8461 3.3 has it. The host is looked up at its name servers as everything is;
// redirects are not followed, as the RFC wants.
func (l *looker) fetchPolicy(ctx context.Context) (policy, error) {
	host := "mta-sts." + l.d.Name
	ips, _, err := l.addresses(ctx, host, 0)
	if len(ips) == 0 {
		if err == nil {
			err = errors.New(host + " has no address")
		}
		return policy{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, policyTime)
	defer cancel()
	transport := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dialOne(ctx, ips, l.c.HTTPSPort) },
		TLSClientConfig:        &tls.Config{RootCAs: l.c.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: policyMost,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return policy{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return policy{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return policy{}, fmt.Errorf("https://%s answers %d", host, response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, policyMost+1))
	switch {
	case err != nil:
		return policy{}, err
	case len(text) > policyMost:
		return policy{}, fmt.Errorf("it is longer than %d bytes", policyMost)
	}
	return parsePolicy(bytes.NewReader(text))
}

// dialOne connects to the first address that takes it.
func dialOne(ctx context.Context, ips []netip.Addr, port uint16) (conn net.Conn, err error) {
	for _, ip := range ips {
		conn, err = (&net.Dialer{Timeout: policyTime / 3}).DialContext(ctx, "tcp", netip.AddrPortFrom(ip, port).String())
		if err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// parsePolicy reads a policy's lines.
func parsePolicy(r io.Reader) (p policy, err error) {
	lines := bufio.NewScanner(r)
	version := ""
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "version":
			version = value
		case "mode":
			p.mode = value
		case "mx":
			p.mx = append(p.mx, Name(value)) // as many as fit into policyMost: one that is left out would read as one that gets no mail
		case "max_age":
			seconds, e := strconv.ParseUint(value, 10, 32)
			if e != nil {
				err = errors.New("the policy's max_age is no number")
			}
			p.maxAge = time.Duration(seconds) * time.Second
		}
	}
	switch {
	case lines.Err() != nil:
		return p, lines.Err()
	case version != "STSv1":
		return p, errors.New("it is no policy: it has no line \"version: STSv1\"")
	case !slices.Contains([]string{"enforce", "testing", "none"}, p.mode):
		return p, errors.New("the policy's mode is none of enforce, testing, none")
	}
	return p, err
}
