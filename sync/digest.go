package sync

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// digester hashes a message in the normal form that survives what servers are known to do to bytes: CR LF and
// LF are one, NUL is 0x80 (Dovecot), line ends at the very end do not count.
type digester struct {
	sum      hash.Hash
	buf      []byte
	newlines int // seen and not hashed yet, for they may be the last
	cr       bool
	begun    bool       // something was hashed
	loose    *looseForm // nil: the strict form
}

// digestBuffer is what is hashed at once, in bytes.
const digestBuffer = 4 << 10

// Of a line end; a slice that is made where it is used would be one for each line.
var oneCR, oneLF = []byte{'\r'}, []byte{'\n'}

func newDigester() *digester {
	return &digester{sum: sha256.New(), buf: make([]byte, 0, digestBuffer)}
}

// newLooseDigester is for the ledger: what tells messages apart must not tell an altered copy from its original.
func newLooseDigester() *digester {
	d := newDigester()
	d.loose = &looseForm{out: d}
	return d
}

// reset makes a digester good for another message.
func (d *digester) reset() {
	d.sum.Reset()
	d.buf, d.newlines, d.cr, d.begun = d.buf[:0], 0, false, false
	if d.loose != nil {
		d.loose.reset()
	}
}

func (d *digester) Write(p []byte) (int, error) {
	n := len(p)
	if bytes.IndexByte(p, 0) >= 0 {
		p = bytes.ReplaceAll(p, []byte{0}, []byte{0x80})
	}
	if d.loose != nil {
		d.loose.write(p)
	} else {
		d.lines(p)
	}
	return n, nil
}

// lines takes text in which NUL is 0x80.
func (d *digester) lines(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			d.text(p, false)
			break
		}
		d.text(p[:i], true)
		d.newlines++
		p = p[i+1:]
	}
}

// text takes a piece of a line. A CR directly before the line's end belongs to the end.
func (d *digester) text(b []byte, ended bool) {
	if d.cr && (len(b) > 0 || !ended) {
		d.put(oneCR)
	}
	d.cr = false
	if len(b) > 0 && b[len(b)-1] == '\r' {
		b = b[:len(b)-1]
		d.cr = !ended
	}
	if len(b) > 0 {
		d.put(b)
	}
}

func (d *digester) put(b []byte) {
	if d.loose != nil && !d.begun { // an empty line that the ladder put on top
		d.newlines = 0
	}
	d.begun = true
	for ; d.newlines > 0; d.newlines-- {
		d.hash(oneLF)
	}
	d.hash(b)
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

// digest ends the message. Before another one the digester has to be reset.
func (d *digester) digest() (k key) {
	if d.loose != nil {
		d.loose.end()
	}
	if d.cr {
		d.put(oneCR)
	}
	d.sum.Write(d.buf)
	var sum [sha256.Size]byte
	copy(k[:], d.sum.Sum(sum[:0]))
	return k
}
