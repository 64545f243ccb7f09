package accounts

import (
	"io"
	"slices"
	"strings"
)

// WriteResult writes the rows as they came, with what more gives for each row's index behind it: a cell for each of
// ResultColumns. Passwords are left out, and so is an earlier result. A list without a header comes back with our columns.
// What is written can be read as a list again, and says the same but for the passwords.
func (l *List) WriteResult(w io.Writer, more func(row int) []string) error {
	header, cells := l.asCame()
	if l.Header == nil {
		header, cells = l.asOurs()
	}
	out := l.cells(w, "\n")
	for _, name := range append(header, ResultColumns()...) {
		out.cell(guarded(name))
	}
	out.end()
	for i := range l.Rows {
		for _, c := range cells(&l.Rows[i]) {
			out.cell(c)
		}
		for _, c := range more(i) {
			out.cell(guarded(c))
		}
		out.end()
	}
	return out.w.Flush()
}

// asCame gives the columns of the file, and the cells of a row in them.
func (l *List) asCame() (header []string, cells func(*Row) []string) {
	var keep []int
	for i, name := range l.Header {
		if !slices.Contains(ResultColumns(), name) {
			keep, header = append(keep, i), append(header, name)
		}
	}
	return header, func(r *Row) []string {
		out := make([]string, len(keep))
		for to, from := range keep {
			if from < len(r.Cells) && !slices.Contains(l.SecretColumns, from) {
				out[to] = l.safe(r.Cells[from], slices.Contains(l.unknown, from))
			}
		}
		return out
	}
}

// safe is a cell that no spreadsheet runs. What it says is the same when it is read again; that of a column which means
// nothing to us stays as it came.
func (l *List) safe(cell string, unknown bool) string {
	if unknown {
		return guarded(cell)
	}
	cell = strings.Trim(cell, " \t")
	if l.sheet {
		cell = plain(cell)
	}
	return Harmless(cell)
}

// asOurs gives our columns, and the cells of a row in them.
func (l *List) asOurs() (header []string, cells func(*Row) []string) {
	used, options := make(map[string]bool), false
	for _, r := range l.Rows {
		options = options || len(r.Args) > 0
		for name := range r.Fields {
			used[name] = true
		}
	}
	header = append([]string{"id", "group"}, sortedKeys(used)...)
	if options {
		header = append(header, optionsPart)
	}
	return header, func(r *Row) (out []string) {
		for _, name := range header {
			out = append(out, r.cell(name))
		}
		return out
	}
}

// guarded is a cell of which nothing is read again, or which has its apostrophe already.
func guarded(cell string) string {
	if cell == "" || strings.IndexByte(formulas, cell[0]) < 0 {
		return cell
	}
	return "'" + cell
}
