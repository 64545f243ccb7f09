package coexist

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table is a map as a text: lines by key, each with its indent.
type Table map[string]string

// ErrForeign is a text that this package has not made: it may hold anything, and is not to be overwritten.
var ErrForeign = errors.New("it was not made by mailmove export")

// mark begins every text.
func (f Format) mark() string {
	return "# mailmove export " + f.Name + ": replaced by every run, not to be edited"
}

// Text is the whole map. Equal tables give equal texts.
func (f Format) Text(t Table) []byte {
	var b bytes.Buffer
	for _, line := range append([]string{f.mark()}, f.head...) {
		b.WriteString(line + "\n")
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		b.WriteString(f.indent + t[key] + "\n")
	}
	for _, line := range f.tail {
		b.WriteString(line + "\n")
	}
	return b.Bytes()
}

// Parse reads what Text made. An empty text is an empty table; any other is ErrForeign.
func (f Format) Parse(text []byte) (Table, error) {
	t := make(Table)
	if len(text) == 0 {
		return t, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	frame := append([]string{f.mark()}, f.head...)
	if len(lines) < len(frame)+len(f.tail) || !slices.Equal(lines[:len(frame)], frame) ||
		!slices.Equal(lines[len(lines)-len(f.tail):], f.tail) {
		return nil, ErrForeign
	}
	for i, line := range lines[len(frame) : len(lines)-len(f.tail)] {
		line = strings.TrimPrefix(line, f.indent)
		key, is := f.key(line)
		if _, twice := t[key]; !is || twice {
			return nil, fmt.Errorf("%w: line %d was changed by hand", ErrForeign, len(frame)+i+1)
		}
		t[key] = line
	}
	return t, nil
}

// Add puts an entry in. Two accounts may share a key only where they lead to the same place.
func (f Format) Add(t Table, e Entry) error {
	line, err := f.Line(e)
	if err != nil {
		return err
	}
	key, _ := f.key(line)
	if before, there := t[key]; there && before != line {
		return fmt.Errorf("another account has the name %s, and leads elsewhere", key)
	}
	t[key] = line
	return nil
}

// Change is an entry that differs between two tables. One that is new has no Before, one that goes has no After.
type Change struct{ Key, Before, After string }

// Diff is what makes after of before, by key.
func Diff(before, after Table) (changes []Change) {
	keys := make(map[string]bool)
	for _, t := range []Table{before, after} {
		for key := range t {
			keys[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if before[key] != after[key] {
			changes = append(changes, Change{key, before[key], after[key]})
		}
	}
	return changes
}

// Stale are the keys of a table that are none of the known ones.
func Stale(there Table, known map[string]bool) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(there)) {
		if !known[key] {
			keys = append(keys, key)
		}
	}
	return keys
}
