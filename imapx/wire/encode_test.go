package wire

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

func TestUTF7(t *testing.T) {
	for name, raw := range map[string]string{
		"":               "",
		"INBOX":          "INBOX",
		"Entwürfe":       "Entw&APw-rfe",
		"R&D":            "R&-D",
		"&&":             "&-&-",
		"日本語":            "&ZeVnLIqe-",
		"a日b":            "a&ZeU-b",
		"😀":              "&2D3eAA-",
		"tab\tx":         "tab&AAk-x",
		"~peter/mail/台北": "~peter/mail/&U,BTFw-",
	} {
		if got := EncodeUTF7(name); got != raw {
			t.Errorf("encode %q: %q, want %q", name, got, raw)
		}
		if got, err := DecodeUTF7(raw); err != nil || got != name {
			t.Errorf("decode %q: %q %v", raw, got, err)
		}
	}
	for _, raw := range []string{"R&D", "&", "&ZeV", "&Ze!-", "&Z-", "&2D0-", "&3gA-", "Entw\xc3\xbcrfe", "a\x00b", "&AP\r\nw-", "&ZeVn-"} {
		if got, err := DecodeUTF7(raw); err == nil {
			t.Errorf("%q decodes to %q", raw, got)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"Entwürfe", "R&D", "&ZeVnLIqe-", "&-", "😀&", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) {
			if got, err := DecodeUTF7(EncodeUTF7(s)); err != nil || got != s {
				t.Fatalf("%q comes back as %q, %v", s, got, err)
			}
		}
		if name, err := DecodeUTF7(s); err == nil && !utf8.ValidString(name) {
			t.Fatalf("%q decodes to bytes that are no UTF-8", s)
		}
	})
}

func TestDates(t *testing.T) {
	for in, want := range map[string]string{
		"17-Jul-1996 02:44:25 -0700": "1996-07-17T02:44:25-07:00",
		" 7-jul-1996 02:44:25 +0000": "1996-07-07T02:44:25Z",
		"7-Jul-1996 02:44:25 +0130":  "1996-07-07T02:44:25+01:30",
		"07-Jul-1996 02:44:25 +0130": "1996-07-07T02:44:25+01:30",
	} {
		if got, err := ParseDate(in); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"", "NIL", "31-Feb-2020 00:00:00 +0000", "1-Jan-2020", "1-Jan-2020 25:00:00 +0000"} {
		if got, err := ParseDate(in); err == nil {
			t.Errorf("%q is %v", in, got)
		}
	}
	for _, c := range []struct {
		t    time.Time
		want string // "": an error
	}{
		{time.Date(2020, 2, 3, 4, 5, 6, 7, time.UTC), " 3-Feb-2020 04:05:06 +0000"},
		{time.Date(1995, 12, 31, 23, 0, 0, 0, time.FixedZone("x", -8*3600)), "31-Dec-1995 23:00:00 -0800"},
		{time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 90*3600)), "28-Dec-2019 06:00:00 +0000"},
		{time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 1)), "31-Dec-2019 23:59:59 +0000"},
		{time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), ""},
	} {
		got, err := FormatDate(c.t)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%v: %q %v", c.t, got, err)
		}
	}
}

func FuzzDate(f *testing.F) {
	f.Add(int64(0), 0)
	f.Add(int64(1700000000), -8*3600)
	f.Fuzz(func(t *testing.T, sec int64, zone int) {
		in := time.Unix(sec, 0).In(time.FixedZone("x", zone))
		s, err := FormatDate(in)
		if err != nil {
			return
		}
		if len(s) != 26 || strings.ContainsAny(s, "\"\r\n{}()") {
			t.Fatalf("%v becomes %q", in, s)
		}
		if out, err := ParseDate(s); err != nil || !out.Equal(in) {
			t.Fatalf("%v becomes %q becomes %v %v", in, s, out, err)
		}
	})
}

func TestFlags(t *testing.T) {
	for f, ok := range map[imap.Flag]bool{
		`\Seen`: true, "$Forwarded": true, "Junk": true, "a[b": true, "x+y/z.1": true, `\Foo`: true,
		"": false, `\`: false, `\*`: false, "*": false, "a b": false, "a]b": false, "ä": false, "a\x00": false, "a\r\nx": false,
		"(": false, ")": false, "{": false, "%": false, `"`: false, `a\b`: false, `\\Seen`: false, "\x7f": false,
		imap.Flag(strings.Repeat("k", 256)): false,
	} {
		if err := CheckFlag(f); (err == nil) != ok {
			t.Errorf("%q: %v", f, err)
		}
	}
}

// FuzzFlag: a flag that passes has no byte that could end it.
func FuzzFlag(f *testing.F) {
	for _, s := range []string{`\Seen`, "a]b", "x\r\ny"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckFlag(imap.Flag(s)) != nil {
			return
		}
		for i := 0; i < len(s); i++ {
			if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"]`, c) >= 0 || c == '\\' && i > 0 {
				t.Fatalf("%q passes", s)
			}
		}
	})
}

type secret string

func (s secret) Reveal() string { return string(s) }

func join(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.Write(p.Bytes)
		if p.Wait {
			b.WriteString("<wait>")
		}
	}
	return b.String()
}

func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		cmd         *Command
		sent, trace string
	}{
		"plain":         {NewCommand("a", "NOOP"), "a NOOP\r\n", "a NOOP"},
		"mailbox":       {NewCommand("a", "EXAMINE").Mailbox(`x "y\`), "a EXAMINE \"x \\\"y\\\\\"\r\n", `a EXAMINE "x \"y\\"`},
		"8-bit mailbox": {NewCommand("a", "STATUS").Mailbox("\xe4").Raw(" (X)"), "a STATUS {1}\r\n<wait>\xe4 (X)\r\n", "a STATUS {1} (X)"},
		"login": {NewCommand("a", "LOGIN").Secret(secret("u")).Secret(secret(`p"w`)), "a LOGIN \"u\" \"p\\\"w\"\r\n",
			"a LOGIN [secret] [secret]"},
		"long secret": {NewCommand("a", "LOGIN").Secret(secret("pä")), "a LOGIN {3}\r\n<wait>pä\r\n", "a LOGIN {3}"},
		"line secret": {NewCommand("a", "LOGIN").Secret(secret("p\r\nx")), "a LOGIN {4}\r\n<wait>p\r\nx\r\n", "a LOGIN {4}"},
		"raw secret":  {NewCommand("a", "AUTHENTICATE PLAIN").RawSecret(secret("AGE=")), "a AUTHENTICATE PLAIN AGE=\r\n", "a AUTHENTICATE PLAIN [secret]"},
	} {
		parts, err := c.cmd.Parts()
		if got := join(parts); err != nil || got != c.sent || c.cmd.Trace() != c.trace {
			t.Errorf("%s: %q, trace %q, %v", name, got, c.cmd.Trace(), err)
		}
	}
	for name, cmd := range map[string]*Command{
		"line break":      NewCommand("a", "X").Raw("\r\n"),
		"mailbox LF":      NewCommand("a", "X").Mailbox("a\nb"),
		"mailbox NUL":     NewCommand("a", "X").Mailbox("a\x00"),
		"secret NUL":      NewCommand("a", "X").Secret(secret("\x00")),
		"raw secret line": NewCommand("a", "X").RawSecret(secret("a\r\nb")),
	} {
		if parts, err := cmd.Parts(); err == nil {
			t.Errorf("%s: %q may be sent", name, join(parts))
		}
	}
}

// FuzzMailbox: no folder name makes more than one line, unless it waits.
func FuzzMailbox(f *testing.F) {
	for _, s := range []string{"a", "a\"b", "a\r\nb", "\\", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, err := NewCommand("a", "EXAMINE").Mailbox(s).Parts()
		if err != nil {
			return
		}
		for i, p := range parts {
			line := strings.TrimSuffix(string(p.Bytes), "\r\n")
			if strings.ContainsAny(line, "\r\n\x00") || p.Wait != (i < len(parts)-1) {
				t.Fatalf("%q is sent as %q", s, join(parts))
			}
		}
	})
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü": "plain ü", "\x1b[2J": `\x1b[2J`, "\xff": `\xff`, "a\r\nb": `a\x0d\x0ab`, "\u202e": `\u202e`, "\u0085": `\u0085`, strings.Repeat("x", 60): strings.Repeat("x", 50) + "…",
	} {
		if got := Visible(in, 50); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
