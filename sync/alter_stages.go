package sync

import (
	"bytes"
	"io"
)

var oneCRLF = []byte{'\r', '\n'}

// lineEnds tells lines from their ends, whichever of the three a message has, over any pieces.
type lineEnds struct{ cr bool } // a CR came last

// feed calls text for pieces of lines and end for what ends one: CR LF, or a CR or LF alone.
func (l *lineEnds) feed(p []byte, text func([]byte) error, end func(how []byte) error) error {
	for len(p) > 0 {
		if l.cr {
			how := oneCR
			if l.cr = false; p[0] == '\n' {
				how, p = oneCRLF, p[1:]
			}
			if err := end(how); err != nil {
				return err
			}
			continue
		}
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			return text(p)
		}
		if i > 0 {
			if err := text(p[:i]); err != nil {
				return err
			}
		}
		if l.cr = p[i] == '\r'; !l.cr {
			if err := end(oneLF); err != nil {
				return err
			}
		}
		p = p[i+1:]
	}
	return nil
}

// close ends the message.
func (l *lineEnds) close(end func(how []byte) error) error {
	if !l.cr {
		return nil
	}
	l.cr = false
	return end(oneCR)
}

// endsStage makes CR LF of a CR or LF alone (RFC 5322 section 2.3 allows neither; Cyrus refuses the LF).
type endsStage struct {
	out  io.Writer
	ends lineEnds
}

func (s *endsStage) Write(p []byte) (int, error) {
	return len(p), s.ends.feed(p, s.text, s.end)
}

func (s *endsStage) text(p []byte) error {
	_, err := s.out.Write(p)
	return err
}

func (s *endsStage) end([]byte) error { return s.text(oneCRLF) }

func (s *endsStage) close() error { return s.ends.close(s.end) }

// nulStage makes 0x80 of NUL, as Dovecot does by itself; RFC 9051 section 9 allows no NUL in a literal, and Cyrus
// refuses it.
type nulStage struct{ out io.Writer }

func (s *nulStage) Write(p []byte) (int, error) {
	q := p
	if bytes.IndexByte(p, 0) >= 0 {
		q = bytes.ReplaceAll(p, []byte{0}, []byte{0x80})
	}
	_, err := s.out.Write(q)
	return len(p), err
}

func (s *nulStage) close() error { return nil }

// What becomes of a header line that is none.
const (
	keptField  = "X-Mailmove-Line"
	keptPrefix = keptField + ": "
	maxHead    = 128 // bytes of a line in which the name of a field has to end
)

// fieldName takes what stands before the first colon of a header line: a name (RFC 5322 section 2.2) is printable and
// has no blanks; those that stand between it and the colon are not part of it (section 4.5.3).
func fieldName(head []byte) (name []byte, is bool) {
	name = bytes.TrimRight(head, " \t")
	for _, c := range name {
		if c < 33 || c > 126 {
			return nil, false
		}
	}
	return name, len(name) > 0
}

// headerStage makes a header of what stands before the first empty line: of a field's name the blanks before the
// colon are cut, a line that is no field is kept as one, and where there is no field at all an empty line on top says
// that all of it is text.
type headerStage struct {
	out   io.Writer
	top   bool    // an empty line is all that it needs
	seen  *nature // not nil: is filled in
	ends  lineEnds
	head  []byte // of the line, before its colon
	place linePart
	begun bool   // a line came before
	buf   []byte // what is to be written
}

// linePart is where in the message a stage is.
type linePart uint8

const (
	beforeColon linePart = iota
	afterColon
	inText
)

func (s *headerStage) Write(p []byte) (int, error) {
	n := len(p)
	if s.top {
		s.top, s.place = false, inText
		s.buf = append(s.buf, oneCRLF...)
	}
	if s.place != inText || s.ends.cr {
		if err := s.ends.feed(p, s.text, s.end); err != nil {
			return 0, err
		}
		return n, s.flush()
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	if s.seen != nil && !s.seen.bare {
		return n, s.ends.feed(p, s.text, s.end)
	}
	_, err := s.out.Write(p)
	return n, err
}

func (s *headerStage) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.out.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *headerStage) text(p []byte) error {
	for len(p) > 0 {
		if s.place != beforeColon {
			s.buf = append(s.buf, p...)
			break
		}
		c := p[0]
		p = p[1:]
		switch {
		case len(s.head) == 0 && s.begun && (c == ' ' || c == '\t'): // folded
			s.place = afterColon
			s.buf = append(s.buf, c)
		case c == ':':
			s.field()
		default:
			if s.head = append(s.head, c); len(s.head) == maxHead {
				s.wrong()
			}
		}
	}
	return s.flush()
}

// field ends a name at its colon.
func (s *headerStage) field() {
	name, is := fieldName(s.head)
	if !is {
		s.head = append(s.head, ':')
		s.wrong()
		return
	}
	if s.seen != nil {
		s.seen.fields++
		if len(name) < len(s.head) {
			s.seen.spaced++
		}
	}
	s.buf = append(append(s.buf, name...), ':')
	s.head, s.place = s.head[:0], afterColon
}

// wrong takes what is no name.
func (s *headerStage) wrong() {
	if s.seen != nil {
		s.seen.wrong++
	}
	s.buf = append(append(s.buf, keptPrefix...), s.head...)
	s.head, s.place = s.head[:0], afterColon
}

func (s *headerStage) end(how []byte) error {
	if s.seen != nil && len(how) == 1 {
		s.seen.bare = true
	}
	switch {
	case s.place == inText:
	case s.place == beforeColon && len(s.head) == 0:
		s.place = inText
	default:
		if s.place == beforeColon {
			s.wrong()
		}
		s.place, s.begun = beforeColon, true
	}
	s.buf = append(s.buf, how...)
	return s.flush()
}

func (s *headerStage) close() error {
	if err := s.ends.close(s.end); err != nil || s.place == inText {
		return err
	}
	if s.seen != nil {
		s.seen.endless = true
	}
	if s.place == beforeColon && len(s.head) > 0 {
		s.wrong()
	}
	if s.place == afterColon {
		s.buf = append(s.buf, oneCRLF...)
	}
	s.buf = append(s.buf, oneCRLF...)
	return s.flush()
}
