package sync

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// pieces is a body that comes in pieces of some length.
type pieces struct {
	data []byte
	n    int
}

func (p pieces) WriteTo(w io.Writer) (sum int64, err error) {
	for rest := range slices.Chunk(p.data, p.n) {
		n, err := w.Write(rest)
		if sum += int64(n); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// altered gives a text after some steps.
func altered(t testing.TB, data []byte, n int, steps alteration) []byte {
	t.Helper()
	b := pieces{data, n}
	as, err := inspect(b)
	if err != nil {
		t.Fatal(err)
	}
	a, err := alter(b, as, steps)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := a.WriteTo(&out); err != nil || int64(out.Len()) != a.Len() {
		t.Fatalf("%d bytes, %d announced: %v", out.Len(), a.Len(), err)
	}
	return out.Bytes()
}

func steps(t testing.TB, data []byte, n int) alteration {
	t.Helper()
	as, err := inspect(pieces{data, n})
	if err != nil {
		t.Fatal(err)
	}
	return as.steps()
}

func looseDigest(data []byte, n int) key {
	d := newLooseDigester()
	for p := range slices.Chunk(data, n) {
		d.Write(p)
	}
	return d.digest()
}

func TestAlterations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    string
		steps alteration
		out   string // after all that apply
	}{
		"nothing to alter":        {"Subject: x\r\n\r\ntext\r\n", 0, "Subject: x\r\n\r\ntext\r\n"},
		"8-bit header":            {"Subject: \xfc\r\n\r\ntext\r\n", 0, "Subject: \xfc\r\n\r\ntext\r\n"},
		"LF":                      {"Subject: x\n\ntext\n", alterEnds, "Subject: x\r\n\r\ntext\r\n"},
		"CR":                      {"Subject: x\r\n\r\none\rtwo\r\r\n", alterEnds, "Subject: x\r\n\r\none\r\ntwo\r\n\r\n"},
		"CR at the end":           {"Subject: x\r\n\r\none\r", alterEnds, "Subject: x\r\n\r\none\r\n"},
		"NUL":                     {"Subject: x\r\n\r\n\x00two\x00", alterNUL, "Subject: x\r\n\r\n\x80two\x80"},
		"NUL and LF":              {"Subject: x\n\n\x00", alterNUL | alterEnds, "Subject: x\r\n\r\n\x80"},
		"no header":               {"only text\r\nof two lines\r\n", alterHeader, "\r\nonly text\r\nof two lines\r\n"},
		"no header, empty line":   {"only text\r\n\r\nDate: x\r\n", alterHeader, "\r\nonly text\r\n\r\nDate: x\r\n"},
		"From of an mbox":         {"From a@b Mon Jan 1\r\nSubject: x\r\n\r\ny", alterHeader, "X-Mailmove-Line: From a@b Mon Jan 1\r\nSubject: x\r\n\r\ny"},
		"wrong line, folded":      {"Subject: x\r\nno field\r\n more\r\n\r\ny", alterHeader, "Subject: x\r\nX-Mailmove-Line: no field\r\n more\r\n\r\ny"},
		"folded first":            {" x: y\r\nSubject: x\r\n\r\ny", alterHeader, "X-Mailmove-Line:  x: y\r\nSubject: x\r\n\r\ny"},
		"blanks before the colon": {"Subject \t: x\r\n\r\ny : z", alterHeader, "Subject: x\r\n\r\ny : z"},
		"8-bit name":              {"Subject: x\r\nX-\xfc: x\r\n\r\ny", alterHeader, "Subject: x\r\nX-Mailmove-Line: X-\xfc: x\r\n\r\ny"},
		"no name":                 {"Subject: x\r\n: x\r\n\r\ny", alterHeader, "Subject: x\r\nX-Mailmove-Line: : x\r\n\r\ny"},
		"header without an end":   {"Subject: x", alterHeader, "Subject: x\r\n\r\n"},
		"header, no empty line":   {"Subject: x\r\n", alterHeader, "Subject: x\r\n\r\n"},
		"long name":               {strings.Repeat("n", 200) + ": x\r\nSubject: x\r\n\r\ny", alterHeader, "X-Mailmove-Line: " + strings.Repeat("n", 200) + ": x\r\nSubject: x\r\n\r\ny"},
	} {
		for _, n := range []int{1, 2, 3, 1000} {
			if got := steps(t, []byte(c.in), n); got != c.steps {
				t.Errorf("%s in pieces of %d: steps %b, want %b", name, n, got, c.steps)
			}
			if got := altered(t, []byte(c.in), n, c.steps); string(got) != c.out {
				t.Errorf("%s in pieces of %d: %q, want %q", name, n, got, c.out)
			}
		}
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	got := choices(alterEnds|alterNUL|alterKeywords, 100)
	want := []alteration{alterEnds, alterNUL, alterKeywords, alterEnds | alterNUL, alterEnds | alterKeywords, alterNUL | alterKeywords,
		alterEnds | alterNUL | alterKeywords}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := choices(alterEnds|alterNUL, alterOnlyAll+1); !slices.Equal(got, []alteration{alterEnds | alterNUL}) {
		t.Errorf("large: %v", got)
	}
	if got := choices(0, 1); got != nil {
		t.Errorf("nothing applies: %v", got)
	}
}

// FuzzAlterations: whatever the message, each choice of steps gives one to which they do not apply any more, has the
// digest of the original, and does not depend on how the bytes come; a well-formed message is not touched.
func FuzzAlterations(f *testing.F) {
	for _, s := range []string{"Subject: x\r\n\r\ny", "a\rb\nc\x00", "\r\n\r\nx", "From x\nTo : y\n z\n\n\r", "X-Mailmove-Line: a b\r\n\r\n",
		"X-Mailmove-Line : a\r\nx y\r\n", " \r\n:\r\n", "\r\r\n:x", "a:\rb\r\r\r\n", "x\r\n\r"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		n = 1 + (n&0x7fffffff)%7
		want, all := looseDigest(data, len(data)+1), steps(t, data, n)
		if all != steps(t, data, len(data)+1) {
			t.Fatal("what applies depends on how the bytes come")
		}
		if looseDigest(data, n) != want {
			t.Fatal("the digest depends on how the bytes come")
		}
		if out := altered(t, data, n, all); all == 0 && !bytes.Equal(out, data) {
			t.Fatalf("altered for nothing: %q", out)
		}
		for _, c := range choices(all, 1) {
			out := altered(t, data, n, c)
			if !bytes.Equal(out, altered(t, data, len(data)+1, c)) {
				t.Fatalf("steps %b: the bytes depend on how they come", c)
			}
			if left := steps(t, out, n); left&c != 0 {
				t.Fatalf("steps %b: %b still apply to %q", c, left&c, out)
			}
			if looseDigest(out, n) != want {
				t.Fatalf("steps %b: another digest: %q", c, out)
			}
		}
	})
}
