package sync

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"net/mail"
	"strings"
	"time"
)

// Identity has two strengths. The fingerprint is of the identifying header fields: both servers give those
// without a body. The digest is of the whole message in a normal form: it decides what the fingerprint leaves
// in doubt.

// key is a truncated SHA-256.
type key [16]byte

// identified are the header fields that make a fingerprint, in the order in which they are hashed.
var identified = [...]string{"message-id", "date", "from", "to", "subject"}

const (
	fieldMessageID = iota
	fieldDate
	fieldFrom
	fieldTo
	fieldSubject
	fieldReceived // no part of the identity: servers add their own
)

// maxField bounds what is kept of one header field, in bytes; both sides cut alike.
const maxField = 4 << 10

// headerScanner picks the identifying fields out of a message or of a HEADER.FIELDS answer that is written to
// it in pieces. Memory is bounded by the fields, whatever the header.
type headerScanner struct {
	fields [len(identified)][]byte
	name   []byte // of the line being read, until its colon
	cur    int    // field that takes the value, -1: none
	state  scanState
	cr     bool // a CR was seen and the next byte is not known yet

	trace []byte // dates of Received headers, a line each (date.go)
	hop   int    // where the last of them begins
}

type scanState uint8

const (
	atLineStart scanState = iota
	inName
	inValue
	skipLine
	headerDone
)

// maxName is longer than any name that is looked for.
const maxName = 16

func newHeaderScanner() headerScanner { return headerScanner{cur: -1} }

func (h *headerScanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && h.state != headerDone {
		if h.state == skipLine || (h.state == inValue && h.cur < 0) {
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				return n, nil
			}
			p, h.state, h.cr = p[i+1:], atLineStart, false
			continue
		}
		h.step(p[0])
		p = p[1:]
	}
	return n, nil
}

// step takes one byte of a line that matters.
func (h *headerScanner) step(c byte) {
	switch h.state {
	case atLineStart:
		switch {
		case c == '\n':
			h.state = headerDone // an empty line ends the header (RFC 5322 section 2.1)
		case c == '\r' && !h.cr:
			h.cr = true
		case (c == ' ' || c == '\t') && !h.cr:
			h.state = inValue // folded: goes on with the field of the line before
			h.add(' ')
		default:
			h.cr, h.cur, h.name = false, -1, h.name[:0]
			h.state = inName
			h.step(c)
		}
	case inName:
		switch {
		case c == ':':
			h.cur, h.state = fieldIndex(h.name), inValue
			if h.cur == fieldReceived {
				h.nextReceived()
			} else if h.cur >= 0 && len(h.fields[h.cur]) > 0 {
				h.add(1) // a second occurrence is told from a folded one
			}
		case c == '\n':
			h.state, h.cur = atLineStart, -1 // no field: mbox "From " lines, garbage
		case len(h.name) >= maxName:
			h.state = skipLine
		default:
			h.name = append(h.name, c)
		}
	case inValue:
		if c == '\n' {
			h.state = atLineStart
			return
		}
		h.add(c)
	}
}

// add appends a byte of a value with white space folded into single blanks. Dovecot stores NUL as 0x80.
func (h *headerScanner) add(c byte) {
	if h.cur == fieldReceived {
		h.received(c)
		return
	}
	if h.cur < 0 || len(h.fields[h.cur]) >= maxField {
		return
	}
	f := h.fields[h.cur]
	switch c {
	case ' ', '\t', '\r':
		if len(f) == 0 || f[len(f)-1] == ' ' || f[len(f)-1] == 1 {
			return
		}
		c = ' '
	case 0:
		c = 0x80
	}
	h.fields[h.cur] = append(f, c)
}

func fieldIndex(name []byte) int {
	s := strings.ToLower(strings.TrimRight(string(name), " \t"))
	for i, f := range identified {
		if s == f {
			return i
		}
	}
	if s == "received" {
		return fieldReceived
	}
	return -1
}

// field gives a field's value with the blanks at its end cut.
func (h *headerScanner) field(i int) []byte { return bytes.TrimRight(h.fields[i], " ") }

// fingerprint is of Message-ID and Date, or, without a Message-ID, of Date, From, To and Subject. named is
// false where all of these are empty: then only the digest can tell messages apart.
func (h *headerScanner) fingerprint() (fp key, named bool) {
	use := []int{fieldMessageID, fieldDate}
	id := bytes.ReplaceAll(h.field(fieldMessageID), []byte(" "), nil) // some fold inside the id
	if len(id) == 0 {
		use = []int{fieldMessageID, fieldDate, fieldFrom, fieldTo, fieldSubject}
	}
	d := sha256.New()
	for _, i := range use {
		v := h.field(i)
		if i == fieldMessageID {
			v = id
		}
		named = named || len(v) > 0
		d.Write(v)
		d.Write([]byte{0})
	}
	copy(fp[:], d.Sum(nil))
	return fp, named
}

// date is the Date header as an instant, zero where it is missing or makes no sense.
func (h *headerScanner) date() time.Time {
	first, _, _ := bytes.Cut(h.field(fieldDate), []byte{1})
	t, err := mail.ParseDate(string(first))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// text gives a field for the list of exceptions, cut to a length that a table can hold.
func (h *headerScanner) text(i int) string {
	s := strings.ToValidUTF8(string(h.field(i)), "�")
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120])
	}
	return s
}

// fingerprintOf reads the answer to WantIdentity.
func fingerprintOf(header []byte) (fp key, named bool) {
	h := newHeaderScanner()
	h.Write(header)
	return h.fingerprint()
}

// digester hashes a message in the normal form that survives what servers are known to do to bytes: CR LF and
// LF are one, NUL is 0x80 (Dovecot), line ends at the very end do not count.
type digester struct {
	sum      hash.Hash
	buf      []byte
	newlines int // seen and not hashed yet, for they may be the last
	cr       bool
}

const digestBuffer = 16 << 10

func newDigester() *digester { return &digester{sum: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	n := len(p)
	if d.buf == nil {
		d.buf = make([]byte, 0, digestBuffer)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		line := p
		if i >= 0 {
			line = p[:i]
		}
		d.text(line, i >= 0)
		if i < 0 {
			break
		}
		d.newlines++
		p = p[i+1:]
	}
	return n, nil
}

// text takes a piece of a line. A CR directly before the line's end belongs to the end.
func (d *digester) text(b []byte, ended bool) {
	if d.cr && (len(b) > 0 || !ended) {
		d.cr = false
		d.put([]byte{'\r'})
	}
	if len(b) == 0 {
		d.cr = false
		return
	}
	last := b[len(b)-1] == '\r'
	if last {
		b = b[:len(b)-1]
	}
	d.put(b)
	d.cr = last && !ended
}

func (d *digester) put(b []byte) {
	if len(b) == 0 {
		return
	}
	for ; d.newlines > 0; d.newlines-- {
		d.hash([]byte{'\n'})
	}
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			d.hash(b)
			return
		}
		d.hash(b[:i])
		d.hash([]byte{0x80})
		b = b[i+1:]
	}
}

func (d *digester) hash(b []byte) {
	if len(d.buf)+len(b) > cap(d.buf) {
		d.sum.Write(d.buf)
		d.buf = d.buf[:0]
		if len(b) > cap(d.buf) {
			d.sum.Write(b)
			return
		}
	}
	d.buf = append(d.buf, b...)
}

// digest ends the message. The digester is spent afterwards.
func (d *digester) digest() (k key) {
	if d.cr {
		d.put([]byte{'\r'})
	}
	d.sum.Write(d.buf)
	d.buf = nil
	copy(k[:], d.sum.Sum(nil))
	return k
}
