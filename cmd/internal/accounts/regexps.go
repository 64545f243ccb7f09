package accounts

import (
	"slices"
	"strings"
	"unicode"
)

// globsOf writes a Perl expression for folder names as globs, false where that cannot be done exactly. Known are
// alternatives, ^ and $, .* and ., escaped characters and (?i), which is written out as three spellings.
func globsOf(expression string) (globs []string, ok bool) {
	if strings.HasPrefix(expression, "(?:") && strings.HasSuffix(expression, ")") && strings.Count(expression, "(") == 1 {
		expression = expression[3 : len(expression)-1]
	}
	for part := range strings.SplitSeq(expression, "|") {
		if strings.HasSuffix(part, `\`) {
			return nil, false // the | was escaped
		}
		anyCase := false
		part, anyCase = strings.CutPrefix(part, "(?i)")
		glob, ok := globOf(part)
		if !ok {
			return nil, false
		}
		spellings := []string{glob}
		if anyCase {
			spellings = []string{strings.ToLower(glob), titled(glob), strings.ToUpper(glob)}
		}
		for _, s := range spellings {
			if !slices.Contains(globs, s) {
				globs = append(globs, s)
			}
		}
	}
	return globs, true
}

// globOf writes an expression without alternatives.
func globOf(part string) (string, bool) {
	part, anchored := strings.CutPrefix(part, "^")
	atEnd := strings.HasSuffix(part, "$") && !strings.HasSuffix(part, `\$`)
	if atEnd {
		part = part[:len(part)-1]
	}
	if part == "" {
		return "", false // everything, or nothing
	}
	var b strings.Builder
	if !anchored {
		b.WriteByte('*')
	}
	runes := []rune(part)
	for i := 0; i < len(runes); i++ {
		next := rune(0)
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		switch r := runes[i]; {
		case r == '.' && next == '*':
			b.WriteByte('*')
			i++
		case r == '.':
			b.WriteByte('?')
		case r == '\\' && next != 0 && !unicode.IsLetter(next) && !unicode.IsDigit(next):
			b.WriteString(escapeGlob(string(next)))
			i++
		case strings.ContainsRune(`\^$*+?()[]{}|`, r):
			return "", false
		default:
			b.WriteString(escapeGlob(string(r)))
		}
		if i+1 < len(runes) && strings.ContainsRune("*+?{", runes[i+1]) {
			return "", false // a repetition of what was written
		}
	}
	if !atEnd {
		b.WriteByte('*')
	}
	return b.String(), true
}

// escapeGlob takes the meaning of a glob's characters away.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// titled writes each word with a capital.
func titled(s string) string {
	begin := true
	return strings.Map(func(r rune) rune {
		was := begin
		begin = !unicode.IsLetter(r)
		if was {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}
