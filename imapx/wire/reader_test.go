package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// frames reads all frames and words them; the last element is the final error.
func frames(r *Reader) (out []string) {
	for {
		f, err := r.Next()
		if err != nil {
			return append(out, err.Error())
		}
		s := string(f.Text)
		for _, l := range f.Literals {
			switch {
			case l.Sink != nil:
				s += fmt.Sprintf(" sunk:%d", l.Size)
			case l.Dropped:
				s += fmt.Sprintf(" dropped:%d", l.Size)
			default:
				s += fmt.Sprintf(" <%s>", l.Data)
			}
		}
		out = append(out, s)
	}
}

func TestFrames(t *testing.T) {
	small := Limits{Line: 200, Literal: 20, Body: 1000}
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"lines":                      {"* OK hi\r\na OK done\r\n", []string{"* OK hi", "a OK done", "EOF"}},
		"bare LF":                    {"* OK hi\n* OK ho\n", []string{"* OK hi", "* OK ho", "EOF"}},
		"cut line":                   {"* OK h", []string{"unexpected EOF"}},
		"literal":                    {"* LIST () \"/\" {3}\r\na\r\n\r\n* 1 EXISTS\r\n", []string{"* LIST () \"/\" {3} <a\r\n>", "* 1 EXISTS", "EOF"}},
		"two literals":               {"* X {1}\r\na {2+}\r\nbc d\r\n", []string{"* X {1} {2+} d <a> <bc>", "EOF"}},
		"literal8":                   {"* X ~{1}\r\na\r\n", []string{"* X ~{1} <a>", "EOF"}},
		"empty literal":              {"* X {0}\r\n\r\n", []string{"* X {0} <>", "EOF"}},
		"cut literal":                {"* X {5}\r\nab", []string{"unexpected EOF"}},
		"cut behind literal":         {"* X {2}\r\nab", []string{"unexpected EOF"}},
		"braces in text":             {"* OK see {5}\r\na NO {3}\r\n+ go {4}\r\n* BYE {2}\r\n", []string{"* OK see {5}", "a NO {3}", "+ go {4}", "* BYE {2}", "EOF"}},
		"braces in quotes":           {"* LIST () \"/\" \"a {3}\r\n* 1 EXISTS\r\n", []string{"* LIST () \"/\" \"a {3}", "* 1 EXISTS", "EOF"}},
		"quoted quote":               {"* LIST () \"\\\"\" {1}\r\nx\r\n", []string{"* LIST () \"\\\"\" {1} <x>", "EOF"}},
		"no number":                  {"* X {}\r\n* X {a}\r\n* X {+}\r\n", []string{"* X {}", "* X {a}", "* X {+}", "EOF"}},
		"over memory":                {"* X {21}\r\n" + strings.Repeat("a", 21) + "\r\n* 1 EXISTS\r\n", []string{"* X {21} dropped:21", "* 1 EXISTS", "EOF"}},
		"over memory together":       {"* X {15}\r\n" + strings.Repeat("a", 15) + " {15}\r\n" + strings.Repeat("b", 15) + "\r\n", []string{"* X {15} {15} <" + strings.Repeat("a", 15) + "> dropped:15", "EOF"}},
		"absurd":                     {"* X {1001}\r\n", []string{"protocol error: a literal of 1001 bytes was announced"}},
		"over 64 bits":               {"* X {99999999999999999999}\r\n", []string{"protocol error: a literal of 99999999999999999999 bytes was announced"}},
		"long line":                  {"* " + strings.Repeat("x", 300) + "\r\n", []string{"protocol error: a line of more than 200 bytes"}},
		"body":                       {"* 1 FETCH (BODY[] {30}\r\n" + strings.Repeat("b", 30) + ")\r\n", []string{"* 1 FETCH (BODY[] {30}) sunk:30", "EOF"}},
		"quoted spans no literal":    {"* X \"a\" {1}\r\n\"\r\n", []string{"* X \"a\" {1} <\">", "EOF"}},
		"literal text opens nothing": {"* X {1}\r\n\" {1}\r\nz\r\n", []string{"* X {1} {1} <\"> <z>", "EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				var sunk bytes.Buffer
				r := NewReader(in, small, func(head []byte, _ uint64) Sink {
					if bytes.Contains(head, []byte("BODY[] {")) {
						return &sunk
					}
					return nil
				})
				if got := frames(r); strings.Join(got, "|") != strings.Join(c.want, "|") {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				if name == "body" && sunk.String() != strings.Repeat("b", 30) {
					t.Errorf("sunk %q", sunk.String())
				}
			}
		})
	}
}

// TestBrokenSinkKeepsStep: a disk that is full must not make mail into answers.
func TestBrokenSinkKeepsStep(t *testing.T) {
	in := "* 1 FETCH (BODY[] {100000}\r\n" + strings.Repeat("b", 100000) + ")\r\n* 2 EXISTS\r\n"
	r := NewReader(strings.NewReader(in), Limits{}, func([]byte, uint64) Sink { return brokenWriter{} })
	got := frames(r)
	if len(got) != 3 || got[1] != "* 2 EXISTS" {
		t.Errorf("%q", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestLargeLiteralArrivesWhole(t *testing.T) {
	body := strings.Repeat("0123456789", 1<<20)
	var sunk bytes.Buffer
	r := NewReader(strings.NewReader(fmt.Sprintf("* X {%d}\r\n%s\r\n", len(body), body)), Limits{}, func([]byte, uint64) Sink { return &sunk })
	if _, err := r.Next(); err != nil || sunk.String() != body {
		t.Errorf("%v, %d bytes", err, sunk.Len())
	}
}

// FuzzFrames: whatever comes, the reader ends without panic, and cutting the stream into single bytes gives the
// same frames.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"* OK x\r\n", "* X {3}\r\nabc\r\n", "* LIST () \"/\" \"a {3}\r\n", "* 1 FETCH (UID 1 FLAGS (\\Seen a]b) BODY[] {2}\r\nhi INTERNALDATE NIL)\r\n",
		"* X {99999999999999999999}\r\n", "a OK [APPENDUID 1 2:3] x\r\n", "* OK [PERMANENTFLAGS (a]b \\*)] x\r\n", "+ \r\n", "\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		small := Limits{Line: 1 << 12, Literal: 1 << 10, Body: 1 << 12}
		whole := frames(NewReader(bytes.NewReader(in), small, nil))
		slow := frames(NewReader(iotest.OneByteReader(bytes.NewReader(in)), small, nil))
		if strings.Join(whole, "|") != strings.Join(slow, "|") {
			t.Fatalf("%q\n%q", whole, slow)
		}
		r := NewReader(bytes.NewReader(in), small, nil)
		for {
			fr, err := r.Next()
			if err != nil {
				return
			}
			resp, err := Parse(fr)
			if err != nil {
				if !errors.Is(err, ErrMalformed) {
					t.Fatal(err)
				}
				continue
			}
			for !resp.Status() && resp.Tag == "*" && !resp.P.End() {
				at := resp.P.pos
				if resp.P.Skip() != nil {
					break
				}
				if resp.P.pos == at {
					t.Fatalf("no progress in %q", fr.Text)
				}
			}
		}
	})
}
