package coexist_test

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mailmove/cmd/internal/coexist"
	"mailmove/imapx/auth"
)

func named(t testing.TB, name string) coexist.Format {
	t.Helper()
	for _, f := range coexist.Formats() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no format %s", name)
	return coexist.Format{}
}

// hostile draws what a list could hold: names, and what means something to one of the formats.
func hostile() *rapid.Generator[string] {
	parts := []string{"alice", "bob", "@", "a.example", "ä", " ", "\n", "\r", "\x00", "\u2028", ":", "%", "%{env:HOME}", "\"", "\\", ";", "$", "#", "}",
		"~", "default", "proxy=y", "pass=x", "host=127.0.0.1", "[", "]", "\xff", "=", "\t"}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 5).Draw(t, "parts"), "")
	})
}

// An entry is one line or an error, whatever it holds, and the text gives it back.
func TestEntriesStayEntries(t *testing.T) {
	for _, f := range coexist.Formats() {
		t.Run(f.Name, func(t *testing.T) {
			taken := 0
			rapid.Check(t, func(t *rapid.T) {
				table := make(coexist.Table)
				for range rapid.IntRange(0, 6).Draw(t, "entries") {
					e := coexist.Entry{Key: hostile().Draw(t, "key"), User: hostile().Draw(t, "user"), Relay: "mx.new.example", RelayPort: 25,
						Addr: netip.MustParseAddrPort("192.0.2.1:993"), Name: hostile().Draw(t, "name")}
					if f.Name != "nginx" {
						e.TLS, e.OnLogin = coexist.ImplicitTLS, hostile().Draw(t, "admin")
						e.Login = auth.NewSecret(hostile().Draw(t, "password"))
					}
					if rapid.Bool().Draw(t, "plain") {
						e.Name, e.OnLogin, e.User = "mail.new.example", "", ""
						e.Key = rapid.SampledFrom([]string{"alice@a.example", "Bob@a.example", "default", `~x"\\`}).Draw(t, "plain key")
					}
					before := maps.Clone(table)
					err := f.Add(table, e)
					if err != nil && !maps.Equal(before, table) {
						t.Fatalf("an entry that was refused (%v) is in the table: %q", err, table)
					}
					if _, there := table[f.Find(e.Key)]; err == nil && !there || len(table) > len(before)+1 {
						t.Fatalf("the entry of %q is not found, or became two: %q", e.Key, table)
					}
				}
				taken += len(table)
				text := f.Text(table)
				if n := strings.Count(string(text), "\n") - strings.Count(string(f.Text(nil)), "\n"); n != len(table) {
					t.Fatalf("%d entries are %d lines: %q", len(table), n, text)
				}
				back, err := f.Parse(text)
				if err != nil || !maps.Equal(back, table) {
					t.Fatalf("read again: %v: %q, want %q", err, back, table)
				}
				for _, line := range table {
					if words := strings.Fields(line); f.Name == "dovecot" && slices.Contains(words, "host=127.0.0.1") {
						t.Fatalf("a value became an option: %q", line)
					}
				}
			})
			if taken == 0 {
				t.Error("no entry was ever taken")
			}
		})
	}
}

func TestLines(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.9:993")
	for _, c := range []struct {
		format string
		entry  coexist.Entry
		want   string // or an error that begins so
	}{
		{"postfix", coexist.Entry{Key: "Alice+X@A.Example", Relay: "mx.new.example", RelayPort: 25}, "alice+x@a.example relay:[mx.new.example]:25"},
		{"postfix", coexist.Entry{Key: "a@a.example", Relay: "2001:db8::1", RelayPort: 2525}, "a@a.example relay:[ipv6:2001:db8::1]:2525"},
		{"postfix", coexist.Entry{Key: "alice", Relay: "mx", RelayPort: 25}, "!the login is no address"},
		{"postfix", coexist.Entry{Key: "#a@a.example", Relay: "mx", RelayPort: 25}, "!the address has characters"},
		{"postfix", coexist.Entry{Key: "a b@a.example", Relay: "mx", RelayPort: 25}, "!the address has characters"},
		{"postfix", coexist.Entry{Key: "a@ä.example", Relay: "mx", RelayPort: 25}, "!what is behind the @ is no domain"},
		{"postfix", coexist.Entry{Key: "a@a.example", Relay: "mx]:25 x", RelayPort: 25}, "!the host that mail goes to"},
		{"postfix", coexist.Entry{Key: "a@a.example", Relay: "mx"}, "!the port"},
		{"dovecot", coexist.Entry{Key: "a", Addr: addr, Name: "192.0.2.9"}, "a:::::::proxy=y nopassword=y host=192.0.2.9 port=993"},
		{"dovecot", coexist.Entry{Key: "a", Addr: addr, Name: "new.example", TLS: coexist.StartTLS, User: "b%c"},
			"a:::::::proxy=y nopassword=y host=new.example hostip=192.0.2.9 port=993 starttls=yes destuser=b%%c"},
		{"dovecot", coexist.Entry{Key: "a", Addr: addr, User: "admin", OnLogin: "b", Login: auth.NewSecret("x:%")},
			"a:::::::proxy=y noauthenticate=y host=192.0.2.9 port=993 destuser=b master=admin pass=x:%%"},
		{"dovecot24", coexist.Entry{Key: "a:b", Addr: addr}, "!the login holds :"},
		{"dovecot", coexist.Entry{Key: "a b", Addr: addr}, "!the login holds a blank"},
		{"dovecot", coexist.Entry{Key: "a", Addr: addr, User: "b proxy=n"}, "!the login at the new server holds a blank"},
		{"dovecot", coexist.Entry{Key: "a", Addr: addr, Login: auth.NewSecret("two words")}, "!the password at the new server holds a blank"},
		{"dovecot", coexist.Entry{Key: "a"}, "!the server behind the proxy has no address"},
		{"nginx", coexist.Entry{Key: "ä b", Addr: addr}, `"%C3%A4%20b" "192.0.2.9 993";`},
		{"nginx", coexist.Entry{Key: "default", Addr: addr, User: "new"}, `"\\default" "192.0.2.9 993 new";`},
		{"nginx", coexist.Entry{Key: `~a"\`, Addr: addr}, `"\\~a\"\\" "192.0.2.9 993";`},
		{"nginx", coexist.Entry{Key: "a", Addr: addr, User: "$x"}, "!the login at the new server holds $"},
		{"nginx", coexist.Entry{Key: "a", Addr: addr, TLS: coexist.ImplicitTLS}, "!nginx' mail proxy talks clear text"},
		{"nginx", coexist.Entry{Key: "a", Addr: addr, Login: auth.NewSecret("x")}, "!nginx cannot ask"},
	} {
		got, err := named(t, c.format).Line(c.entry)
		want, wrong := strings.CutPrefix(c.want, "!")
		switch {
		case wrong && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s %q: %q, %v; want the error %q", c.format, c.entry.Key, got, err, want)
		case !wrong && (err != nil || got != want):
			t.Errorf("%s %q: %q, %v; want %q", c.format, c.entry.Key, got, err, want)
		}
	}
}

func TestWhatIsNotOursStays(t *testing.T) {
	f := named(t, "postfix")
	ours := string(f.Text(coexist.Table{"a@a.example": "a@a.example relay:[x]:25"}))
	for name, text := range map[string]string{
		"another's":           "a@a.example smtp:x\n",
		"of another format":   string(named(t, "nginx").Text(nil)),
		"a line by hand":      ours + "nonsense\n",
		"a key that is twice": ours + "a@a.example relay:[y]:25\n",
	} {
		if _, err := f.Parse([]byte(text)); !errors.Is(err, coexist.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if table, err := f.Parse(nil); err != nil || len(table) != 0 {
		t.Errorf("an empty file: %v, %v", table, err)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	f := named(t, "dovecot")
	line, err := f.Line(coexist.Entry{Key: "a", Addr: netip.MustParseAddrPort("192.0.2.9:993"), Login: auth.NewSecret("s3cret")})
	if err != nil || !strings.Contains(line, "pass=s3cret") || strings.Contains(f.Masked(line), "s3cret") {
		t.Errorf("%q is shown as %q, %v", line, f.Masked(line), err)
	}
}

func TestLoops(t *testing.T) {
	addrs := func(list ...string) (all []netip.Addr) {
		for _, s := range list {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	old, own := addrs("192.0.2.1", "2001:db8::1"), addrs("192.0.2.7")
	for to, want := range map[string]coexist.Verdict{
		"192.0.2.2:25":            coexist.Elsewhere,
		"192.0.2.1:25":            coexist.SamePort,
		"[::ffff:192.0.2.1]:25":   coexist.SamePort,
		"[2001:db8::1]:587":       coexist.SamePort,
		"192.0.2.7:25":            coexist.SamePort,
		"127.0.0.53:25":           coexist.SamePort,
		"[::1]:25":                coexist.SamePort,
		"192.0.2.1:2525":          coexist.OldHost,
		"192.0.2.7:2525":          coexist.OwnHost,
		"0.0.0.0:25":              coexist.NoPlace,
		"[ff02::1]:25":            coexist.NoPlace,
		"[2001:db8::2]:2525":      coexist.Elsewhere,
		"[::ffff:192.0.2.2]:2525": coexist.Elsewhere,
	} {
		if got := coexist.Judge(netip.MustParseAddrPort(to), old, own, coexist.Ports(named(t, "postfix"))); got != want {
			t.Errorf("%s: %d, want %d", to, got, want)
		}
	}
}
