package cmd

import (
	"strings"
	"testing"

	"mailmove/imapx"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		in   string
		want address
	}{
		{"mail.example.org", address{Host: "mail.example.org"}},
		{"mail.example.org:1993", address{Host: "mail.example.org", Port: 1993}},
		{"192.0.2.1", address{Host: "192.0.2.1"}},
		{"::1", address{Host: "::1"}},
		{"[2001:db8::1]:993", address{Host: "2001:db8::1", Port: 993}},
		{"imaps://mail.example.org", address{Host: "mail.example.org"}},
		{"IMAPS://mail.example.org/", address{Host: "mail.example.org"}},
		{"imap://mail.example.org:1143", address{Host: "mail.example.org", Port: 1143, TLS: imapx.TLSStartTLS}},
		{"imaps://alice@old.example@mail.old.example", address{Host: "mail.old.example", User: "alice@old.example"}},
		{"imaps://alice%40old.example@mail.old.example:993", address{Host: "mail.old.example", Port: 993, User: "alice@old.example"}},
		{"imaps://DOM%5Calice@h", address{Host: "h", User: `DOM\alice`}},
		{"imaps://a%3Ab@h", address{Host: "h", User: "a:b"}},
		{"imaps://alice*master@h", address{Host: "h", User: "alice*master"}},
		{"imaps://a%2Fb@[::1]:143", address{Host: "::1", Port: 143, User: "a/b"}},
	} {
		got, err := parseAddress("--source", c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	const secret = "s3cr3t"
	for in, want := range map[string]string{
		"":                              "no --source",
		"http://h":                      "begins with neither",
		"imapss://h":                    "begins with neither",
		secret + "://h":                 "begins with neither",
		"imaps://a:" + secret + "@h":    "a password in a URL is refused",
		"imaps://a:s@c" + secret + "@h": "a password in a URL is refused",
		"imaps://a:" + secret + "/x@h":  "a password in a URL is refused",
		"imaps://a:" + secret:           "the port after the host",
		"a:" + secret + "@h":            "a host name has no @",
		"a:" + secret:                   "the port after the host",
		"alice@old.example":             "a host name has no @",
		"imaps://@h":                    "the user before the @ is empty",
		"imaps://%zz@h":                 "no %-code",
		"imaps://a%0ab@h":               "control character",
		"imaps://h/INBOX":               "goes on after the host",
		"imaps://h?x=1":                 "goes on after the host",
		"imaps://":                      "no host name",
		"imaps://h:0":                   "the port after the host",
		"imaps://h:65536":               "the port after the host",
		"imaps://h:-1":                  "the port after the host",
		"imaps://h:":                    "the port after the host",
		"imaps://[::1":                  "in the brackets",
		"imaps://[h]:993":               "in the brackets",
		"imaps://[::1]993":              "in the brackets",
		"a b":                           "no host name",
		"a\nb":                          "no host name",
		"-h":                            "no host name",
		"a..b":                          "no host name",
		"postfach.müller.example":       "no host name",
	} {
		_, err := parseAddress("--source", in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", in, err, want)
			continue
		}
		line, hint := describe(err)
		if strings.Contains(line+hint, secret) {
			t.Errorf("%q: the message repeats the password: %s %s", in, line, hint)
		}
		if exitCode(err) != exitUsage {
			t.Errorf("%q: exit code %d", in, exitCode(err))
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"imaps://a@b@h:993", "[::1]:1", "imap://%41@h", "h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress("--source", s)
		if err != nil {
			return
		}
		if a.Host == "" || strings.ContainsAny(a.Host, " /@\r\n\x00") {
			t.Fatalf("%q gives the host %q", s, a.Host)
		}
		if strings.ContainsAny(a.User, "\r\n\x00") {
			t.Fatalf("%q gives the user %q", s, a.User)
		}
		if a.Port < 0 || a.Port > 65535 {
			t.Fatalf("%q gives port %d", s, a.Port)
		}
	})
}
