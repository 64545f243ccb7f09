package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
)

func TestByteSize(t *testing.T) {
	for in, want := range map[string]int64{
		"64MiB": 64 << 20, "1GiB": 1 << 30, "500MB": 500e6, "64 mib": 64 << 20, "4096B": 4096, "10kb": 10e3, "7B": 7,
		"1.5MB": 1500000, "0.5GiB": 1 << 29, "2.3MB": 2300000, " 1 TB ": 1e12, "1000TB": 1e15,
	} {
		var s byteSize
		if err := s.Set(in); err != nil || int64(s) != want {
			t.Errorf("%s: %d, %v", in, s, err)
		}
	}
	for _, in := range []string{"", "0", "-1MiB", "MiB", "64XB", "99999999999999999999", "1099511627775GiB",
		"4096", "25", "25M", "1,5MB", ".5MB", "1.MB", "0.4B", "0MB", "1001TB", "1e3MB", "+1MB", "1MB2"} {
		var s byteSize
		if err := s.Set(in); err == nil {
			t.Errorf("%q was taken as %d", in, s)
		}
	}
	for want, s := range map[string]byteSize{"64MiB": 64 << 20, "1500KB": 1500000, "1MB": 1e6, "1025B": 1025, "": 0, "1KiB": 1024} {
		if s.String() != want {
			t.Errorf("%d is printed as %s", s, s.String())
		}
		if again := byteSize(0); want != "" && (again.Set(want) != nil || again != s) {
			t.Errorf("%s is not read again", want)
		}
	}
	for in, want := range map[string]string{"25": "25 has no unit: write 25MB or 25MiB, for bytes 25B", "25M": "write a size such as 25MB, 1.5GB or 64MiB",
		"0": "a size is at least 1B and at most 1000TB"} {
		var s byteSize
		if err := s.Set(in); err == nil || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestPercent(t *testing.T) {
	for in, want := range map[string]int{"0%": 0, "5%": 5, "5": 5, "90%": 90} {
		var p percent
		if err := p.Set(in); err != nil || int(p) != want {
			t.Errorf("%s: %d, %v", in, p, err)
		}
	}
	for _, in := range []string{"", "%", "91%", "-1%", "5.5%", "5%%", "200", "five"} {
		var p percent
		if err := p.Set(in); err == nil {
			t.Errorf("%q was taken as %d", in, p)
		}
	}
}

func TestInterval(t *testing.T) {
	for in, want := range map[string]time.Duration{"1m": time.Minute, "off": 0, "90s": 90 * time.Second, "1h": time.Hour} {
		var i interval
		if err := i.Set(in); err != nil || time.Duration(i) != want {
			t.Errorf("%s: %v, %v", in, i, err)
		}
	}
	for _, in := range []string{"", "5", "10ms", "-1m", "48h"} {
		var i interval
		if err := i.Set(in); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
	for want, d := range map[string]time.Duration{"5m": 5 * time.Minute, "2h": 2 * time.Hour, "1m30s": 90 * time.Second, "off": 0} {
		if i := interval(d); i.String() != want {
			t.Errorf("%v is printed as %s", d, i.String())
		}
	}
}

func TestStateDir(t *testing.T) {
	root := os.Geteuid() == 0
	for _, c := range []struct {
		name, flag, env, xdg, home string
		want                       string
		asRoot                     string
	}{
		{name: "flag", flag: "/a", env: "/b", want: "/a", asRoot: "/a"},
		{name: "environment", env: "/b", xdg: "/c", want: "/b", asRoot: "/b"},
		{name: "xdg", xdg: "/c", home: "/d", want: "/c/mailmove", asRoot: "/var/lib/mailmove"},
		{name: "relative xdg", xdg: "c", home: "/d", want: "/d/.local/state/mailmove", asRoot: "/var/lib/mailmove"},
		{name: "home", home: "/d", want: "/d/.local/state/mailmove", asRoot: "/var/lib/mailmove"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("MAILMOVE_STATE_DIR", c.env)
			t.Setenv("XDG_STATE_HOME", c.xdg)
			t.Setenv("HOME", c.home)
			want := c.want
			if root {
				want = c.asRoot
			}
			if got, err := stateDir(c.flag); err != nil || got != want {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

func TestAccountID(t *testing.T) {
	source := imapx.Endpoint{Host: "Mail.Old.example.", User: "Alice@old.example", Port: 993}
	target := imapx.Endpoint{Host: "mail.new.example", User: "admin", AuthzID: "alice", Port: 143}
	if got, want := accountID(source, target), "alice@old.example@mail.old.example--alice@mail.new.example"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCheckDifferent(t *testing.T) {
	base := imapx.Endpoint{Host: "mail.example.org", Port: 993, User: "alice@example.org"}
	change := func(f func(*imapx.Endpoint)) imapx.Endpoint { ep := base; f(&ep); return ep }
	for _, c := range []struct {
		name   string
		target imapx.Endpoint
		same   bool
	}{
		{"equal", base, true},
		{"other letters", change(func(e *imapx.Endpoint) { e.Host, e.User = "MAIL.example.org.", "Alice@example.org" }), true},
		{"its own address", change(func(e *imapx.Endpoint) { e.Address = "mail.example.org" }), true},
		{"opened by an admin", change(func(e *imapx.Endpoint) { e.User, e.AuthzID = "admin", "alice@example.org" }), true},
		{"other user", change(func(e *imapx.Endpoint) { e.User = "bob@example.org" }), false},
		{"other port", change(func(e *imapx.Endpoint) { e.Port = 1993 }), false},
		{"same name, other machine", change(func(e *imapx.Endpoint) { e.Address = "192.0.2.9" }), false},
	} {
		if err := checkDifferent(base, c.target); (err != nil) != c.same {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestFirstLine(t *testing.T) {
	for in, want := range map[string]string{
		"secret\n": "secret", "secret": "secret", " lead and trail \nmore\n": " lead and trail ", "tab\t\r\n": "tab\t", "ümläut\n": "ümläut",
	} {
		if got, err := firstLine(strings.NewReader(in)); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "\n", "\r\nx", strings.Repeat("x", maxPassword+1)} {
		if got, err := firstLine(strings.NewReader(in)); err == nil {
			t.Errorf("%.20q was taken as %.20q", in, got)
		}
	}
}

func TestPasswordSources(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pw")
	if err := os.WriteFile(file, []byte("from file\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("MAILMOVE_SOURCE_PASSWORD", "from env")
	for _, c := range []struct {
		flags passwordFlags
		want  string
		code  int
	}{
		{passwordFlags{side: "source"}, "from env", 0},
		{passwordFlags{side: "source", file: file}, "from file", 0},
		{passwordFlags{side: "source", command: "echo from command; echo more"}, "from command", 0},
		{passwordFlags{side: "source", command: `printf '%s' "${MAILMOVE_SOURCE_PASSWORD-clean}"`}, "clean", 0},
		{passwordFlags{side: "source", command: `cat; echo end`}, "end", 0},
		{passwordFlags{side: "source", command: "exit 3"}, "", exitNoInput},
		{passwordFlags{side: "source", command: "true"}, "", exitNoInput},
		{passwordFlags{side: "source", file: dir + "/none"}, "", exitNoInput},
		{passwordFlags{side: "source", file: file, command: "true"}, "", exitUsage},
		{passwordFlags{side: "target"}, "", exitNoInput},
	} {
		got, err := c.flags.read(t.Context(), "alice at h", terminal{null, os.Stderr})
		if got.Reveal() != c.want || exitCode(err) != c.code {
			t.Errorf("%+v: %q, %v", c.flags, got.Reveal(), err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"source-user", "source-tls", "state-dir", "quiet"}
	for in, want := range map[string]string{"source-usr": "source-user", "quite": "quiet", "statedir": "state-dir", "zzz": "", "q": ""} {
		if got := nearest(in, names); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
