package accounts

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What another writer of CSV puts into quotes is read as it was, with every separator.
func TestReadsWhatEncodingCSVWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delim := rapid.SampledFrom(delimiters()).Draw(t, "delim")
		width := rapid.IntRange(2, 5).Draw(t, "width")
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.StringMatching(`[a-zü"';,|\t #=\n]{0,10}`), width, width), 1, 6).Draw(t, "rows")
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.Comma, w.UseCRLF = rune(delim), false
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		s := newSplitter(b.String(), delim, true)
		line := 1
		for i, want := range rows {
			rec, more, bad := s.next()
			if bad != nil || !more {
				t.Fatalf("row %d of %q: %v", i, b.String(), bad)
			}
			if rec.comment { // encoding/csv leaves # without quotes, and quotes in a comment mean nothing
				return
			}
			if !slices.Equal(rec.cells, want) || rec.line != line {
				t.Fatalf("line %d is %q, want %q in line %d", rec.line, rec.cells, want, line)
			}
			line += 1 + strings.Count(strings.Join(want, ""), "\n")
		}
		if _, more, bad := s.next(); more || bad != nil {
			t.Fatalf("something follows: %v", bad)
		}
	})
}
