package dns

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailmove/cmd/internal/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The name servers of old.example.
const (
	one = "127.0.0.3"
	two = "127.0.0.4"
)

// apex is the head of a zone old.example.
func apex(serial, ttl int) string {
	return fmt.Sprintf(`old.example. 3600 IN SOA ns1.old.example. hostmaster.old.example. %d 3600 600 864000 300
$ORIGIN old.example.
@ 86400 IN NS ns1
@ 86400 IN NS ns2
ns1 86400 IN A 127.0.0.3
ns2 86400 IN A 127.0.0.4
$TTL %d
`, serial, ttl)
}

const usualMail = `@ IN MX 10 mail
mail IN A 192.0.2.1
@ IN TXT "v=spf1 mx -all"
`

// zones are a root, a top-level domain with its server, and old.example on two servers.
func zones(mail string) map[string]string {
	return map[string]string{
		dnstest.Root: `. 86400 IN SOA a.root. hostmaster.root. 1 3600 600 864000 300
. 86400 IN NS a.root.
a.root. 86400 IN A 127.0.0.1
example. 86400 IN NS ns.example.
ns.example. 86400 IN A 127.0.0.2
`,
		"127.0.0.2/example": `example. 86400 IN SOA ns.example. hostmaster.example. 1 3600 600 864000 300
example. 86400 IN NS ns.example.
ns.example. 86400 IN A 127.0.0.2
old.example. 86400 IN NS ns1.old.example.
old.example. 86400 IN NS ns2.old.example.
ns1.old.example. 86400 IN A 127.0.0.3
ns2.old.example. 86400 IN A 127.0.0.4
new.example. 86400 IN NS ns.new.example.
ns.new.example. 86400 IN A 127.0.0.5
`,
		one: apex(2026112301, 300) + mail,
		two: apex(2026112301, 300) + mail,
		"127.0.0.5": `new.example. 3600 IN SOA ns.new.example. hostmaster.new.example. 1 3600 600 864000 300
$ORIGIN new.example.
@ 3600 IN NS ns
ns 3600 IN A 127.0.0.5
mx 3600 IN A 192.0.2.7
alias 3600 IN CNAME mx
`,
	}
}

func start(t *testing.T, zones map[string]string) *dnstest.World {
	t.Helper()
	w, err := dnstest.Start(zones)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func set(t *testing.T, w *dnstest.World, ip, zone string) {
	t.Helper()
	if err := w.SetZone(ip, zone); err != nil {
		t.Fatal(err)
	}
}

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// check looks at old.example from the roots of a world.
func check(t *testing.T, w *dnstest.World, c Config) Report {
	t.Helper()
	c.Roots, c.Port, c.Timeout = append(c.Roots, w.Root()), w.Port(), 500*time.Millisecond
	if c.Now == nil {
		c.Now = noon
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := Check(ctx, c, []string{"old.example"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines are the findings of a check, as "verdict text"; of all checks where it is "".
func lines(r Report, check string) (all []string) {
	for _, d := range r.Domains {
		for _, f := range d.Findings {
			if check == "" || f.Check == check {
				all = append(all, fmt.Sprintf("%s %s: %s", f.Check, f.Verdict, f.Text))
			}
		}
	}
	return all
}

// wants fails where a report has no line of a check with that verdict and all the words.
func wants(t *testing.T, r Report, check string, v Verdict, words ...string) {
	t.Helper()
	for _, d := range r.Domains {
	findings:
		for _, f := range d.Findings {
			if f.Check != check || f.Verdict != v {
				continue
			}
			for _, word := range words {
				if !strings.Contains(f.Text, word) {
					continue findings
				}
			}
			return
		}
	}
	t.Errorf("nothing of %s is %s with %q:\n%s", check, v, words, strings.Join(lines(r, ""), "\n"))
}

// with gives zones with some of them replaced.
func with(zones map[string]string, other map[string]string) map[string]string {
	all := maps.Clone(zones)
	maps.Copy(all, other)
	return all
}
