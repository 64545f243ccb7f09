package wire

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// maxDepth bounds nesting; the deepest answer in use is a BODYSTRUCTURE, which is not asked for here.
const maxDepth = 64

// maxAnnounced is the longest announcement of a literal in bytes: `~{n+}` with a number of 64 bits.
const maxAnnounced = 24

// Malformed makes an error that wraps ErrMalformed.
func Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Parser reads tokens from a frame, tolerantly: blanks more or fewer than the grammar wants are no error.
type Parser struct {
	frame *Frame
	pos   int
	lit   int // literals passed
}

// ParserFor reads text that has no literals, such as the arguments of a response code.
func ParserFor(text []byte) Parser { return Parser{frame: &Frame{Text: text}} }

// Peek gives the next byte that is no blank, 0 at the end.
func (p *Parser) Peek() byte {
	for p.pos < len(p.frame.Text) && (p.frame.Text[p.pos] == ' ' || p.frame.Text[p.pos] == '\t') {
		p.pos++
	}
	if p.pos >= len(p.frame.Text) {
		return 0
	}
	return p.frame.Text[p.pos]
}

// End reports whether nothing is left.
func (p *Parser) End() bool { return p.Peek() == 0 && p.pos >= len(p.frame.Text) }

// Take eats c where it is next.
func (p *Parser) Take(c byte) bool {
	if p.Peek() != c || p.pos >= len(p.frame.Text) {
		return false
	}
	p.pos++
	return true
}

// Expect eats c or fails.
func (p *Parser) Expect(c byte) error {
	if !p.Take(c) {
		return Malformed("no %q at byte %d", c, p.pos)
	}
	return nil
}

// Atom reads up to a blank, a parenthesis or a quote; everything else is let through, for flags and names of
// real servers hold brackets, braces and 8-bit bytes.
func (p *Parser) Atom() (string, error) {
	p.Peek()
	text := p.frame.Text
	start := p.pos
	for p.pos < len(text) {
		c := text[p.pos]
		if c == ' ' || c == '(' || c == ')' || c == '"' || c == '\t' {
			break
		}
		p.pos++
	}
	if p.pos == start {
		return "", Malformed("no atom at byte %d", start)
	}
	return string(text[start:p.pos]), nil
}

// Item reads the name of a FETCH item in upper case, with a section and an origin such as
// `BODY[HEADER.FIELDS (DATE "FROM")]<0>`.
func (p *Parser) Item() (string, error) {
	p.Peek()
	text := p.frame.Text
	start, inside := p.pos, false
	for p.pos < len(text) {
		c := text[p.pos]
		if c == '[' {
			inside = true
		}
		if !inside && (c == ' ' || c == '(' || c == ')' || c == '"') {
			break
		}
		if c == ']' {
			inside = false
		}
		p.pos++
	}
	if p.pos == start || inside {
		return "", Malformed("no item name at byte %d", start)
	}
	for _, known := range [...]string{"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "BODY[]"} {
		if string(text[start:p.pos]) == known {
			return known, nil // without a copy: these come with every message
		}
	}
	return strings.ToUpper(string(text[start:p.pos])), nil
}

// Number reads a 32-bit number.
func (p *Parser) Number() (uint32, error) {
	n, err := p.Number64()
	if err == nil && n > math.MaxUint32 {
		return 0, Malformed("number %d is over 32 bits", n)
	}
	return uint32(n), err
}

// Number64 reads a number; mod-sequences have 63 bits (RFC 7162 section 3.1), sizes 64 (RFC 9051 section 9).
func (p *Parser) Number64() (uint64, error) {
	p.Peek()
	text := p.frame.Text
	start, n := p.pos, uint64(0)
	for p.pos < len(text) && text[p.pos] >= '0' && text[p.pos] <= '9' {
		d := uint64(text[p.pos] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, Malformed("a number of more than 64 bits at byte %d", start)
		}
		n = n*10 + d
		p.pos++
	}
	if p.pos == start {
		return 0, Malformed("no number at byte %d", start)
	}
	return n, nil
}

// String is a value that a server may write as atom, quoted string or literal.
type String struct {
	Bytes   []byte // nil for a streamed literal; otherwise valid as long as the frame
	Literal *Literal
	Nil     bool // Bytes is then the word as it was written
}

// String reads an astring or nstring. NIL in any case is Nil only where it is no quoted string.
func (p *Parser) String() (String, error) {
	switch c := p.Peek(); {
	case c == '"':
		b, err := p.quoted()
		return String{Bytes: b}, err
	case c == '{' || c == '~':
		if l := p.literal(); l != nil {
			if l.Dropped {
				return String{Literal: l}, Malformed("a literal of %d bytes where a short one belongs", l.Size)
			}
			return String{Bytes: l.Data, Literal: l}, nil
		}
	}
	a, err := p.Atom()
	if err != nil {
		return String{}, err
	}
	return String{Bytes: []byte(a), Nil: strings.EqualFold(a, "NIL")}, nil
}

// AString reads a value that cannot be NIL (RFC 9051 section 9, astring and flag): a folder or a keyword may well
// have that name. The bytes are valid as long as the frame.
func (p *Parser) AString() ([]byte, error) {
	s, err := p.String()
	return s.Bytes, err
}

func (p *Parser) quoted() ([]byte, error) {
	text := p.frame.Text
	p.pos++
	start, escaped := p.pos, false
	for ; p.pos < len(text); p.pos++ {
		switch c := text[p.pos]; {
		case c == '"':
			p.pos++
			if escaped {
				return unescape(text[start : p.pos-1]), nil
			}
			return text[start : p.pos-1], nil
		case c == '\\' && p.pos+1 < len(text):
			escaped = true
			p.pos++
		}
	}
	return nil, Malformed("a quoted string without end")
}

// unescape makes room for the string alone: a line can hold a hundred thousand of them.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return out
}

// literal gives the literal announced at the current position, nil where there is none.
func (p *Parser) literal() *Literal {
	if p.lit >= len(p.frame.Literals) {
		return nil
	}
	l := &p.frame.Literals[p.lit]
	// An announcement is digits in braces, for a line may hold any number of other braces.
	if l.At <= p.pos || len(bytes.Trim(p.frame.Text[p.pos:min(l.At, p.pos+maxAnnounced)], "~{+}0123456789")) > 0 || l.At-p.pos > maxAnnounced {
		return nil
	}
	p.pos = l.At
	p.lit++
	return l
}

// List calls each for every element of a parenthesised list; each must read one element. Without an opening
// parenthesis nothing is read; NIL is an empty list.
func (p *Parser) List(each func() error) error {
	if !p.Take('(') {
		if a, err := p.Atom(); err == nil && strings.EqualFold(a, "NIL") {
			return nil
		}
		return Malformed("no list at byte %d", p.pos)
	}
	for !p.Take(')') {
		if p.End() {
			return Malformed("a list without end")
		}
		at := p.pos
		if err := each(); err != nil {
			return err
		}
		if p.pos == at {
			return Malformed("an unreadable element at byte %d", at)
		}
	}
	return nil
}

// Skip reads one value of any kind.
func (p *Parser) Skip() error { return p.skip(0) }

func (p *Parser) skip(depth int) error {
	if depth > maxDepth {
		return Malformed("lists nested deeper than %d", maxDepth)
	}
	if p.Peek() == '(' {
		return p.List(func() error { return p.skip(depth + 1) })
	}
	if c := p.Peek(); c == '{' || c == '~' {
		if p.literal() != nil {
			return nil
		}
	}
	_, err := p.String()
	return err
}

// Rest gives what is left, raw.
func (p *Parser) Rest() []byte {
	p.Peek()
	return p.frame.Text[p.pos:]
}

func number(b []byte) (uint32, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n <= math.MaxUint32
}
