package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func parseLine(t *testing.T, line string) (Response, error) {
	t.Helper()
	f, err := NewReader(strings.NewReader(line+"\r\n"), Limits{}, nil).Next()
	if err != nil {
		t.Fatal(err)
	}
	return Parse(f)
}

func TestStatusLines(t *testing.T) {
	for line, want := range map[string]string{
		"* OK hello":                             "* OK [ ] hello",
		"* ok [alert] x":                         "* OK [ALERT ] x",
		"a1 NO [OVERQUOTA] Quota exceeded":       "a1 NO [OVERQUOTA ] Quota exceeded",
		"a1 OK":                                  "a1 OK [ ] ",
		"* OK [UIDVALIDITY 5] ok":                "* OK [UIDVALIDITY 5] ok",
		`* OK [PERMANENTFLAGS (a]b \Seen \*)] f`: `* OK [PERMANENTFLAGS (a]b \Seen \*)] f`,
		`* OK [PERMANENTFLAGS (\Seen ) ] f`:      `* OK [PERMANENTFLAGS (\Seen )] f`,
		"* OK [broken":                           "* OK [ ] [broken",
		"* OK [UIDNEXT 4]":                       "* OK [UIDNEXT 4] ",
		"+ idling":                               "+  [ ] idling",
		"+":                                      "+  [ ] ",
		"m1 OK [APPENDUID 38505 3955:3957] done": "m1 OK [APPENDUID 38505 3955:3957] done",
	} {
		r, err := parseLine(t, line)
		got := fmt.Sprintf("%s %s [%s %s] %s", r.Tag, r.Name, r.Code, r.Args, r.Text)
		if err != nil || got != want {
			t.Errorf("%q\ngot  %q %v\nwant %q", line, got, err, want)
		}
	}
}

func TestMalformedLines(t *testing.T) {
	for _, line := range []string{"", " ", "*", "* ", "* 12", strings.Repeat("t", 65) + " OK", "a1 FETCH x", "* " + strings.Repeat("N", 65)} {
		if r, err := parseLine(t, line); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v %v", line, r, err)
		}
	}
}

func TestTokens(t *testing.T) {
	r, err := parseLine(t, `* 7 FETCH (UID 4294967295 FLAGS (\Seen a]b [x] nil \Recent ) BODY[HEADER.FIELDS (DATE "TO")]<0> "a\"\\b" NIL nil "NIL" ((x) y))`)
	if err != nil || r.Num != 7 || r.Name != "FETCH" || !r.P.Take('(') {
		t.Fatalf("%+v %v", r, err)
	}
	p := &r.P
	check := func(what string, err error, got, want any) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v %v, want %v", what, got, err, want)
		}
	}
	item, err := p.Item()
	check("item", err, item, "UID")
	n, err := p.Number()
	check("number", err, n, uint32(4294967295))
	item, err = p.Item()
	check("item", err, item, "FLAGS")
	flags, err := p.Flags()
	check("flags", err, flags, `[\Seen a]b [x] nil]`)
	item, err = p.Item()
	check("section", err, item, `BODY[HEADER.FIELDS (DATE "TO")]<0>`)
	s, err := p.String()
	check("quoted", err, string(s.Bytes), `a"\b`)
	for _, null := range []bool{true, true, false} {
		s, err = p.String()
		check("NIL", err, s.Nil, null)
	}
	check("skip", p.Skip(), "", "")
	check("end", p.Expect(')'), p.End(), true)
}

func TestTokenErrors(t *testing.T) {
	deep := strings.Repeat("(", maxDepth+2) + strings.Repeat(")", maxDepth+2)
	for line, read := range map[string]func(p *Parser) error{
		"* X 4294967296":           func(p *Parser) error { _, err := p.Number(); return err },
		"* X 18446744073709551616": func(p *Parser) error { _, err := p.Number64(); return err },
		"* X x":                    func(p *Parser) error { _, err := p.Number(); return err },
		"* X \"open":               func(p *Parser) error { _, err := p.String(); return err },
		"* X \"open\\":             func(p *Parser) error { _, err := p.String(); return err },
		"* X (a":                   func(p *Parser) error { return p.Skip() },
		"* X )":                    func(p *Parser) error { return p.Skip() },
		"* X a":                    func(p *Parser) error { return p.List(p.Skip) },
		"* X BODY[":                func(p *Parser) error { _, err := p.Item(); return err },
		"* X " + deep:              func(p *Parser) error { return p.Skip() },
	} {
		r, err := parseLine(t, line)
		if err != nil {
			t.Fatal(err)
		}
		if err := read(&r.P); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
