package sync

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"mailmove/imapx"
)

// What servers refuse in a new folder's name is replaced before anything moves. A name that is there already is taken
// as it is.

// Names that a target takes, tried on Dovecot 2.3: a level has 255 bytes at most, on the wire and in UTF-8; with the
// separator "." (Maildir++, Courier's and Dovecot's) the whole name below the prefix is one folder on disk, behind a
// dot.
const (
	mostLevel   = 255
	mostMaildir = 254
)

// splits reports that a part of a path would be taken for two.
func (m *mapper) splits(path []string) bool {
	return slices.ContainsFunc(path, func(p string) bool { return p == "" || strings.Contains(p, m.delim()) })
}

// cleaned replaces what servers refuse in a new name: the separator; wildcards (RFC 9051 section 5.1); control
// characters, a "~" at the beginning, empty parts, "." and ".." (Dovecot); "/" where the separator is "." (Maildir++).
func (m *mapper) cleaned(path []string) ([]string, string) {
	refused := make(map[rune]bool)
	out := make([]string, len(path))
	for i, part := range path {
		b := []rune(part)
		for k, r := range b {
			bad := strings.ContainsRune(m.delim(), r) || r == '%' || r == '*' || r == utf8.RuneError || unicode.IsControl(r) ||
				m.to.Delim == "." && r == '/' || r == '~' && i == 0 && k == 0
			if bad {
				refused[r], b[k] = true, '_'
			}
		}
		out[i] = string(b)
		if strings.Trim(out[i], ".") == "" && len(out[i]) < 3 { // "", ".", ".."
			out[i] = strings.Repeat("_", max(1, len(out[i])))
			if part == "" {
				refused[0] = true
			} else {
				refused['.'] = true
			}
		}
	}
	trouble := refusedText(refused)
	short := m.shortened(out)
	if pathKey(short) != pathKey(out) {
		trouble = strings.TrimPrefix(trouble+"; too long for the target: shortened", "; ")
	}
	return short, trouble
}

func refusedText(refused map[rune]bool) string {
	var list []string
	for r := range refused {
		if r == 0 {
			list = append(list, "an empty level")
			continue
		}
		list = append(list, quotedRune(r))
	}
	if len(list) == 0 {
		return ""
	}
	slices.Sort(list)
	verb := " is"
	if len(list) > 1 {
		verb = " are"
	}
	return strings.Join(list, " and ") + verb + " written _ there"
}

// shortened cuts levels that are too long, and the longest ones until the whole fits. What was cut is told apart by a
// digest of the whole level, so that the name is the same in each pass.
func (m *mapper) shortened(path []string) []string {
	out := slices.Clone(path)
	for i, p := range out {
		out[i] = cut(p, mostLevel)
	}
	if m.to.Delim != "." {
		return out
	}
	const least = 16
	for wireLength(out) > mostMaildir {
		longest := 0
		for i, p := range out {
			if levelLength(p) > levelLength(out[longest]) {
				longest = i
			}
		}
		room := max(least, levelLength(out[longest])-(wireLength(out)-mostMaildir))
		next := cut(path[longest], room)
		if levelLength(out[longest]) <= least || next == out[longest] { // many levels: the deepest become one
			last := len(out) - 2
			out[last] = cut(pathName(path[last:], "_"), least)
			out = out[:last+1]
			path = append(slices.Clone(path[:last]), pathName(path[last:], "_"))
			continue
		}
		out[longest] = next
	}
	return out
}

// levelLength is a name's length in bytes: the longer of what goes over the wire and UTF-8.
func levelLength(s string) int { return max(len(imapx.EncodeName(s)), len(s)) }

func wireLength(path []string) int {
	n := len(path) - 1
	for _, p := range path {
		n += levelLength(p)
	}
	return n
}

// cut shortens a name to at most most bytes, with a digest at the end.
func cut(s string, most int) string {
	if levelLength(s) <= most {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	mark := "~" + hex.EncodeToString(sum[:4])
	r := []rune(s)
	over := sort.Search(len(r), func(n int) bool { return levelLength(string(r[:n+1])+mark) > most }) // the first rune too much
	return strings.TrimRight(string(r[:over]), " ") + mark
}
