package ui

import (
	"strings"
	"testing"

	mailsync "mailmove/sync"
)

func TestPaint(t *testing.T) {
	for _, c := range []struct {
		text    string
		allowed bool
		want    string
	}{
		{"one\n  two\n", true, "\x1b[31mone\x1b[0m\n\x1b[31m  two\x1b[0m\n"},
		{"no end", true, "\x1b[31mno end\x1b[0m"},
		{"", true, ""},
		{"one\n", false, "one\n"},
	} {
		if got := Paint(Red, c.text, c.allowed); got != c.want {
			t.Errorf("%q: %q", c.text, got)
		}
	}
}

// Problems are yellow, notices and results are not, and nothing is without Colour or elsewhere than on a terminal.
func TestProblemsAreYellow(t *testing.T) {
	for _, c := range []struct {
		mode   Mode
		colour bool
		want   int
	}{{Terminal, true, 3}, {Terminal, false, 0}, {Plain, true, 0}, {JSON, true, 0}, {Quiet, true, 0}} {
		out, problems := play(Options{Mode: c.mode, Colour: c.colour}, aPass()...)
		if strings.Contains(out, string(Yellow)) || strings.Count(problems, string(Yellow)) != c.want {
			t.Errorf("mode %d, colour %v: %q", c.mode, c.colour, problems)
		}
		_, notice := play(Options{Mode: c.mode, Colour: c.colour}, mailsync.Notice{Account: account, Text: "x"})
		if strings.Contains(notice, string(Yellow)) {
			t.Errorf("mode %d: %q", c.mode, notice)
		}
		_, idle := play(Options{Mode: c.mode, Colour: c.colour}, mailsync.Notice{Account: account, Text: "x", Rule: "--map x=y"})
		if c.mode != Quiet && c.mode != JSON && !strings.Contains(idle, "warning: x") || strings.Contains(idle, string(Yellow)) != (c.want > 0) {
			t.Errorf("mode %d, colour %v: a rule that matches nothing: %q", c.mode, c.colour, idle)
		}
	}
}
