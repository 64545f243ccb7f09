package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxText bounds what one foreign text may take of a screen or a cron mail, in bytes.
const maxText = 2000

// Clean makes foreign text safe to print on one line: control characters, line ends, bidirectional and other
// invisible characters and bytes that are not UTF-8 are shown as escapes. Letters of all scripts stay.
func Clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	if isClean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case isVisible(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%04x}`, r)
		}
		i += size
	}
	return b.String()
}

func isClean(s string) bool {
	for i, r := range s {
		if !isVisible(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}

// isVisible reports whether a character shows itself and nothing more. Format characters (Cf: bidirectional
// controls, zero-width ones) and separators other than the blank do not; nor do some letters and marks that are blank, by
// which two names look the same. The two that choose how an emoji is drawn are in too many names.
func isVisible(r rune) bool {
	const (
		brailleBlank = '\u2800'
		asText       = '\ufe0e'
		asEmoji      = '\ufe0f'
	)
	switch {
	case r < 0x80:
		return r >= ' ' && r < 0x7f
	case r == asText || r == asEmoji:
		return true
	case r == brailleBlank:
		return false
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Width counts the columns that clean text takes on a terminal; wide letters take two.
func Width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return uniseg.StringWidth(s)
		}
	}
	return len(s) // a column for each letter of ASCII; a list may have a million lines
}

// Short cuts clean text to at most columns, with an ellipsis where something is left out.
func Short(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	var b strings.Builder
	used, rest, state := 0, s, -1
	for len(rest) > 0 {
		var cluster string
		var width int
		cluster, rest, width, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+width > columns-1 {
			break
		}
		b.WriteString(cluster)
		used += width
	}
	return b.String() + "…"
}
