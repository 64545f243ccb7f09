package accounts

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// firstColumns are the columns of our own list that come first, in this order. Those of the mailboxes are always there.
func firstColumns() []string {
	return []string{"id", "group", "source", "source_user", "source_password", "target", "target_user", "target_password"}
}

// Write writes the rows as our own list, passwords included, with the separator and the byte order mark of the list that
// was read. Columns that mean nothing to us come last, as they came; those that may hold passwords stay out. Every row must be without
// problems.
func (l *List) Write(w io.Writer) error {
	out := l.cells(w, "\r\n")
	columns := l.columnsUsed()
	extra := slices.DeleteFunc(slices.Clone(l.unknown), func(i int) bool { return slices.Contains(l.SecretColumns, i) })
	for _, c := range columns {
		out.cell(c)
	}
	for _, i := range extra {
		out.cell(l.Header[i])
	}
	out.end()
	for _, row := range l.Rows {
		if len(row.Problems) > 0 {
			return fmt.Errorf("a row that cannot be used cannot be written: %w", row.Problems[0])
		}
		for _, c := range columns {
			out.cell(row.cell(c))
		}
		for _, i := range extra {
			if i < len(row.Cells) {
				out.cell(row.Cells[i])
			} else {
				out.cell("")
			}
		}
		out.end()
	}
	return out.w.Flush()
}

// cells begins a file with the separator of the list, and with its byte order mark. Where it was not UTF-8 there is a mark
// too: without one Excel reads UTF-8 as Windows-1252, and saves every umlaut as two other characters.
func (l *List) cells(w io.Writer, newline string) *cellWriter {
	delim := l.Delim
	if !slices.Contains(delimiters(), byte(delim)) {
		delim = ','
	}
	out := &cellWriter{w: bufio.NewWriter(w), delim: string(delim), newline: newline}
	if l.BOM || l.Encoding == windowsName || l.Encoding == utf16Name {
		out.w.WriteString("\ufeff")
	}
	return out
}

// columnsUsed are the columns that a row has something in.
func (l *List) columnsUsed() []string {
	used := make(map[string]bool)
	id, group, options := false, false, false
	for _, row := range l.Rows {
		id, group, options = id || row.ID != "", group || row.Group != "", options || len(row.Args) > 0
		for c := range row.Fields {
			used[c] = true
		}
	}
	var columns []string
	for _, c := range firstColumns() {
		delete(used, c)
		if c == "id" && !id || c == "group" && !group {
			continue
		}
		columns = append(columns, c)
	}
	columns = append(columns, sortedKeys(used)...)
	if options {
		columns = append(columns, optionsPart)
	}
	return columns
}

// cell is what stands in one of our columns. Passwords stand there as they are, everything else so that no spreadsheet
// runs it.
func (r Row) cell(column string) string {
	switch column {
	case "id":
		return Harmless(r.ID)
	case "group":
		return Harmless(r.Group)
	case optionsPart:
		return Harmless(JoinWords(r.Args))
	case "source_password", "target_password":
		return r.Secrets[column].Reveal()
	}
	return Harmless(r.Fields[column])
}

// formulas are what a spreadsheet takes for the beginning of a formula.
const formulas = "=+-@\t\r"

// Harmless puts an apostrophe before a cell that a spreadsheet would run as a formula. Reading takes it away again, in
// every column but those of passwords.
func Harmless(cell string) string {
	if rest := strings.TrimLeft(cell, "'"); rest != "" && strings.IndexByte(formulas, rest[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// plain takes the apostrophe away that Harmless has put there.
func plain(cell string) string {
	if rest := strings.TrimLeft(cell, "'"); len(rest) < len(cell) && rest != "" && strings.IndexByte(formulas, rest[0]) >= 0 {
		return cell[1:]
	}
	return cell
}

// cellWriter writes cells as RFC 4180 has it.
type cellWriter struct {
	w       *bufio.Writer // keeps its first error
	delim   string
	newline string
	begun   bool // a cell stands on the line
}

func (c *cellWriter) cell(s string) {
	if c.begun {
		c.w.WriteString(c.delim)
	}
	c.begun = true
	if !strings.ContainsAny(s, c.delim+"\"\r\n") && !strings.HasPrefix(s, "#") && strings.Trim(s, " \t") == s && !strings.HasPrefix(strings.ToLower(s), "sep=") {
		c.w.WriteString(s)
		return
	}
	c.w.WriteString(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}

func (c *cellWriter) end() {
	c.w.WriteString(c.newline)
	c.begun = false
}
