package sync

import "bytes"

// looseForm brings a message into the form that all its altered copies share (alter.go), on its way into a digest: a
// CR alone ends a line, header lines are without what was put before them, names of fields without blanks before
// their colon. The digest itself does not count line ends at the beginning, nor how a line ends.
type looseForm struct {
	out   *digester
	cr    bool // a CR came last
	place linePart
	begun bool
	head  [maxHead]byte
	n     int  // bytes of head
	blank bool // the next blank belongs to what was put before the line
}

func (f *looseForm) reset() {
	f.cr, f.place, f.begun, f.n, f.blank = false, beforeColon, false, 0, false
}

// write splits off line ends; what it hands on has none but LF and CR LF.
func (f *looseForm) write(p []byte) {
	if f.cr && len(p) > 0 {
		if f.cr = false; p[0] == '\n' {
			p = p[1:]
		}
		f.piece(oneLF)
	}
	from, i := 0, 0
	for {
		k := bytes.IndexByte(p[i:], '\r')
		if k < 0 {
			f.piece(p[from:])
			return
		}
		switch k += i; {
		case k+1 == len(p):
			f.piece(p[from:k])
			f.cr = true
			return
		case p[k+1] == '\n':
			i = k + 2
		default:
			f.piece(p[from:k])
			f.piece(oneLF)
			from, i = k+1, k+1
		}
	}
}

// piece takes text as long as the header lasts line by line.
func (f *looseForm) piece(p []byte) {
	for len(p) > 0 {
		if f.place == inText {
			f.out.lines(p)
			return
		}
		i := bytes.IndexByte(p, '\n')
		if f.place == afterColon {
			if f.blank {
				if f.blank = false; p[0] == ' ' {
					p = p[1:]
					continue
				}
			}
			if i < 0 {
				f.out.lines(p)
				return
			}
			f.out.lines(p[:i+1])
			p, f.place, f.begun = p[i+1:], beforeColon, true
			continue
		}
		f.beginning(p[0])
		p = p[1:]
	}
}

// beginning takes a byte of a header line before its colon.
func (f *looseForm) beginning(c byte) {
	switch {
	case c == '\n':
		empty := f.n == 0 || f.n == 1 && f.head[0] == '\r'
		f.give()
		f.out.lines(oneLF)
		if f.begun = true; empty {
			f.place = inText
		}
	case f.n == 0 && f.begun && (c == ' ' || c == '\t'):
		f.head[0], f.n, f.place = c, 1, afterColon
		f.give()
	case c == ':':
		f.named()
	default:
		f.head[f.n] = c
		if f.n++; f.n == maxHead {
			f.give()
			f.place = afterColon
		}
	}
}

func (f *looseForm) named() {
	name, is := fieldName(f.head[:f.n])
	f.place = afterColon
	switch {
	case is && string(name) == keptField:
		f.n, f.blank = 0, true
	case is:
		f.n = len(name)
		fallthrough
	default:
		f.give()
		f.out.lines([]byte{':'})
	}
}

func (f *looseForm) give() {
	f.out.lines(f.head[:f.n])
	f.n = 0
}

// end gives what was held back.
func (f *looseForm) end() {
	if f.cr {
		f.cr = false
		f.piece(oneLF)
	}
	f.give()
}
