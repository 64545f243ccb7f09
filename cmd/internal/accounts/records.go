package accounts

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// record is a line, or what quotes make one of several lines.
type record struct {
	line    int // where it begins, from 1
	cells   []string
	comment bool // it begins with #, not in quotes
}

func (r record) empty() bool {
	for _, c := range r.cells {
		if strings.Trim(c, " \t") != "" {
			return false
		}
	}
	return true
}

// splitter cuts a text into records. With quotes it follows RFC 4180, and takes a quote that does not stand at the
// beginning of a cell as it is; without them every separator cuts, as in the shell loops around imapsync.
// encoding/csv is not used: it makes \n of \r\n in quotes, and a password would be another.
type splitter struct {
	text   string
	delim  byte
	quotes bool
	at     int
	line   int // of at, from 1
	start  int // where that line begins
	width  int // cells of the record before
}

func newSplitter(text string, delim byte, quotes bool) *splitter {
	return &splitter{text: text, delim: delim, quotes: quotes, line: 1}
}

// next gives the record that follows, false at the end.
func (s *splitter) next() (record, bool, *Error) {
	if s.at >= len(s.text) {
		return record{}, false, nil
	}
	rec := record{line: s.line, comment: s.text[s.at] == '#', cells: make([]string, 0, s.width)}
	for {
		cell, last, bad := s.cell(rec.comment)
		if bad != nil {
			return rec, false, bad
		}
		if rec.cells = append(rec.cells, cell); len(rec.cells) > maxRow {
			return rec, false, &Error{Line: rec.line, Text: "the line has more than " + itoa(maxRow) + " cells", Next: "that is no list of accounts"}
		}
		if last {
			s.width = len(rec.cells)
			return rec, true, nil
		}
	}
}

// cell gives the cell at at, and whether it is the last one of its record. In a comment quotes mean nothing.
func (s *splitter) cell(comment bool) (cell string, last bool, bad *Error) {
	if s.quotes && !comment && s.at < len(s.text) && s.text[s.at] == '"' {
		if cell, bad = s.quoted(); bad != nil {
			return "", false, bad
		}
		last, bad = s.afterQuote()
		return cell, last, bad
	}
	end := s.at
	for end < len(s.text) && s.text[end] != s.delim && s.text[end] != '\n' {
		end++
	}
	cell = s.text[s.at:end]
	if end < len(s.text) && s.text[end] == s.delim {
		s.at = end + 1
		return cell, false, nil
	}
	s.newLine(end)
	return strings.TrimSuffix(cell, "\r"), true, nil
}

// newLine goes behind the line end at end, or to the end of the text.
func (s *splitter) newLine(end int) {
	s.at = min(end+1, len(s.text))
	s.start = s.at
	s.line++
}

// quoted reads a cell in quotes, and goes behind the closing one.
func (s *splitter) quoted() (string, *Error) {
	open, line, start := s.at, s.line, s.start
	var b strings.Builder
	from := s.at + 1
	for {
		length := strings.IndexByte(s.text[from:min(len(s.text), open+maxCell)], '"')
		if length < 0 {
			return "", &Error{Line: line, Column: 1 + utf8.RuneCountInString(s.text[start:open]), Text: "the quote that begins here is not closed",
				Next: `a quote in a cell is written twice (""), in a cell that is in quotes`}
		}
		part := s.text[from : from+length]
		if breaks := strings.Count(part, "\n"); breaks > 0 {
			s.line += breaks
			s.start = from + strings.LastIndexByte(part, '\n') + 1
		}
		b.WriteString(part)
		s.at = from + length + 1
		if s.at >= len(s.text) || s.text[s.at] != '"' {
			return b.String(), nil
		}
		b.WriteByte('"')
		from = s.at + 1
		if from > open+maxCell {
			from = open + maxCell // the search above finds nothing
		}
	}
}

// afterQuote goes behind what must follow a closing quote: a separator, a line end or the end.
func (s *splitter) afterQuote() (last bool, bad *Error) {
	end := s.at
	if strings.HasPrefix(s.text[end:], "\r\n") || s.text[end:] == "\r" {
		end++
	}
	switch {
	case end >= len(s.text) || s.text[end] == '\n':
		s.newLine(end)
		return true, nil
	case s.text[end] == s.delim:
		s.at = end + 1
		return false, nil
	}
	return false, &Error{Line: s.line, Column: 1 + utf8.RuneCountInString(s.text[s.start:s.at]), Text: "there is something between a closing quote and the separator",
		Next: `a quote in a cell is written twice (""), in a cell that is in quotes`}
}

// delimiters are the separators that are found by themselves; the first is taken where two are as good.
func delimiters() []byte { return []byte{';', ',', '\t', '|'} }

// sepLine takes the line away by which Excel is told the separator (sep=;), and gives the separator, 0 for none. What is
// left keeps the line end, so that lines are counted as in the file.
func sepLine(text string) (rest string, delim byte, bad *Error) {
	line, after, _ := strings.Cut(text, "\n")
	word := strings.Trim(strings.TrimSuffix(line, "\r"), `"`)
	if len(word) < 4 || !strings.EqualFold(word[:4], "sep=") {
		return text, 0, nil
	}
	for _, d := range delimiters() {
		if word[4:] == string(rune(d)) {
			return "\n" + after, d, nil
		}
	}
	return "", 0, &Error{Line: 1, Text: "sep= names no separator", Next: fmt.Sprintf("a list has %s", delimNames())}
}

func delimNames() string { return "; , | or a tab between its cells" }

// heads gives the first lines that hold anything but comments, at most n, and the line number of the first.
func heads(text string, n int) (found []string, first int) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line[0] == '#' || strings.Trim(line, " \t\r\n") == "" {
			continue
		}
		if first == 0 {
			first = number
		}
		if found = append(found, line); len(found) == n {
			break
		}
	}
	return found, first
}
