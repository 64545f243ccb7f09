package accounts

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mailmove/imapx/auth"
)

// Bounds of a list. A million rows take about 2 GB of memory.
const (
	maxFile = 256 << 20 // bytes
	maxRows = 2_000_000
	maxRow  = 1000     // cells
	maxCell = 64 << 10 // bytes in quotes: a quote that stays open longer was not meant as one
)

// Options say how a list is to be read.
type Options struct {
	Encoding string   // "": found; "utf-8", "utf-16", "windows-1252"
	Columns  []string // the columns that are known: names of flags with _ for -
}

// Encodings are the values of Options.Encoding.
func Encodings() []string { return []string{utf8Name, utf16Name, windowsName} }

// Row is one account of a list.
type Row struct {
	Line     int                    // where it begins, from 1
	ID       string                 // as given, or ""
	Group    string                 // as given, or ""
	Fields   map[string]string      // column, in our words, to value; no passwords
	Secrets  map[string]auth.Secret // "source_password", "target_password", where they are given
	Args     []string               // the column "options" as words, in our flags
	Cells    []string               // the row as it came; passwords that are where they do not belong are taken out
	Problems []Problem              // not empty: the row cannot be used
}

// Problem is something wrong with a row or a list. Text and Hint hold no password.
type Problem struct {
	Line   int
	Column string // heading, or ""
	Text   string
	Hint   string
}

// Error says where and what.
func (p Problem) Error() string {
	where := ""
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: ", p.Line)
	}
	if p.Column != "" {
		where += "column " + p.Column + ": "
	}
	return where + p.Text
}

// List is what was read.
type List struct {
	Name          string
	Format        string // whose list it is: "mailmove", "imapsync", …
	Encoding      string // one of Encodings
	Delim         rune   // between cells
	BOM           bool   // the file began with a byte order mark
	Header        []string
	SecretColumns []int // indexes into Cells that must never be printed
	Rows          []Row
	Warnings      []Problem // what may be a mistake
	Notes         []Problem // what is good to know when a list is looked at
	unknown       []int     // columns that mean nothing to us
	sheet         bool      // a spreadsheet may have written it
}

// Error is a file that cannot be read as a whole.
type Error struct {
	Name   string
	Line   int // 0: no line in particular
	Column int // in characters, from 1; 0: none
	Text   string
	Next   string // what to do
	Err    error
}

func (e *Error) Error() string {
	where := e.Name
	if e.Line > 0 {
		where += fmt.Sprintf(":%d", e.Line)
	}
	if e.Column > 0 {
		where += fmt.Sprintf(":%d", e.Column)
	}
	return where + ": " + e.Text
}

func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do next.
func (e *Error) Hint() string { return e.Next }

// Read reads a whole list. Rows that cannot be used are among them, with their Problems; an error is an *Error and means
// that the file as a whole cannot be read. What is wrong between rows is found by Check.
func Read(r io.Reader, name string, o Options) (*List, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, &Error{Name: name, Text: reason(err).Error(), Err: err}
	case len(data) > maxFile:
		return nil, &Error{Name: name, Text: fmt.Sprintf("it is larger than %d MiB", maxFile>>20), Next: "cut it into several lists"}
	}
	l := &List{Name: name}
	text, bad := l.decode(data, o.Encoding)
	if bad == nil {
		bad = l.parse(text, o)
	}
	if bad == nil && len(l.Rows) == 0 {
		bad = &Error{Text: "there is no account in it", Next: "a list has a line of column names and a line for each account, see docs/lists.md"}
	}
	if bad != nil {
		bad.Name = name
		return nil, bad
	}
	return l, nil
}

// reason is what the system said, without the call and the path.
func reason(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err
		}
		err = inner.Unwrap()
	}
}

// parse makes rows of a text.
func (l *List) parse(text string, o Options) *Error {
	t, bad := tableOf(text, names(o.Columns))
	if bad != nil {
		return bad
	}
	l.Format, l.Delim, l.Header, l.sheet = t.format, t.delim, t.header, t.sheet
	for i, c := range t.columns {
		if c.secret {
			l.SecretColumns = append(l.SecretColumns, i)
		}
		if c.part == "" && normal(c.heading) != "" && t.header != nil {
			l.unknown = append(l.unknown, i)
		}
	}
	m := &maker{list: l, table: t}
	l.Rows = make([]Row, 0, min(1+strings.Count(text, "\n"), maxRows))
	for {
		rec, more, bad := t.next()
		switch {
		case bad != nil:
			return bad
		case !more:
			m.tell(o)
			return nil
		case len(l.Rows) == maxRows:
			return &Error{Line: rec.line, Text: fmt.Sprintf("a list has at most %d accounts", maxRows), Next: "cut it into several lists"}
		}
		m.add(rec)
	}
}

// maker makes rows of records, and remembers what concerns the list.
type maker struct {
	list     *List
	table    *table
	clear    lines // where a foreign list asks for no TLS
	comments lines // # before what may be a row
	marks    lines // combining marks in passwords
	blanks   lines // blanks at the ends of passwords
	unneeded map[string]*lines
	rules    map[string]imapsyncRule
}

// add makes a row of a record, if it holds anything.
func (m *maker) add(rec record) {
	switch {
	case rec.empty():
		return
	case rec.comment && !m.firstIsSecret():
		if m.table.header != nil && len(rec.cells) == len(m.table.header) {
			m.comments.add(rec.line)
		}
		return
	}
	row := Row{Line: rec.line, Cells: rec.cells, Fields: make(map[string]string, 8)}
	if bad := m.table.width(rec); bad != nil {
		row.Problems = append(row.Problems, *bad)
		row.Cells = m.table.masked(rec.cells)
	} else {
		m.fill(&row)
	}
	m.list.Rows = append(m.list.Rows, row)
}

// firstIsSecret: a row that begins with a password may begin with #.
func (m *maker) firstIsSecret() bool { return len(m.table.columns) > 0 && m.table.columns[0].secret }

// tell adds what concerns the list as a whole.
func (m *maker) tell(o Options) {
	l := m.list
	if len(l.unknown) > 0 {
		var heads []string
		for _, i := range l.unknown {
			heads = append(heads, l.Header[i])
		}
		p := Problem{Line: m.table.headerLine, Column: strings.Join(heads, ", "), Text: "unknown, and kept as it is", Hint: unknownHint(heads, o.Columns)}
		if l.Format == ours {
			l.Warnings = append(l.Warnings, p)
		} else {
			l.Notes = append(l.Notes, p)
		}
	}
	warn := func(to *[]Problem, at lines, text, hint string) {
		if at.count > 0 {
			*to = append(*to, Problem{Text: at.String() + ": " + text, Hint: hint})
		}
	}
	warn(&l.Warnings, m.clear, "the list asks for a connection without TLS, which shows the password to everyone on the way",
		"write starttls or implicit there")
	warn(&l.Warnings, m.comments, "left out, for it begins with # and looks like a row", "put the cell in quotes if it is one")
	warn(&l.Notes, m.marks, "the password has letters with a mark of their own (NFD, as macOS writes them); it is used as it is", "")
	warn(&l.Notes, m.blanks, "the password begins or ends with a blank; it is used as it is", "")
	for _, option := range sortedKeys(m.unneeded) {
		warn(&l.Notes, *m.unneeded[option], "imapsync's "+option+" has no counterpart here, or is what mailmove does anyway", "")
	}
}

// unneededOption remembers an option that was left out.
func (m *maker) unneededOption(name string, line int) {
	if m.unneeded == nil {
		m.unneeded = make(map[string]*lines)
	}
	if m.unneeded[name] == nil {
		m.unneeded[name] = &lines{}
	}
	m.unneeded[name].add(line)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// mostLines is how many lines a text names.
const mostLines = 20

// lines collects line numbers for a text, each once.
type lines struct {
	named []int
	count int
	last  int
}

func (l *lines) add(line int) {
	if line == l.last {
		return
	}
	l.last = line
	l.count++
	if len(l.named) < mostLines {
		l.named = append(l.named, line)
	}
}

func (l *lines) first() int {
	if len(l.named) == 0 {
		return 0
	}
	return l.named[0]
}

func (l *lines) String() string {
	var b strings.Builder
	if l.count == 1 {
		b.WriteString("line ")
	} else {
		b.WriteString("lines ")
	}
	for i, n := range l.named {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if more := l.count - len(l.named); more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
