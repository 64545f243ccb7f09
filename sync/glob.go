package sync

import (
	"errors"
	"regexp"
	"strings"
)

// globToRegexp makes a regular expression of a glob: `*` is any text, separators included, `?` one character, and a
// backslash takes the meaning of either away. The whole name has to match, in its case; only INBOX at the beginning
// is the same in any case (RFC 9051 section 5.1).
func globToRegexp(glob string) (*regexp.Regexp, error) {
	if glob == "" {
		return nil, errors.New("it is empty")
	}
	glob = upperInbox(glob)
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	escaped := false
	for _, r := range glob {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '*':
			b.WriteString(`.*`)
		case r == '?':
			b.WriteString(`.`)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		return nil, errors.New(`it ends with a backslash, which stands before a character`)
	}
	b.WriteString(`\z`)
	return regexp.Compile(b.String())
}

// literalOf is the text of a glob before its first wildcard.
func literalOf(glob string) string {
	var b strings.Builder
	escaped := false
	for _, r := range upperInbox(glob) {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
			continue
		case r == '*' || r == '?':
			return b.String()
		}
		b.WriteRune(r)
	}
	return b.String()
}

// upperInbox writes INBOX at the beginning of a name in capitals. What follows it, if anything, is no letter or digit:
// a separator, or a wildcard.
func upperInbox(name string) string {
	const inbox = "INBOX"
	if len(name) < len(inbox) || !strings.EqualFold(name[:len(inbox)], inbox) {
		return name
	}
	if rest := name[len(inbox):]; rest == "" || strings.ContainsRune(`/.\*?^|`, rune(rest[0])) {
		return inbox + rest
	}
	return name
}
