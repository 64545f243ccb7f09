package sync

import (
	"bytes"
	"crypto/sha256"
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
		if h.state != skipLine && h.state != inValue {
			h.step(p[0])
			p = p[1:]
			continue
		}
		i := bytes.IndexByte(p, '\n')
		value := p
		if i >= 0 {
			value = p[:i]
		}
		if h.state == inValue && h.cur >= 0 {
			h.add(value)
		}
		if i < 0 {
			return n, nil
		}
		p, h.state, h.cr = p[i+1:], atLineStart, false
	}
	return n, nil
}

// step takes one byte of a line's beginning.
func (h *headerScanner) step(c byte) {
	switch {
	case h.state == inName:
		h.named(c)
	case c == '\n':
		h.state = headerDone // an empty line ends the header (RFC 5322 section 2.1)
	case c == '\r' && !h.cr:
		h.cr = true
	case (c == ' ' || c == '\t') && !h.cr:
		h.state = inValue // folded: goes on with the field of the line before
		h.add([]byte{' '})
	default:
		h.cr, h.cur, h.name = false, -1, h.name[:0]
		h.state = skipLine
		if bytes.IndexByte([]byte("mdftsrMDFTSR"), c) >= 0 { // how the names begin that are looked for
			h.state = inName
			h.named(c)
		}
	}
}

// named takes one byte of a field's name.
func (h *headerScanner) named(c byte) {
	switch {
	case c == ':':
		h.cur, h.state = fieldIndex(h.name), inValue
		if h.cur == fieldReceived {
			h.nextReceived()
		} else if h.cur >= 0 && len(h.fields[h.cur]) > 0 {
			h.add([]byte{1}) // a second occurrence is told from a folded one
		}
	case c == '\n':
		h.state, h.cur = atLineStart, -1 // no field: mbox "From " lines, garbage
	case len(h.name) >= maxName:
		h.state = skipLine
	default:
		h.name = append(h.name, c)
	}
}

// add appends to a value with white space folded into single blanks. Dovecot stores NUL as 0x80.
func (h *headerScanner) add(value []byte) {
	switch {
	case h.cur < 0:
		return
	case h.cur == fieldReceived:
		h.received(value)
		return
	}
	f := h.fields[h.cur]
	if f == nil {
		f = make([]byte, 0, 64)
	}
	for _, c := range value {
		if len(f) >= maxField {
			break
		}
		switch c {
		case ' ', '\t', '\r':
			if len(f) == 0 || f[len(f)-1] == ' ' || f[len(f)-1] == 1 {
				continue
			}
			c = ' '
		case 0:
			c = 0x80
		}
		f = append(f, c)
	}
	h.fields[h.cur] = f
}

func fieldIndex(name []byte) int {
	name = bytes.TrimRight(name, " \t")
	for i, f := range identified {
		if len(name) == len(f) && strings.EqualFold(string(name), f) {
			return i
		}
	}
	if strings.EqualFold(string(name), "received") {
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
