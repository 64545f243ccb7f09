package sync

import (
	"fmt"
	"strconv"
	"unicode"
)

// counted is "1 one" or "7 many", for notices.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// quotedRune shows a character as the command shows all names: what a terminal would act on as a number.
func quotedRune(r rune) string {
	switch {
	case r == '\t' || r == '\r' || r == '\n' || !unicode.IsControl(r):
		return strconv.Quote(string(r))
	case r < 0x80:
		return fmt.Sprintf(`"\x%02x"`, r)
	}
	return fmt.Sprintf(`"\u{%04x}"`, r)
}
