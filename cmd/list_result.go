package cmd

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
)

// isResult tells a list that a run wrote: what a spreadsheet would have run was made harmless in it.
func isResult(l *accounts.List) bool { return slices.Contains(l.Header, accounts.ResultColumns()[0]) }

// formulas are the characters that make a spreadsheet run what follows.
const formulas = "=+-@\t\r"

// harmless makes a cell a text for a spreadsheet. A number stays one.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune(formulas, rune(cell[0])) {
		return cell
	}
	return "'" + cell
}

// typed is the cell as it was before.
func typed(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formulas, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}

// cells are the columns of an outcome.
func (o outcome) cells() []string {
	if o.word == "" {
		return make([]string, len(accounts.ResultColumns()))
	}
	next := o.next
	if o.text != "" {
		next = strings.TrimSuffix(o.text+"; "+next, "; ")
	}
	return []string{
		o.word, strconv.Itoa(o.code), strconv.FormatInt(o.copied, 10), strconv.FormatInt(o.bytes, 10),
		strconv.FormatInt(o.exceptions, 10), strconv.FormatFloat(o.took.Seconds(), 'f', 1, 64), ui.Clean(next),
	}
}

// write makes the files that a run leaves behind. A dry run leaves the figures of the last real one: an alarm hangs on them.
func (r *listRun) write() error {
	var err error
	if path := r.f.list.result; path != "" {
		var text []byte
		if text, err = r.result(); err == nil {
			err = writeWhole("--result", path, text)
		}
	}
	if path := r.f.list.metrics; path != "" && !r.f.dryRun {
		err = errors.Join(err, writeWhole("--metrics-file", path, r.figures()))
	}
	return err
}

// result is the list with what became of each row, in its own form: the same columns, separator and mark. A list without a
// header comes back with ours. Passwords are left out.
func (r *listRun) result() ([]byte, error) {
	var b bytes.Buffer
	if r.list.BOM {
		b.WriteString("\ufeff")
	}
	w := csv.NewWriter(&b)
	if r.list.Delim != 0 && r.list.Delim != ' ' {
		w.Comma = r.list.Delim
	}
	header, rows := r.asCame()
	if r.list.Header == nil {
		header, rows = r.asOurs()
	}
	all := [][]string{append(header, accounts.ResultColumns()...)}
	for i, cells := range rows {
		for j := range cells {
			cells[j] = harmless(cells[j])
		}
		for _, cell := range r.entries[i].outcome.cells() {
			cells = append(cells, harmless(cell))
		}
		all = append(all, cells)
	}
	err := w.WriteAll(all)
	return b.Bytes(), err
}

// asCame gives the cells as they were read, without passwords, and without an earlier result.
func (r *listRun) asCame() (header []string, rows [][]string) {
	var keep []int
	for i, name := range r.list.Header {
		if !slices.Contains(accounts.ResultColumns(), name) {
			keep, header = append(keep, i), append(header, name)
		}
	}
	for _, e := range r.entries {
		cells := make([]string, len(keep))
		for to, from := range keep {
			if from < len(e.row.Cells) && !slices.Contains(r.list.SecretColumns, from) {
				cells[to] = e.row.Cells[from]
				if r.again {
					cells[to] = typed(cells[to])
				}
			}
		}
		rows = append(rows, cells)
	}
	return header, rows
}

// asOurs gives the rows in our columns.
func (r *listRun) asOurs() (header []string, rows [][]string) {
	names := make(map[string]bool)
	for _, e := range r.entries {
		for name := range e.row.Fields {
			names[name] = true
		}
	}
	fields := slices.Sorted(maps.Keys(names))
	header = append([]string{"id", "group"}, fields...)
	for _, e := range r.entries {
		cells := []string{e.row.ID, e.row.Group}
		for _, name := range fields {
			cells = append(cells, e.row.Fields[name])
		}
		rows = append(rows, cells)
	}
	return header, rows
}

// folderHint says what to do about a file that cannot be made; usual is for any other reason than its folder.
func folderHint(err error, dir, usual string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the folder " + dir + " is not there: make it, or name another"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "this user may not write in the folder " + dir + ": name another, or run it as one who may"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "there is no room in the folder " + dir + ": make some, or name another"
	}
	return usual
}

// writeWhole puts a file in its place in one step: who reads it sees the old one or the new one. It is for its owner only,
// but where the one that was there was for others too.
func writeWhole(flag, path string, data []byte) (err error) {
	mode := os.FileMode(0o600)
	failed := func(err error) error {
		return &failure{code: exitOutput, err: err, what: fmt.Sprintf("%s %s: %v", flag, path, cause(err)),
			hint: folderHint(err, filepath.Dir(path), "the work is done and in the state; mailmove status shows it")}
	}
	place, err := placeOf(path)
	if err != nil {
		return failed(err)
	}
	if info, err := os.Stat(place); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+"-*")
	if err != nil {
		return failed(err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), place)
	}
	if err != nil {
		return failed(errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
