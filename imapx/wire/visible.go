package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible makes s fit for a terminal, a log or an error: control and format characters and bytes that are no
// UTF-8 become \xNN or \u escapes, and it is cut after limit bytes of s.
func Visible(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < 0x80 && unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}
