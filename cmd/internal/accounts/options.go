package accounts

import (
	"errors"
	"strings"
)

const passwordHint = "a password belongs in its own column, source_password or target_password"

// options takes the row's own flags. What they mean is for whoever has flags.
func (d *draft) options(heading, v string) {
	words, err := splitWords(v)
	if d.withheld(heading, words) {
		return
	}
	if err != nil {
		d.problem(heading, err.Error(), `write --into "New Folder"`)
		return
	}
	for i, w := range words {
		if i == 0 && !strings.HasPrefix(w, "-") {
			d.problem(heading, "that is no option", "options begin with --, as on the command line")
			return
		}
	}
	d.row.Args = append(d.row.Args, words...)
}

// imapsyncWords takes a column of options of imapsync's.
func (d *draft) imapsyncWords(heading, v string) {
	words, err := splitWords(v)
	if d.withheld(heading, words) {
		return
	}
	if err != nil {
		d.problem(heading, err.Error(), "")
		return
	}
	d.translate(heading, words)
}

// mailcow takes a field that is an option of imapsync's: a switch, or one with a value. 0 and nothing mean none.
func (d *draft) mailcow(heading, option, v string) {
	on, isTruth := truth(v)
	switch rule := d.imapsync()[option]; {
	case v == "0" || isTruth && !on && !rule.value:
	case rule.value:
		d.translate(heading, []string{"--" + option, v})
	default:
		d.translate(heading, []string{"--" + option})
	}
}

// withheld refuses options that hold a password, and takes the cell out of what may be shown.
func (d *draft) withheld(heading string, words []string) bool {
	for _, w := range words {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(w, "-")), "=")
		if strings.Contains(w, "://") && hasPassword(w) {
			d.takeOut()
			d.problem(heading, "a password in a URL is refused", passwordHint+"; that of a proxy in the environment")
			return true
		}
		if w[:min(1, len(w))] != "-" || !looksSecret(name) && !strings.HasPrefix(name, "oauth") ||
			strings.HasSuffix(name, "-file") || strings.HasSuffix(name, "-command") || strings.HasPrefix(name, "passfile") {
			continue
		}
		d.takeOut()
		d.problem(heading, "a password among the options is refused", passwordHint)
		return true
	}
	return false
}

// takeOut keeps the cell at hand from being shown.
func (d *draft) takeOut() {
	d.row.Cells = append([]string(nil), d.row.Cells...)
	d.row.Cells[d.index] = takenOut
}

var errOpenQuote = errors.New("a quote is not closed")

// splitWords splits as a shell does: at blanks, but not in quotes; a backslash takes a character as it is, but not in
// single quotes. Nothing is expanded.
func splitWords(s string) (words []string, err error) {
	var (
		b      strings.Builder
		inside bool // of a word
		quote  byte
	)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			inside = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inside {
				words = append(words, b.String())
				b.Reset()
				inside = false
			}
		default:
			b.WriteByte(c)
			inside = true
		}
	}
	if inside {
		words = append(words, b.String())
	}
	if quote != 0 {
		err = errOpenQuote
	}
	return words, err
}

// JoinWords writes words so that splitWords gives them back.
func JoinWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\"'\\") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}
