package dns

import (
	"context"
	"crypto/x509"
	"net/netip"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// Bounds. A name server, or who fills a zone, may send anything.
const (
	mostQueries   = 1500               // for each domain
	mostTime      = 5 * time.Minute    // for each domain
	mostAnswers   = 4 << 20            // bytes of all answers of a domain, names written out: usual ones come to a hundredth
	mostReferrals = 24                 // from the root to a zone
	mostDepth     = 6                  // names of name servers that need names of name servers
	mostAliases   = 8                  // CNAMEs in a row
	mostHosts     = 16                 // name servers of a zone
	mostAddresses = 8                  // of one name, of each family
	mostMX        = 20                 // of a domain
	mostText      = 300                // bytes of one foreign text in a finding
	mostRemember  = 7 * 24 * time.Hour // RFC 8767 4: resolvers keep nothing longer
	udpSize       = 1232               // bytes; what passes every path whole (DNS flag day 2020)
)

// Config says what is looked at and held against what. The zero value looks from the Internet's roots.
type Config struct {
	Roots     []netip.AddrPort // where the walk begins; none: the Internet's root servers
	Port      uint16           // of authoritative name servers; 0: 53
	Resolvers []netip.AddrPort // asked for what they still remember

	Hosts      []string                // names of mail servers whose addresses will be switched
	ExpectAddr map[string][]netip.Addr // by name: exactly these addresses
	ExpectMX   []string                // exactly these names, in every domain
	ExpectTXT  map[string][]string     // by name: each of these texts
	Source     string                  // name of the old server: records that still name it are told; ""
	Selectors  []string                // of DKIM

	LowTTL time.Duration // what a TTL should be lowered to; 0: 3 min in .de, 5 min elsewhere
	OldTTL time.Duration // TTL before the first look, where it may have been higher; 0: nothing is assumed

	Now       func() time.Time // nil: time.Now
	Timeout   time.Duration    // of one try of a query; 0: 2 s
	Parallel  int              // queries at once; 0: 16
	HTTPSPort uint16           // of MTA-STS policies; 0: 443
	RootCAs   *x509.CertPool   // for them; nil: the system's

	// Remember is told what was seen and gives all that is known of those records, this look among it. nil: nothing is
	// known of earlier looks. It is called once for each domain, perhaps concurrently.
	Remember func(context.Context, []Look) ([]Known, error)
}

// Look is what the name servers said of a name and a type.
type Look struct {
	Name, Type string // name in lower case without the last dot
	Complete   bool   // every name server answered
	Seen       []Version
}

// Version is what a record said, with its TTL: one version of the zone.
type Version struct {
	Data string // the values, sorted, separated by commas; "": no such record
	TTL  time.Duration
}

// Known is a version that was seen once.
type Known struct {
	Name, Type string
	Version
	First time.Time // seen first
	Ended time.Time // the first look that did not find it any more; zero: it is there
}

const (
	usualLow   = 5 * time.Minute
	usualLowDE = 3 * time.Minute
)

// low is what the TTLs of a domain should be lowered to.
func (c *Config) low(domain string) time.Duration {
	switch {
	case c.LowTTL > 0:
		return c.LowTTL
	case strings.HasSuffix(domain, ".de"):
		return usualLowDE
	}
	return usualLow
}

// lowEnough is the TTL up to which a switch is not kept waiting.
func (c *Config) lowEnough() time.Duration {
	if c.LowTTL > 0 {
		return c.LowTTL
	}
	return usualLow
}

// filled gives a copy with the defaults in it, and names in the form that they are compared in.
func (c Config) filled() *Config {
	if len(c.Roots) == 0 {
		c.Roots = rootServers()
	}
	if c.Port == 0 {
		c.Port = 53
	}
	if c.HTTPSPort == 0 {
		c.HTTPSPort = 443
	}
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Parallel <= 0 {
		c.Parallel = 16
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Source = Name(c.Source)
	c.Hosts, c.ExpectMX = names(c.Hosts), names(c.ExpectMX)
	c.ExpectAddr, c.ExpectTXT = byName(c.ExpectAddr), byName(c.ExpectTXT)
	return &c
}

func names(list []string) []string {
	all := make([]string, len(list))
	for i, n := range list {
		all[i] = Name(n)
	}
	return all
}

func byName[V any](m map[string][]V) map[string][]V {
	all := make(map[string][]V, len(m))
	for n, v := range m {
		all[Name(n)] = append(all[Name(n)], v...)
	}
	return all
}

// Name is a domain name as a Report has it: in lower case, without the last dot; the root is "".
func Name(s string) string { return strings.TrimSuffix(miekg.CanonicalName(s), ".") }

// ValidName tells whether something is a domain name: ASCII, with bounds as in RFC 1035 2.3.4. Names in other scripts have
// a form of their own (RFC 5890: xn--…), which is what belongs here.
func ValidName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return false
	}
	_, ok := miekg.IsDomainName(s)
	return ok
}

// rootServers are the addresses of the root servers that have kept theirs longest (https://www.iana.org/domains/root/servers).
func rootServers() []netip.AddrPort {
	var all []netip.AddrPort
	for _, ip := range []string{
		"198.41.0.4", "192.33.4.12", "192.5.5.241", "193.0.14.129", "192.36.148.17", "192.58.128.30", "199.7.83.42",
		"2001:503:ba3e::2:30", "2001:7fd::1", "2001:7fe::53",
	} {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(ip), 53))
	}
	return all
}

// short bounds a foreign text, in bytes.
func short(s string) string {
	if len(s) > mostText {
		return s[:mostText] + "…"
	}
	return s
}
