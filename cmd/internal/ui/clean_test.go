package ui

import (
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Entwürfe & 下書き 🙂", "Entwürfe & 下書き 🙂"},
		{"a\r\nb\tc", `a\r\nb\tc`},
		{"\x1b[2Jred", `\x1b[2Jred`},
		{"bell\a del\x7f", `bell\x07 del\x7f`},
		{"c1 \u009b31m", `c1 \u{009b}31m`},
		{"turn \u202egnp.exe", `turn \u{202e}gnp.exe`},
		{"isolate \u2066x\u2069", `isolate \u{2066}x\u{2069}`},
		{"zero\u200bwidth", `zero\u{200b}width`},
		{"line\u2028end", `line\u{2028}end`},
		{"tag \U000E0041", `tag \u{e0041}`},
		{"hangul \u3164filler \uffa0", `hangul \u{3164}filler \u{ffa0}`},
		{"joiner a\u034fb braille \u2800", `joiner a\u{034f}b braille \u{2800}`},
		{"selector a\ufe00 \U000E0101", `selector a\u{fe00} \u{e0101}`},
		{"heart ❤️ and Zoë", "heart ❤️ and Zoë"},
		{"bom \ufeff soft\u00ad", `bom \u{feff} soft\u{00ad}`},
		{"bad \xff\xfe utf8", `bad \xff\xfe utf8`},
		{"real \ufffd stays", "real \ufffd stays"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b]0;title\a\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) is not UTF-8: %q", s, got)
		}
		for _, r := range got {
			if !isVisible(r) {
				t.Fatalf("Clean(%q) lets %U through", s, r)
			}
		}
		if again := Clean(got); len(got) < maxText && again != got {
			t.Fatalf("cleaning twice changes %q to %q", got, again)
		}
		if short := Short(got, 20); Width(short) > 20 {
			t.Fatalf("Short gives %d columns: %q", Width(short), short)
		}
	})
}

func TestShortKeepsWideLettersWhole(t *testing.T) {
	if got, want := Short("下書き下書き", 7), "下書き…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Short("INBOX", 5); got != "INBOX" {
		t.Errorf("text that fits was cut: %q", got)
	}
}
