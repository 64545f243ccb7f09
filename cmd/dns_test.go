package cmd

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/dns"
	"mailmove/cmd/internal/dns/dnstest"
	"mailmove/state/fleet"
)

// dnsZone is old.example with its MX and TTL, on the one name server of all zones.
func dnsZone(serial int, mx string, ttl int) string {
	return fmt.Sprintf(`old.example. 3600 IN SOA ns.old.example. hostmaster.old.example. %d 3600 600 864000 300
old.example. 86400 IN NS ns.old.example.
ns.old.example. 86400 IN A 127.0.0.2
old.example. %d IN MX 10 %s.
mail.old.example. 60 IN A 192.0.2.1
mx.old.example. 60 IN A 192.0.2.7
old.example. 60 IN TXT "v=spf1 -all"
`, serial, ttl, mx)
}

const dnsRoot = `. 86400 IN SOA a.root. hostmaster.root. 1 3600 600 864000 300
. 86400 IN NS a.root.
a.root. 86400 IN A 127.0.0.1
old.example. 86400 IN NS ns.old.example.
ns.old.example. 86400 IN A 127.0.0.2
`

// A move over two weeks, a look now and then in runs of their own: the plan of each day is right though nobody tells it
// when what was done.
func TestPlanOverDays(t *testing.T) {
	w, err := dnstest.Start(map[string]string{dnstest.Root: dnsRoot, "127.0.0.2": dnsZone(1, "mail.old.example", 86400)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	dir := t.TempDir()
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, day := range []struct {
		after    time.Duration
		zone     string
		lowered  bool
		earliest time.Duration // after start
		says     string
	}{
		{0, "", false, 24 * time.Hour, "lower the TTL of old.example MX from 86400 s (1 day) to 300 s (5 minutes) now"},
		{48 * time.Hour, dnsZone(2, "mail.old.example", 300), true, 72 * time.Hour, "before it was 86400 s (1 day)"},
		{50 * time.Hour, "", true, 72 * time.Hour, "the earliest safe switch is at"},
		{240 * time.Hour, "", true, 240 * time.Hour, "the switch is safe now"},
		{264 * time.Hour, dnsZone(3, "mx.old.example", 300), true, 264 * time.Hour, "the last resolver forgets what was there before at"},
		{265 * time.Hour, "", true, 265 * time.Hour, "raise the TTL again"},
	} {
		if day.zone != "" {
			if err := w.SetZone("127.0.0.2", day.zone); err != nil {
				t.Fatal(err)
			}
		}
		now := start.Add(day.after)
		f, err := fleet.Open(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		config := dns.Config{
			Port: w.Port(), Now: func() time.Time { return now }, OldTTL: 24 * time.Hour, ExpectMX: []string{"mx.old.example"},
			Timeout: time.Second, Roots: []netip.AddrPort{w.Root()},
		}
		r, err := checkDNS(context.Background(), f, config, []string{"old.example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if r.Lowered() != day.lowered || !r.SwitchEarliest().Equal(start.Add(day.earliest)) {
			t.Errorf("after %v: lowered %v, earliest after %v", day.after, r.Lowered(), r.SwitchEarliest().Sub(start))
		}
		if text := strings.Join(planLines(r.Domains[0], now), "\n"); !strings.Contains(text, day.says) {
			t.Errorf("after %v it says:\n%s\nwant %s", day.after, text, day.says)
		}
	}
}

// --wait looks until the last name server has what is expected, and prints a report only where something changed.
func TestWaitEndsWithTheLastServer(t *testing.T) {
	w, err := dnstest.Start(map[string]string{dnstest.Root: dnsRoot, "127.0.0.2": dnsZone(1, "mail.old.example", 300)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var verdicts []bool
	k := &dnsLook{
		config:  dns.Config{Roots: []netip.AddrPort{w.Root()}, Port: w.Port(), ExpectMX: []string{"mx.old.example"}},
		domains: []string{"old.example"}, dir: t.TempDir(), wait: 20 * time.Millisecond,
	}
	k.print = func(_ *app, r dns.Report) error {
		if verdicts = append(verdicts, r.Failed()); len(verdicts) > 1 {
			return nil
		}
		looks := w.Asked("127.0.0.2")
		time.AfterFunc(100*time.Millisecond, func() { // some looks later, that find what the first one found
			if now := w.Asked("127.0.0.2"); now <= looks {
				t.Errorf("asked %d times, and no more", now)
			}
			if err := w.SetZone("127.0.0.2", dnsZone(2, "mx.old.example", 300)); err != nil {
				t.Error(err)
			}
		})
		return nil
	}
	if err := k.run(ctx, &app{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(verdicts, []bool{true, false}) {
		t.Errorf("printed reports that failed: %v", verdicts)
	}
}
