package accounts

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"mailmove/imapx/auth"
)

func toUTF16(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = binary.BigEndian.AppendUint16(b, u)
		} else {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
	}
	return string(b)
}

// What is written as our list and read again is the same: separators, quotes, line ends, blanks and formulas in passwords
// too, whatever the separator is, and in UTF-16 as in UTF-8.
func TestWriteReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &List{Delim: rapid.SampledFrom([]rune{';', ',', '\t', '|', 0}).Draw(t, "delim"), BOM: rapid.Bool().Draw(t, "bom")}
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			l.Rows = append(l.Rows, drawnRow(t))
		}
		var b bytes.Buffer
		if err := l.Write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if rapid.Bool().Draw(t, "utf-16") {
			text = toUTF16(text, rapid.Bool().Draw(t, "big"))
			if !l.BOM {
				text = toUTF16("\ufeff", false) + toUTF16(b.String(), false)
			}
		}
		back, err := Read(strings.NewReader(text), "list", Options{Columns: testColumns()})
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if len(back.Rows) != len(l.Rows) || len(back.Warnings) > 0 {
			t.Fatalf("%d rows became %d, %v\n%s", len(l.Rows), len(back.Rows), back.Warnings, b.String())
		}
		for i, r := range back.Rows {
			if got, want := rendered(r), rendered(l.Rows[i]); got != want {
				t.Fatalf("row %d was %q\nand is  %q\n%s", i, want, got, b.String())
			}
		}
	})
}

// drawnRow is a row as Read makes them: what is no password has no blanks at its ends.
func drawnRow(t *rapid.T) Row {
	plain := rapid.Custom(func(t *rapid.T) string {
		return strings.Trim(rapid.StringMatching(`[a-zä=+@'"#;,|. -]{0,10}`).Draw(t, "text"), " \t")
	})
	r := Row{ID: plain.Draw(t, "id"), Group: plain.Draw(t, "group"), Fields: make(map[string]string), Secrets: make(map[string]auth.Secret)}
	for _, c := range []string{"source_user", "target_user", "into", "newer_than"} {
		if v := plain.Draw(t, c); v != "" {
			r.Fields[c] = v
		}
	}
	for _, side := range sideNames() {
		r.Fields[side] = rapid.StringMatching(`[a-z]{1,8}\.example(:993)?`).Draw(t, side)
		if v := rapid.StringMatching(`[a-zäu\x{308}=+@'"#;,|\t\r\n \x07-]{0,12}`).Draw(t, "password"); v != "" {
			r.Secrets[side+"_password"] = auth.NewSecret(v)
		}
	}
	if rapid.Bool().Draw(t, "options") {
		r.Args = append([]string{"--into"}, rapid.SliceOfN(rapid.StringMatching(`[a-z'"\\ ;,=]{0,6}`), 0, 3).Draw(t, "args")...)
	}
	return r
}

// Every list of testdata becomes ours, and ours says the same.
func TestConvert(t *testing.T) {
	for _, c := range formatCases() {
		l := readFile(t, c.file)
		l.Rows = slices.DeleteFunc(l.Rows, func(r Row) bool { return len(r.Problems) > 0 })
		var b bytes.Buffer
		if err := l.Write(&b); err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		back := readText(t, b.String())
		if len(back.Rows) != len(l.Rows) {
			t.Errorf("%s: %d rows became %d", c.file, len(l.Rows), len(back.Rows))
			continue
		}
		for i, r := range back.Rows {
			if rendered(r) != rendered(l.Rows[i]) {
				t.Errorf("%s: %q became %q", c.file, rendered(l.Rows[i]), rendered(r))
			}
		}
	}
	l := readFile(t, "own.csv")
	if err := l.Write(&bytes.Buffer{}); err == nil {
		t.Error("a row with problems was written")
	}
}

// Whatever a file holds, reading ends with rows or with an error, and what was read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, c := range formatCases() {
		data, err := os.ReadFile(filepath.Join("testdata", c.file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Read(bytes.NewReader(data), "list", Options{Columns: testColumns()})
		if err != nil {
			return
		}
		for _, r := range l.Rows {
			if r.Line < 1 || len(r.Problems) == 0 && len(r.Cells) == 0 {
				t.Fatalf("%+v", r)
			}
		}
		l.Rows = slices.DeleteFunc(l.Rows, func(r Row) bool { return len(r.Problems) > 0 })
		if len(l.Rows) == 0 {
			return
		}
		l.unknown = nil // a column that means nothing may mean something among ours
		var b bytes.Buffer
		if err := l.Write(&b); err != nil {
			t.Fatal(err)
		}
		back, err := Read(&b, "list", Options{Columns: testColumns()})
		if err != nil {
			t.Fatal(err)
		}
		if len(back.Rows) != len(l.Rows) {
			t.Fatalf("%d rows became %d", len(l.Rows), len(back.Rows))
		}
		for i, r := range back.Rows {
			if rendered(r) == "! : the header once more" {
				continue // a row of words that name our columns
			}
			if rendered(r) != rendered(l.Rows[i]) {
				t.Fatalf("%q became %q", rendered(l.Rows[i]), rendered(r))
			}
		}
	})
}
