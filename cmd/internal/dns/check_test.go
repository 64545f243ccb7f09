package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"mailmove/cmd/internal/dns/dnstest"
)

// All is well: nothing fails, nothing warns, and both servers were asked.
func TestAllIsWell(t *testing.T) {
	w := start(t, zones(usualMail))
	r := check(t, w, Config{})
	d := r.Domains[0]
	if r.Failed() || d.Count(Warning) > 0 {
		t.Errorf("something is not well:\n%s", strings.Join(lines(r, ""), "\n"))
	}
	wants(t, r, "delegation", OK, "ns1.old.example, ns2.old.example")
	wants(t, r, "name-servers", OK, "2 addresses of 2 name servers")
	wants(t, r, "serials", OK, "2026112301")
	wants(t, r, "records", OK, "10 mail.old.example, TTL 300 s (5 minutes)")
	wants(t, r, "mx", OK, "mail.old.example has 192.0.2.1")
	if err := r.Safe(noon()); err != nil {
		t.Error(err)
	}
}

// What each kind of server makes of a report, and that a server is asked again where it can answer.
func TestServersThatMisbehave(t *testing.T) {
	for _, c := range []struct {
		mode    string
		verdict Verdict
		words   []string
	}{
		{"REFUSED", Failed, []string{"ns2.old.example (127.0.0.4) is lame", "REFUSED"}},
		{"SERVFAIL", Failed, []string{"is lame", "SERVFAIL"}},
		{dnstest.NoAA, Failed, []string{"is lame", "without authority"}},
		{dnstest.Silent, Failed, []string{"ns2.old.example (127.0.0.4) does not answer"}},
		{dnstest.Truncated, OK, []string{"2 addresses"}},
		{dnstest.NoTCP, Failed, []string{"ns2.old.example (127.0.0.4) does not answer", "too long for UDP", "by TCP: no answer"}},
		{dnstest.NoEDNS, OK, []string{"2 addresses"}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			w := start(t, zones(usualMail))
			w.Behave(two, c.mode)
			r := check(t, w, Config{})
			wants(t, r, "name-servers", c.verdict, c.words...)
			wants(t, r, "mx", OK, "mail.old.example has 192.0.2.1") // the other one tells
			var unsafe *UnsafeError
			if err := r.Safe(noon()); (c.verdict == Failed) != errors.As(err, &unsafe) {
				t.Errorf("safe: %v", err)
			}
			if n := w.Asked(two); c.mode == dnstest.Silent && n > 4 {
				t.Errorf("asked %d times, though it answers nothing", n)
			}
			if r.Failed() != (c.verdict == Failed) {
				t.Errorf("failed: %v", lines(r, ""))
			}
		})
	}
}

// The four faults that a cutover meets most, each said in words.
func TestFaultsOfACutover(t *testing.T) {
	mail := `@ IN MX 10 mx.hoster
mx.hoster IN CNAME mx.new.example.
`
	w := start(t, with(zones(mail), map[string]string{one: apex(2026112301, 86400) + mail, two: apex(2026112200, 86400) + usualMail}))
	r := check(t, w, Config{})
	wants(t, r, "serials", Failed, "an old zone of old.example", "newest serial is 2026112301", "ns2.old.example (127.0.0.4) has 2026112200")
	wants(t, r, "records", Failed, "do not agree on MX", "10 mx.hoster.old.example at ns1.old.example (127.0.0.3)", "10 mail.old.example at ns2.old.example (127.0.0.4)")
	wants(t, r, "mx", Warning, "mx.hoster.old.example is an alias (CNAME) of mx.new.example")
	wants(t, r, "ttl", Warning, "MX of old.example for 86400 s (1 day)")
	if got, want := r.SwitchEarliest(), noon().Add(24*time.Hour); !got.Equal(want) || r.Lowered() {
		t.Errorf("the earliest switch is at %v, want %v", got, want)
	}
}

// The parent and the zone name other servers; one that only the zone names is asked too.
func TestDelegationThatDiffers(t *testing.T) {
	w := start(t, zones(usualMail))
	set(t, w, one, strings.Replace(apex(2026112301, 300), "@ 86400 IN NS ns2", "@ 86400 IN NS ns.new.example.", 1)+usualMail)
	set(t, w, two, strings.Replace(apex(2026112301, 300), "@ 86400 IN NS ns2", "@ 86400 IN NS ns.new.example.", 1)+usualMail)
	r := check(t, w, Config{})
	wants(t, r, "delegation", Warning, "example names ns2.old.example, which the zone does not", "the zone names ns.new.example, which example does not")
	wants(t, r, "name-servers", Failed, "ns.new.example (127.0.0.5) is lame", "REFUSED")
}

// What is not there, or leads nowhere, ends in words and in bounded time.
func TestNamesThatLeadNowhere(t *testing.T) {
	for name, c := range map[string]struct {
		zones   map[string]string
		check   string
		verdict Verdict
		words   []string
	}{
		"no delegation": {with(zones(usualMail), map[string]string{"127.0.0.2/example": `example. 86400 IN SOA ns.example. h.example. 1 3600 600 864000 300
example. 86400 IN NS ns.example.
ns.example. 86400 IN A 127.0.0.2
`}), "zone", Failed, []string{"there is no old.example", "NXDOMAIN"}},
		"servers that need each other": {with(zones(usualMail), map[string]string{"127.0.0.2/example": `example. 86400 IN SOA ns.example. h.example. 1 3600 600 864000 300
example. 86400 IN NS ns.example.
ns.example. 86400 IN A 127.0.0.2
old.example. 86400 IN NS ns.a.example.
a.example. 86400 IN NS ns.b.example.
b.example. 86400 IN NS ns.a.example.
`}), "name-servers", Failed, []string{"ns.a.example does not answer", "without end"}},
		"aliases without end": {zones("@ IN MX 10 a\na IN CNAME b\nb IN CNAME a\n"), "mx", Failed, []string{"its aliases do not end"}},
		"no address":          {zones("@ IN MX 10 nowhere\n"), "mx", Failed, []string{"nowhere.old.example has no address"}},
		"an alias of nothing": {zones("@ IN MX 10 mx\nmx IN CNAME gone\n"), "mx", Failed, []string{"mx.old.example is an alias (CNAME) of gone.old.example, which has no address"}},
		"an address":          {zones("@ IN MX 10 192.0.2.1.\n"), "mx", Failed, []string{"is the address 192.0.2.1"}},
		"no MX":               {zones("@ IN A 192.0.2.1\n"), "records", Warning, []string{"old.example has no MX"}},
		"null MX":             {zones("@ IN MX 0 .\n"), "mx", Warning, []string{"has no mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, start(t, c.zones), Config{})
			wants(t, r, c.check, c.verdict, c.words...)
		})
	}
}

// No root answers: that is told, and not taken for a zone without faults.
func TestNoWayToTheRoots(t *testing.T) {
	w := start(t, zones(usualMail))
	w.Behave(dnstest.Root, dnstest.Silent)
	r := check(t, w, Config{})
	wants(t, r, "delegation", Failed, "none of the root name servers can be reached from this machine (asked: 1)")
	if next := r.Domains[0].Findings[0].Next; r.Safe(noon()) == nil || !strings.Contains(next, "port 53") || strings.Contains(next, "name right") {
		t.Errorf("%s", next)
	}
}

// A network that answers in place of the roots is told as that.
func TestPort53IsKept(t *testing.T) {
	w := start(t, zones(usualMail))
	w.Behave(dnstest.Root, "REFUSED")
	wants(t, check(t, w, Config{}), "delegation", Failed, "none of the root name servers can be reached", "something else answers in their place (REFUSED)")
}

// Without a way out, a list of domains does not wait for the roots again and again.
func TestNoWayOutIsFoundOnce(t *testing.T) {
	w := start(t, zones(usualMail))
	w.Behave(dnstest.Root, dnstest.Silent)
	var domains []string
	for i := range 10 * atOnce {
		domains = append(domains, fmt.Sprintf("d%d.example", i))
	}
	begun := time.Now()
	r, err := Check(t.Context(), Config{Roots: []netip.AddrPort{w.Root()}, Port: w.Port(), Timeout: 500 * time.Millisecond}, domains)
	if took := time.Since(begun); err != nil || took > 5*time.Second { // each batch by itself: 10 times a second
		t.Errorf("%v after %v", err, took)
	}
	for _, d := range r.Domains {
		if len(d.Findings) != 1 || d.Findings[0].Verdict != Failed {
			t.Errorf("%+v", d.Findings)
		}
	}
}

// Name servers that stall cannot keep one domain busy for an hour, question by question.
func TestADomainHasItsTime(t *testing.T) {
	w := start(t, zones(usualMail))
	c := (Config{Roots: []netip.AddrPort{w.Root()}, Port: w.Port()}).filled()
	left := new(atomic.Int64)
	left.Store(mostQueries)
	over := newWalk(&asker{config: c, slots: make(chan struct{}, 1), net: new(reach), left: left, room: new(atomic.Int64), until: time.Now().Add(-time.Second)})
	if _, err := over.zoneOf(t.Context(), "old.example", 0); !errors.Is(err, errTooLong) {
		t.Errorf("%v", err)
	}
}

// Answers that are large each time do not add up to more memory than a domain may take: a name that is written once in a
// message (RFC 1035 4.1.4) may stand for thousands.
func TestAnswersHaveABound(t *testing.T) {
	w := start(t, zones(usualMail))
	c := (Config{Roots: []netip.AddrPort{w.Root()}, Port: w.Port()}).filled()
	left, room := new(atomic.Int64), new(atomic.Int64)
	left.Store(mostQueries)
	room.Store(1000)
	crowded := newWalk(&asker{config: c, slots: make(chan struct{}, 1), net: new(reach), left: left, room: room, until: time.Now().Add(time.Minute)})
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		_, err = crowded.lookup(t.Context(), fmt.Sprintf("n%d.old.example", i), miekg.TypeA, 0)
	}
	if !errors.Is(err, errTooMuch) {
		t.Errorf("%v", err)
	}
	wants(t, check(t, w, Config{}), "mx", OK, "mail.old.example has 192.0.2.1") // what is usual fits
}

// A zone that asks for ever more is cut short.
func TestQuestionsHaveABound(t *testing.T) {
	var mail strings.Builder
	for i := range 400 {
		fmt.Fprintf(&mail, "@ IN MX %d mx%d\n", i, i)
	}
	w := start(t, zones(mail.String()))
	r := check(t, w, Config{})
	wants(t, r, "mx", Warning, "380 of 400 mail servers were not looked at")
	if n := w.Asked(one) + w.Asked(two); n > mostQueries {
		t.Errorf("%d questions", n)
	}
}

// More name servers and addresses than anybody has are not all asked, and that is told.
func TestServersHaveABound(t *testing.T) {
	w := start(t, zones(usualMail))
	var parent, own strings.Builder
	for i := range mostHosts + 4 {
		fmt.Fprintf(&parent, "old.example. 60 IN NS n%d.old.example.\n", i)
	}
	for i := range mostAddresses + 3 {
		fmt.Fprintf(&own, "ns1 IN A 127.0.0.%d\n", 20+i)
	}
	set(t, w, "127.0.0.2", "example. 86400 IN SOA ns.example. h.example. 1 3600 600 864000 300\nexample. 60 IN NS ns.example.\n"+
		"old.example. 60 IN NS ns1.old.example.\nns1.old.example. 60 IN A 127.0.0.3\n"+parent.String())
	set(t, w, one, apex(1, 300)+usualMail+own.String())
	r := check(t, w, Config{})
	wants(t, r, "name-servers", Warning, "9 more name servers of old.example, or addresses of them, were not looked at")
}

// A look that is called off ends at once with that, not with a report of servers that do not answer.
func TestCheckEndsWithItsContext(t *testing.T) {
	w := start(t, zones(usualMail))
	w.Behave(dnstest.Root, dnstest.Silent)
	cause := errors.New("called off")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	began := time.Now()
	_, err := Check(ctx, Config{Roots: []netip.AddrPort{w.Root()}, Port: w.Port(), Timeout: time.Minute}, []string{"old.example"})
	if !errors.Is(err, cause) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// Answers to other questions are not taken.
func TestForgedAnswers(t *testing.T) {
	w := start(t, zones(usualMail))
	w.Handle(two, func(q *miekg.Msg) *miekg.Msg {
		m := new(miekg.Msg).SetReply(q)
		m.Question[0].Name = "other.example."
		m.Authoritative = true
		return m
	})
	r := check(t, w, Config{})
	wants(t, r, "name-servers", Failed, "ns2.old.example (127.0.0.4) does not answer")
}

func TestExpectations(t *testing.T) {
	w := start(t, zones(usualMail+"@ IN TXT \"token=1\"\n"))
	c := Config{
		ExpectMX: []string{"MX.new.example."}, ExpectTXT: map[string][]string{"old.example": {"token=1", "token=2"}},
		ExpectAddr: map[string][]netip.Addr{"mail.old.example": {netip.MustParseAddr("192.0.2.7")}},
	}
	r := check(t, w, c)
	wants(t, r, "expect-mx", Failed, "should be mx.new.example and is mail.old.example at ns1.old.example")
	wants(t, r, "expect-address", Failed, "should be 192.0.2.7 and is 192.0.2.1 at ns1")
	wants(t, r, "expect-txt", OK, `"token=1"`)
	wants(t, r, "expect-txt", Failed, `"token=2"`)
	c.ExpectTXT["old.example"] = []string{"token=1"}
	if err := check(t, w, c).Safe(noon()); err != nil {
		t.Errorf("what is to be switched is no reason not to: %v", err)
	}
	switched := "@ IN MX 10 mx.new.example.\nmail IN A 192.0.2.7\n@ IN TXT \"token=1\"\n"
	set(t, w, one, apex(2026112302, 300)+switched)
	wants(t, check(t, w, c), "expect-mx", Failed, "is mail.old.example at ns2.old.example (127.0.0.4)")
	set(t, w, two, apex(2026112302, 300)+switched)
	if r = check(t, w, c); r.Failed() {
		t.Errorf("switched:\n%s", strings.Join(lines(r, ""), "\n"))
	}
}

// A name that is new is remembered as missing for as long as the zone says.
func TestNewNamesAreRememberedAsMissing(t *testing.T) {
	w := start(t, zones(usualMail))
	for _, ip := range []string{one, two} {
		set(t, w, ip, strings.Replace(apex(2026112302, 300), "864000 300", "864000 1800", 1)+usualMail)
	}
	r := check(t, w, Config{ExpectAddr: map[string][]netip.Addr{"imap.old.example": {netip.MustParseAddr("192.0.2.7")}}})
	wants(t, r, "ttl", Warning, "there is no A of imap.old.example yet", "for 1800 s (30 minutes)")
	wants(t, r, "expect-address", Failed, "imap.old.example should be 192.0.2.7 and is nothing at ns1.old.example")
	if got := r.ForgottenAt(noon()); !got.Equal(noon().Add(30*time.Minute)) || r.Safe(noon()) != nil {
		t.Errorf("forgotten at %v; safe: %v", got, r.Safe(noon()))
	}
}

// A resolver that counts its TTL down still gives the old record, and then the new one. What it remembers proves that the
// TTL was higher.
func TestResolversForget(t *testing.T) {
	w := start(t, with(zones(usualMail), map[string]string{"127.0.0.9": ""}))
	var after atomic.Int64 // noon, in nanoseconds
	now := func() time.Time { return noon().Add(time.Duration(after.Load())) }
	w.Handle("127.0.0.9", func(q *miekg.Msg) *miekg.Msg {
		m := new(miekg.Msg).SetReply(q)
		left, host := 3600-int(now().Sub(noon())/time.Second), "mail.old.example."
		if left <= 0 {
			left, host = 300, "mx.new.example."
		}
		m.Answer = []miekg.RR{&miekg.MX{Hdr: miekg.RR_Header{Name: q.Question[0].Name, Rrtype: miekg.TypeMX, Class: miekg.ClassINET, Ttl: uint32(left)}, Preference: 10, Mx: host}}
		return m
	})
	c := Config{Resolvers: []netip.AddrPort{w.At("127.0.0.9")}, Now: now, ExpectMX: []string{"mx.new.example"}}
	r := check(t, w, c)
	wants(t, r, "resolver", OK, "127.0.0.9 has MX of old.example as the name servers do, for 3600 s (1 hour)")
	if got := r.SwitchEarliest(); !got.Equal(noon().Add(time.Hour)) {
		t.Errorf("the resolver remembers for an hour, the earliest switch is at %v", got)
	}
	for _, ip := range []string{one, two} {
		set(t, w, ip, apex(2026112302, 300)+"@ IN MX 10 mx.new.example.\n")
	}
	after.Store(int64(40 * time.Minute))
	r = check(t, w, c)
	wants(t, r, "resolver", Failed, "still remembers MX of old.example as 10 mail.old.example, for 1200 s (20 minutes)")
	if m := r.Domains[0].Remembered[0]; !m.Until.Equal(noon().Add(time.Hour)) {
		t.Errorf("it forgets at %v", m.Until)
	}
	after.Store(int64(61 * time.Minute))
	if r = check(t, w, c); r.Failed() {
		t.Errorf("%v", lines(r, ""))
	}
}
