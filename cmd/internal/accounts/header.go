package accounts

import (
	"slices"
	"strings"
	"unicode"

	"mailmove/cmd/internal/spelling"
)

// ours is the format whose columns are named as our flags are.
const ours = "mailmove"

// column is what a cell at its place means.
type column struct {
	heading string // as in the file, or our word where there is no header
	part    string // our word for it, "" for a column that means nothing to us
	secret  bool
	take    func(d *draft, heading, value string) // nil: it means nothing to us
}

// table is a list that is cut into records, with its columns.
type table struct {
	format     string
	delim      rune
	header     []string
	headerLine int
	sheet      bool // a spreadsheet may have written it
	columns    []column
	least      int                         // cells of a row at least
	outcome    int                         // with a header: the column that says how it went in a result, -1: there is none
	needed     int                         // with a header: cells up to the last column that means anything
	meaning    func(heading string) string // our word for a heading in its normal form
	next       func() (record, bool, *Error)
}

// width tells what is wrong with the number of cells of a record. Empty cells at the end are too many of nothing: a
// trailing separator, or a spreadsheet's.
func (t *table) width(rec record) *Problem {
	n := len(rec.cells)
	for n > len(t.columns) && strings.Trim(rec.cells[n-1], " \t") == "" {
		n--
	}
	p := &Problem{Line: rec.line}
	switch {
	case n > len(t.columns) && t.header == nil:
		p.Text, p.Hint = cellsText(n)+", at most "+itoa(len(t.columns))+" are known here", "a separator in a password needs a list with a header, and quotes: see docs/lists.md"
	case n > len(t.columns):
		p.Text, p.Hint = cellsText(n)+", the header has "+itoa(len(t.columns)), "is there a separator in a password? put such a cell in quotes"
	case n < t.least && t.header == nil:
		p.Text, p.Hint = cellsText(n)+", at least "+itoa(t.least)+" are needed here", ""
	case n < t.least && t.cutByExcel(rec.cells[:n]):
		return nil
	case n < t.least:
		p.Text, p.Hint = cellsText(n)+", the header has "+itoa(t.least), "leave a cell empty, but not out"
	default:
		return nil
	}
	return p
}

// cutByExcel: in sixteen rows whose last columns are all empty Excel writes no separators for them, as in a result where nothing went
// wrong. Only that is taken: where the outcome is not in its place, a separator is missing elsewhere and every cell is in doubt.
func (t *table) cutByExcel(cells []string) bool {
	switch {
	case t.needed == 0 || t.outcome < 0 || len(cells) < t.needed:
		return false
	case len(cells) <= t.outcome:
		return len(cells) == t.outcome
	}
	word := cells[t.outcome]
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") == ""
}

// masked are the cells of a row that is shifted, as far as no password can have slipped into them.
func (t *table) masked(cells []string) []string {
	first := slices.IndexFunc(t.columns, func(c column) bool { return c.secret })
	if first < 0 || first >= len(cells) {
		return cells
	}
	return append(slices.Clone(cells[:first]), takenOut)
}

// takenOut stands for a text that may hold a password where none belongs.
const takenOut = "…"

// tableOf finds out what a text is.
func tableOf(text string, known map[string]string) (*table, *Error) {
	if t, bad := tableOfJobs(text, known); t != nil || bad != nil {
		return t, bad
	}
	if isImapCopy(text) {
		return tableOfImapCopy(text)
	}
	text, sep, bad := sepLine(text)
	if bad != nil {
		return nil, bad
	}
	candidates := delimiters()
	if sep != 0 {
		candidates = []byte{sep}
	}
	lines, first := heads(text, 20)
	if len(lines) == 0 {
		return &table{format: ours, delim: rune(candidates[0]), next: func() (record, bool, *Error) { return record{}, false, nil }}, nil
	}
	if delim, score := bestHeader(lines[0], candidates, known); score > 0 && !hostsInPlace(lines[0], delim, known) {
		return headed(text, delim, known)
	}
	if t := headless(text, lines, candidates); t != nil {
		return t, nil
	}
	return nil, &Error{Line: first, Text: "it cannot be told which columns these are",
		Next: "begin with a line of column names such as source;source_user;source_password;target;target_user;target_password, see docs/lists.md"}
}

// hostsInPlace tells a row of imapsync's from headings: hosts stand where it has them. user1 and password1 beside them are names
// of accounts for a test.
func hostsInPlace(line string, delim byte, known map[string]string) bool {
	rec, _, _ := newSplitter(line, delim, false).next()
	host := func(cell string) bool {
		return strings.Contains(strings.Trim(cell, "."), ".") && !strings.ContainsAny(cell, " \t\"") && partOf(format{}, normal(cell), known) == ""
	}
	return len(rec.cells) >= 6 && host(rec.cells[0]) && host(rec.cells[3])
}

// bestHeader finds the separator by which most cells of a line are names of columns, and how many those are.
func bestHeader(line string, candidates []byte, known map[string]string) (delim byte, score int) {
	for _, d := range candidates {
		rec, _, bad := newSplitter(line, d, true).next()
		if bad != nil {
			continue
		}
		if n := headerScore(rec.cells, known); n > score {
			delim, score = d, n
		}
	}
	return delim, score
}

// headerScore is how many cells are names of columns, 0 where the cells are not a header: that wants two names and half of
// the cells, all that a format needs, or one name alone.
func headerScore(cells []string, known map[string]string) int {
	heads, filled := make(map[string]bool), 0
	for _, c := range cells {
		if n := normal(c); n != "" {
			heads[n] = true
			filled++
		}
	}
	f := formatOf(heads)
	score := 0
	for h := range heads {
		if partOf(f, h, known) != "" {
			score++
		}
	}
	if f.name != ours || score >= 2 && 2*score >= filled || score == 1 && filled == 1 {
		return score
	}
	return 0
}

// headed is a list with a header.
func headed(text string, delim byte, known map[string]string) (*table, *Error) {
	s := newSplitter(text, delim, true)
	for {
		rec, more, bad := s.next()
		switch {
		case bad != nil:
			return nil, bad
		case !more:
			return nil, &Error{Text: "there is no header"}
		case rec.empty() || rec.comment:
			continue
		}
		t := &table{delim: rune(delim), next: s.next, sheet: true}
		return t, t.setHeader(rec, known)
	}
}

// setHeader gives each heading its meaning.
func (t *table) setHeader(rec record, known map[string]string) *Error {
	t.header, t.headerLine = rec.cells, rec.line
	heads := make(map[string]bool)
	for _, c := range rec.cells {
		heads[normal(c)] = true
	}
	f := formatOf(heads)
	t.format = f.name
	t.meaning = func(heading string) string { return partOf(f, heading, known) }
	seen := make(map[string]string)
	t.outcome = slices.Index(rec.cells, ResultColumns()[0])
	for i, c := range rec.cells {
		part := t.meaning(normal(c))
		if part != "" && part != ignored {
			if other, twice := seen[part]; twice {
				return &Error{Line: rec.line, Text: "two columns mean " + part + ": " + shortened(other) + " and " + shortened(c), Next: "rename one of them"}
			}
			seen[part] = c
			t.needed = i + 1
		}
		if normal(c) != "" {
			t.least = i + 1
		}
		t.columns = append(t.columns, columnOf(c, part))
	}
	return nil
}

// shortened bounds what a text repeats of a file.
func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return `"` + s + `"`
}

// isHeader tells whether a row is the header once more, or another one for the same columns.
func (t *table) isHeader(cells []string) bool {
	if t.header == nil || len(cells) == 0 {
		return false
	}
	filled := 0
	for i, c := range cells {
		n := normal(c)
		switch {
		case strings.Trim(c, " \t") == "":
			continue
		case n == "" || i >= len(t.columns) || n != normal(t.columns[i].heading) && t.meaning(n) != t.columns[i].part:
			return false
		}
		filled++
	}
	return filled > 1 || filled == 1 && len(t.header) == 1
}

// normal is a heading without case, blanks, underscores and whatever else is no letter or digit.
func normal(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// names are the columns that have our own names, by their normal form.
func names(columns []string) map[string]string {
	known := make(map[string]string)
	for _, c := range columns {
		known[normal(c)] = c
	}
	for _, c := range []string{"id", "group", optionsPart, "source_password", "target_password"} {
		known[normal(c)] = c
	}
	for _, c := range ResultColumns() {
		known[normal(c)] = ignored
	}
	return known
}

// ResultColumns are what a result adds to a list: it can be read as a list again.
func ResultColumns() []string {
	return []string{"outcome", "exit_code", "messages", "bytes", "exceptions", "duration", "next_action"}
}

// partOf is our word for a heading, "" for one that means nothing to us.
func partOf(f format, heading string, known map[string]string) string {
	if heading == "" {
		return ""
	}
	if part := f.columns[heading]; part != "" {
		return part
	}
	if part := known[heading]; part != "" {
		return part
	}
	return alias(heading)
}

// looksSecret: a column of an unknown name that may hold passwords.
func looksSecret(heading string) bool {
	for _, word := range []string{"pass", "pwd", "kennwort", "passwort", "secret", "token", "parol", "пароль", "mdp", "contrase", "wachtwoord", "haslo", "hasło"} {
		if strings.Contains(heading, word) {
			return true
		}
	}
	return false
}

// unknownHint finds what an unknown heading was meant as.
func unknownHint(heads, columns []string) string {
	meant, names := make(map[string]string), []string(nil)
	for _, c := range append(slices.Clone(columns), "id", "group", optionsPart, "source_password", "target_password") {
		meant[normal(c)], names = c, append(names, normal(c))
	}
	for _, head := range heads {
		h := normal(head)
		if len(h) > 64 {
			continue // nobody meant a name of ours
		}
		if near := spelling.Nearest(h, names, 1+len(h)/4); near != "" {
			return "did you mean " + meant[near] + "?"
		}
		if looksSecret(h) {
			return "a column of passwords is called source_password or target_password"
		}
	}
	return "the columns are in docs/lists.md"
}

func cellsText(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return itoa(n) + " cells"
}
