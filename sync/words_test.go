package sync

import "testing"

func TestQuotedRune(t *testing.T) {
	for r, want := range map[rune]string{'\a': `"\x07"`, '\x1b': `"\x1b"`, 0x7f: `"\x7f"`, '\t': `"\t"`, 0x9b: `"\u{009b}"`, '/': `"/"`, '\u202e': `"\u202e"`} {
		if got := quotedRune(r); got != want {
			t.Errorf("%U: %s, want %s", r, got, want)
		}
	}
	if got := refusedText(map[rune]bool{'\a': true, 0: true, '%': true}); got != `"%" and "\x07" and an empty level are written _ there` {
		t.Error(got)
	}
	for n, want := range map[int]string{0: "0 mice", 1: "1 mouse", 2: "2 mice"} {
		if got := counted(n, "mouse", "mice"); got != want {
			t.Error(got)
		}
	}
}
