package dns

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mailmove/cmd/internal/dns/dnstest"
)

// checkPolicy looks at old.example with an MTA-STS policy.
func checkPolicy(t *testing.T, policy string, c Config) Report {
	t.Helper()
	w := start(t, zones(usualMail+"_mta-sts IN TXT \"v=STSv1; id=1\"\nmta-sts IN A 127.0.0.6\n"))
	p, err := dnstest.StartPolicy("127.0.0.6", "mta-sts.old.example", policy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c.HTTPSPort, c.RootCAs = p.Port, x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(p.PEM)
	return check(t, w, c)
}

func TestMTASTS(t *testing.T) {
	const head = "version: STSv1\r\nmax_age: 604800\r\n"
	moving := Config{ExpectMX: []string{"mx.new.example"}}
	for name, c := range map[string]struct {
		policy  string
		config  Config
		verdict Verdict
		words   []string
	}{
		"still names the old server only": {head + "mode: enforce\r\nmx: mail.old.example\r\n", moving, Failed,
			[]string{"names mail.old.example, not the new mail server mx.new.example", "deliver nothing there", "mode enforce, kept by senders for 604800 s (7 days)"}},
		"for a test":       {head + "mode: testing\nmx: mail.old.example\n", moving, Warning, []string{"still deliver"}},
		"names both":       {head + "mode: enforce\nmx: mail.old.example\nmx: *.new.example\n", moving, OK, []string{"*.new.example"}},
		"one label only":   {head + "mode: enforce\nmx: mail.old.example\nmx: *.example\n", moving, Failed, []string{"mx.new.example"}},
		"none":             {head + "mode: none\n", moving, OK, nil},
		"of another now":   {head + "mode: enforce\nmx: mx.new.example\n", Config{}, Failed, []string{"not the mail server mail.old.example"}},
		"a forgotten line": {head + "mode: enforce\nmx: mail.old.example\nmx: gone.example\n", Config{Source: "gone.example"}, Warning, []string{"still names the old server gone.example"}},
		"many servers":     {head + "mode: enforce\n" + strings.Repeat("mx: *.hoster.example\n", 60) + "mx: mail.old.example\n", Config{}, OK, []string{"names *.hoster.example"}},
		"too long":         {head + "mode: enforce\n" + strings.Repeat("mx: mail.old.example\n", 4000), Config{}, Warning, []string{"cannot be fetched", "longer than 65536 bytes"}},
		"no policy":        {"<html>", moving, Warning, []string{"cannot be fetched", "it is no policy"}},
		"a mode":           {head + "mode: hope\n", moving, Warning, []string{"mode is none of"}},
		"no age":           {"version: STSv1\nmode: enforce\nmax_age: long\n", moving, Warning, []string{"max_age is no number"}},
		"leads elsewhere":  {"", moving, Warning, []string{"answers 302"}},
		"without end":      {head + strings.Repeat("x", 1<<20), moving, Warning, []string{"cannot be fetched"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := checkPolicy(t, c.policy, c.config)
			wants(t, r, "mta-sts", c.verdict, c.words...)
			if got := r.Safe(noon()) == nil; got != (c.verdict != Failed) {
				t.Errorf("safe: %v", got)
			}
		})
	}
}

// With two announcements, senders take it that there is no policy (RFC 8461 3.1): whom it names is no reason to fail.
func TestMTASTSAnnouncedTwice(t *testing.T) {
	w := start(t, zones(usualMail+"_mta-sts IN TXT \"v=STSv1; id=1\"\n_mta-sts IN TXT \"v=STSv1; id=2\"\nmta-sts IN A 127.0.0.6\n"))
	p, err := dnstest.StartPolicy("127.0.0.6", "mta-sts.old.example", "version: STSv1\nmode: enforce\nmax_age: 60\nmx: mx.new.example\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := Config{HTTPSPort: p.Port, RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(p.PEM)
	r := check(t, w, c)
	wants(t, r, "mta-sts", Warning, "_mta-sts.old.example has 2 records")
	if r.Failed() {
		t.Error(lines(r, ""))
	}
	set(t, w, one, apex(2026112302, 300)+usualMail+"_mta-sts IN TXT \"v=STSv10; id=1\"\n") // another version is none
	set(t, w, two, apex(2026112302, 300)+usualMail+"_mta-sts IN TXT \"v=STSv10; id=1\"\n")
	wants(t, check(t, w, c), "mta-sts", OK, "has no MTA-STS policy")
}

// A certificate that does not fit is no policy.
func TestMTASTSWantsACertificate(t *testing.T) {
	r := checkPolicy(t, "version: STSv1\nmode: none\nmax_age: 60\n", Config{})
	wants(t, r, "mta-sts", OK, "mode none")
	w := start(t, zones(usualMail+"_mta-sts IN TXT \"v=STSv1; id=1\"\nmta-sts IN A 127.0.0.6\n"))
	p, err := dnstest.StartPolicy("127.0.0.6", "mta-sts.new.example", "version: STSv1\nmode: none\nmax_age: 60\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := Config{HTTPSPort: p.Port, RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(p.PEM)
	wants(t, check(t, w, c), "mta-sts", Warning, "cannot be fetched", "certificate")
}

// spfZone has so many records that are included in a row.
func spfZone(includes int) string {
	var b strings.Builder
	b.WriteString("@ IN MX 10 mail\nmail IN A 192.0.2.1\n@ IN TXT \"v=spf1 include:s1.old.example -all\"\n")
	for i := 1; i < includes; i++ {
		fmt.Fprintf(&b, "s%d IN TXT \"v=spf1 include:s%d.old.example -all\"\n", i, i+1)
	}
	fmt.Fprintf(&b, "s%d IN TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n", includes)
	return b.String()
}

func TestSPF(t *testing.T) {
	const mail = "@ IN MX 10 mail\nmail IN A 192.0.2.1\n"
	for name, c := range map[string]struct {
		mail    string
		verdict Verdict
		words   []string
	}{
		"ten look-ups":      {spfZone(10), OK, []string{"10 of 10 look-ups"}},
		"eleven":            {spfZone(11), Warning, []string{"takes 11 look-ups, 10 are allowed"}},
		"very many":         {spfZone(60), Warning, []string{"more than 40 look-ups"}},
		"a loop":            {mail + "@ IN TXT \"v=spf1 include:a.old.example -all\"\na IN TXT \"v=spf1 include:old.example -all\"\n", Warning, []string{"leads back to old.example"}},
		"void look-ups":     {mail + "@ IN TXT \"v=spf1 a:x.old.example a:y.old.example mx:z.old.example -all\"\n", Warning, []string{"3 look-ups that find nothing, 2 are allowed"}},
		"two records":       {usualMail + "@ IN TXT \"v=spf1 -all\"\n", Warning, []string{"more than one SPF record"}},
		"none":              {mail, Warning, []string{"no SPF record"}},
		"leads to none":     {mail + "@ IN TXT \"v=spf1 include:mail.old.example -all\"\n", Warning, []string{"include leads to mail.old.example, which has no SPF record"}},
		"misspelt":          {mail + "@ IN TXT \"v=spf1 ipv4:192.0.2.1 -all\"\n", Warning, []string{"there is no mechanism ipv4:192.0.2.1"}},
		"the old passes":    {usualMail, OK, []string{"mail from the mail server mail.old.example (192.0.2.1) passes"}},
		"the new does not":  {usualMail, Warning, []string{"mail from the new mail server mx.new.example (192.0.2.7) does not pass SPF (fail)"}},
		"a redirect":        {mail + "@ IN TXT \"v=spf1 redirect=s.old.example\"\ns IN TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"\n", OK, []string{"new mail server mx.new.example (192.0.2.7) passes"}},
		"a softfail":        {mail + "@ IN TXT \"v=spf1 a:mail.old.example/30 ~all\"\n", Warning, []string{"mx.new.example (192.0.2.7) does not pass SPF (softfail)"}},
		"a part of a text":  {mail + "@ IN TXT \"v=spf1 ip4:192.0\" \".2.0/24 -all\"\n", OK, []string{"192.0.2.7) passes"}},
		"macros":            {mail + "@ IN TXT \"v=spf1 exists:%{i}.s.old.example -all\"\n", OK, []string{"192.0.2.7) passes hangs on more than the address"}},
		"a hostile text":    {mail + "@ IN TXT \"v=spf1 \\027[2Jbell -all\"\n", Warning, []string{"there is no mechanism \x1b[2Jbell"}},
		"refuses everybody": {mail + "@ IN TXT \"v=spf1 -all\"\n", Warning, []string{"192.0.2.1) does not pass SPF (fail)"}},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, check(t, start(t, zones(c.mail)), Config{ExpectMX: []string{"mx.new.example"}}), "spf", c.verdict, c.words...)
		})
	}
}

// What a record says of addresses, of either family.
func TestSPFTerms(t *testing.T) {
	for text, want := range map[string]string{
		"v=spf1 ip6:2001:db8::/32 -all": "192.0.2.1 fail 2001:db8::1 pass",
		"v=spf1 ip4:192.0.2.1 ?all":     "192.0.2.1 pass 2001:db8::1 neutral",
		"v=spf1 ip4:192.0.2.0/31":       "192.0.2.1 pass 2001:db8::1 neutral",
		"v=spf1 -ip4:192.0.2.1 +all":    "192.0.2.1 fail 2001:db8::1 pass",
		"V=SPF1 ALL":                    "192.0.2.1 pass 2001:db8::1 pass",
	} {
		tree := &spfTree{}
		for _, term := range parseSPF(text) {
			n := spfNode{spfTerm: term}
			if term.prefix.IsValid() {
				n.networks = []netip.Prefix{term.prefix}
			}
			tree.terms = append(tree.terms, n)
		}
		var got []string
		for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
			got = append(got, ip, tree.result(netip.MustParseAddr(ip)))
		}
		if have := strings.Join(got, " "); have != want || !isSPF(text) {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
	for text, bad := range map[string]bool{
		"a/24//64": false, "mx//64": false, "a:h/33": true, "ip4:2001:db8::1": true, "include": true, "a/x": true, "ip4": true, "-redirect:x": true,
	} {
		if got := parseTerm(text).bad != ""; got != bad {
			t.Errorf("%s: bad %v", text, got)
		}
	}
}

func TestOtherNames(t *testing.T) {
	w := start(t, zones(usualMail+`s1._domainkey IN TXT "k=rsa; p=MIIB"
s2._domainkey IN TXT "v=DKIM1; p="
_dmarc IN TXT "v=DMARC1; p=reject"
_25._tcp.mail IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
autodiscover IN CNAME autodiscover.new.example.
autoconfig IN A 192.0.2.9
_imaps._tcp IN SRV 0 1 993 mail
_submission._tcp IN SRV 0 0 0 .
`))
	c := Config{Selectors: []string{"s1", "s2", "s3"}, Source: "mail.old.example", Hosts: []string{"mail.old.example"}}
	r := check(t, w, c)
	wants(t, r, "dkim", OK, "s1._domainkey.old.example is there")
	wants(t, r, "dkim", Warning, "s2._domainkey.old.example is revoked")
	wants(t, r, "dkim", Warning, "there is no DKIM key s3._domainkey.old.example")
	wants(t, r, "dmarc", OK, "p=reject; the new side must pass")
	wants(t, r, "tlsa", Warning, "mail.old.example promises a certificate (TLSA), and will be another server")
	wants(t, r, "autoconfig", OK, "autodiscover.old.example leads to autodiscover.new.example")
	wants(t, r, "autoconfig", OK, "autoconfig.old.example has 192.0.2.9")
	wants(t, r, "srv", Warning, "_imaps._tcp.old.example still leads mail programs to the old server mail.old.example")
	wants(t, r, "records", OK, "mail.old.example A: 192.0.2.1")
	for _, line := range lines(r, "srv") {
		if strings.Contains(line, "_submission") {
			t.Errorf("what is not offered leads nowhere: %s", line)
		}
	}
}

// The policy of the domain above counts where there is none of its own.
func TestDMARCOfTheDomainAbove(t *testing.T) {
	w := start(t, zones(usualMail))
	wants(t, check(t, w, Config{}), "dmarc", OK, "has no DMARC policy")
	for _, ip := range []string{one, two} {
		set(t, w, ip, apex(2026112302, 300)+usualMail+"_dmarc IN TXT \"v=DMARC1; p=none\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"\n")
	}
	wants(t, check(t, w, Config{}), "dmarc", Warning, "has 2 policies")
}
