package cause

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine keeps an error's text on one line: quick_check and the file system give several.
func OneLine(err error) string {
	if err == nil {
		return "unknown"
	}
	return Printable(strings.Join(strings.Fields(err.Error()), " "))
}

// Printable quotes what could move a terminal's cursor, turn its text round or break a line: state folders have hostile
// names too.
func Printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.QuoteToASCII(s)
}
