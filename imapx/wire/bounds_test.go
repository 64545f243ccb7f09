package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestLongestLines: only what grows with a folder may be longer than other lines.
func TestLongestLines(t *testing.T) {
	limits := Limits{Line: 100, Numbers: 200}
	for _, c := range []struct {
		head string
		size int
		ok   bool
	}{
		{"* SEARCH", 150, true}, {"* search", 150, true}, {"* ESEARCH (TAG", 150, true}, {"* VANISHED", 150, true},
		{"* SEARCH", 250, false}, {"* LIST () NIL", 150, false}, {"* LIST () NIL", 90, true}, {"* SEARCHED", 150, false},
	} {
		text := c.head + " " + strings.Repeat("1", c.size-len(c.head)-1) + "\r\n"
		f, err := NewReader(strings.NewReader(text), limits, nil).Next()
		if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrProtocol) || err == nil && len(f.Text) != c.size {
			t.Errorf("%s of %d bytes: %v", c.head, c.size, err)
		}
	}
}

// TestHostileLinesAreReadOnce: the work is proportional to the line, whatever it is made of. Each of these took minutes
// where a string, a brace or a list was looked for to the end of the line again and again.
func TestHostileLinesAreReadOnce(t *testing.T) {
	const most = 1 << 20
	for name, piece := range map[string]string{"escapes": `"\\" `, "braces": "{ ", "tildes": "~{ ", "quotes": `"" `, "lists": "() ", "atoms": "a "} {
		line := "* X (" + strings.Repeat(piece, (most-100)/len(piece)) + "{1}\r\nx)\r\n"
		f, err := NewReader(strings.NewReader(line), Limits{}, nil).Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		started := time.Now()
		r, err := Parse(f)
		if err == nil {
			err = r.P.Skip()
		}
		if err != nil || !r.P.End() {
			t.Errorf("%s: %v, %.20q left", name, err, r.P.Rest())
		}
		if took := time.Since(started); took > 20*time.Second { // minutes, else
			t.Errorf("%s: a line of 1 MiB took %v", name, took)
		}
	}
}

// TestBracesAreNoLiteral: a brace is an announcement only where it is one.
func TestBracesAreNoLiteral(t *testing.T) {
	f, err := NewReader(strings.NewReader("* X ({ } {a} {3 ~{ {2}\r\nhi)\r\n"), Limits{}, nil).Next()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = r.P.List(func() error {
		s, err := r.P.AString()
		got = append(got, string(s))
		return err
	})
	if want := "{ } {a} {3 ~{ hi"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v", got, err)
	}
}

// TestManyFlags: a list of flags has an end.
func TestManyFlags(t *testing.T) {
	p := ParserFor([]byte("(" + strings.Repeat("a ", maxFlags+1) + ")"))
	if flags, err := p.Flags(); !errors.Is(err, ErrMalformed) {
		t.Errorf("%d flags, %v", len(flags), err)
	}
	p = ParserFor([]byte("(" + strings.Repeat("a ", maxFlags) + ")"))
	if flags, err := p.Flags(); err != nil || len(flags) != maxFlags {
		t.Errorf("%d flags, %v", len(flags), err)
	}
}

// TestSystemFlags: in one spelling, whatever the server's; keywords stay as they are.
func TestSystemFlags(t *testing.T) {
	p := ParserFor([]byte(`(\seen \ANSWERED \Flagged $forwarded seen \drafty)`))
	flags, err := p.Flags()
	want := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, "$forwarded", "seen", `\drafty`}
	if err != nil || !slices.Equal(flags, want) {
		t.Errorf("%q, %v", flags, err)
	}
}
