// Package accounts reads a list of accounts.
package accounts

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailmove/imapx/auth"
)

// Options say how a list is read.
type Options struct {
	Encoding string
	Columns  []string
}

// Row is one account of a list.
type Row struct {
	Line     int
	ID       string
	Group    string
	Fields   map[string]string
	Secrets  map[string]auth.Secret
	Args     []string
	Cells    []string
	Problems []Problem
}

// Problem is what is wrong with a row or worth a look.
type Problem struct {
	Line   int
	Column string
	Text   string
	Hint   string
}

// List is a file as it was understood.
type List struct {
	Name          string
	Format        string
	Delim         rune
	BOM           bool
	Header        []string
	SecretColumns []int
	Rows          []Row
	Warnings      []Problem
}

// Read reads a list with a header.
func Read(r io.Reader, name string, o Options) (*List, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, bom := strings.CutPrefix(string(data), "\ufeff")
	l := &List{Name: name, Format: "mailmove", Delim: ',', BOM: bom}
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, ";") {
		l.Delim = ';'
	}
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.FieldsPerRecord = l.Delim, -1
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := c.FieldPos(0)
		if l.Header == nil {
			l.take(cells, o.Columns)
			continue
		}
		l.Rows = append(l.Rows, l.row(line, cells))
	}
}

func (l *List) take(header, columns []string) {
	l.Header = header
	for i, name := range header {
		if strings.HasSuffix(name, "_password") {
			l.SecretColumns = append(l.SecretColumns, i)
		} else if name != "id" && name != "group" && name != "options" && !slices.Contains(columns, name) {
			l.Warnings = append(l.Warnings, Problem{Line: 1, Column: name, Text: "unknown column"})
		}
	}
}

func (l *List) row(line int, cells []string) Row {
	r := Row{Line: line, Cells: cells, Fields: make(map[string]string), Secrets: make(map[string]auth.Secret)}
	for i, cell := range cells {
		if i >= len(l.Header) {
			r.Problems = append(r.Problems, Problem{Line: line, Text: "more cells than the header has"})
			break
		}
		switch name := l.Header[i]; {
		case cell == "":
		case name == "id":
			r.ID = cell
		case name == "group":
			r.Group = cell
		case name == "options":
			r.Args = strings.Fields(cell)
		case strings.HasSuffix(name, "_password"):
			r.Secrets[name] = auth.NewSecret(cell)
		default:
			r.Fields[name] = cell
		}
	}
	return r
}

// Check adds what is wrong with the rows beside each other.
func (l *List) Check(resolve func(Row) (sourceKey, targetKey string, err error)) {
	seen := make(map[string]int)
	for i := range l.Rows {
		r := &l.Rows[i]
		if len(r.Problems) > 0 {
			continue
		}
		_, target, err := resolve(*r)
		var hinted interface{ Hint() string }
		switch before, is := seen[target]; {
		case err != nil && errors.As(err, &hinted):
			r.Problems = append(r.Problems, Problem{Line: r.Line, Text: err.Error(), Hint: hinted.Hint()})
		case err != nil:
			r.Problems = append(r.Problems, Problem{Line: r.Line, Text: err.Error()})
		case is:
			r.Problems = append(r.Problems, Problem{Line: r.Line, Text: fmt.Sprintf("the same target as line %d", before)})
		default:
			seen[target] = r.Line
		}
	}
}

// Expand fills in a template.
func Expand(template, user, domain, id string) string {
	return strings.NewReplacer("{user}", user, "{domain}", domain, "{id}", id).Replace(template)
}
