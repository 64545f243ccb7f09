package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// readBuffer is the size of the read buffer in bytes; a body literal is handed on in pieces of at most this.
const readBuffer = 64 << 10

// Limits bound what a server can make a reader hold. Zero fields mean the defaults.
type Limits struct {
	Line    int    // bytes of a frame without its literals; default 1 MiB
	Numbers int    // the same of an answer that is a list of numbers; default 16 MiB (one SEARCH for 2 million messages)
	Literal uint64 // bytes of all literals kept in memory for one frame; default 8 MiB
	Body    uint64 // bytes of the largest literal that can be meant; default 1 TiB
}

const (
	defaultLine    = 1 << 20
	defaultNumbers = 16 << 20
	defaultLiteral = 8 << 20
	defaultBody    = 1 << 40
	maxLiterals    = 4096 // literals of one frame
)

// ErrProtocol is wrapped where the server broke the framing itself: the connection cannot be used any more.
var ErrProtocol = errors.New("protocol error")

// Sink takes a literal as it comes in. It receives exactly the announced bytes, unless the connection dies.
type Sink interface{ io.Writer }

// Literal is one literal of a frame.
type Literal struct {
	At      int    // offset in Frame.Text just behind the closing brace
	Size    uint64 // announced and received
	Data    []byte // the bytes, where neither sunk nor dropped
	Sink    Sink   // what the hook gave
	Dropped bool   // over Limits.Literal: read and thrown away
}

// Frame is one logical line. Text keeps the raw bytes without the final line end; of its literals only the
// announcement `{n}` is in Text. It is valid until the next call of Reader.Next.
type Frame struct {
	Text     []byte
	Literals []Literal
}

// Hook is asked at each literal whether it shall be streamed: head is the frame so far, ending in the
// announcement. A nil Sink keeps the literal in memory.
type Hook func(head []byte, size uint64) Sink

// Reader cuts a stream into frames.
type Reader struct {
	br     *bufio.Reader
	limits Limits
	hook   Hook
	frame  Frame
	kept   uint64 // literal bytes of this frame in memory
	taken  uint64 // literal bytes of this frame that have come
}

// NewReader reads frames from r. hook may be nil.
func NewReader(r io.Reader, limits Limits, hook Hook) *Reader {
	if limits.Line == 0 {
		limits.Line = defaultLine
	}
	if limits.Numbers == 0 {
		limits.Numbers = max(limits.Line, defaultNumbers)
	}
	if limits.Literal == 0 {
		limits.Literal = defaultLiteral
	}
	if limits.Body == 0 {
		limits.Body = defaultBody
	}
	return &Reader{br: bufio.NewReaderSize(r, readBuffer), limits: limits, hook: hook}
}

// Buffered tells how many bytes were read from the connection and not yet used. Before a TLS handshake there
// must be none (RFC 9051 section 11.1: injected responses).
func (r *Reader) Buffered() int { return r.br.Buffered() }

// Partial tells, after Next has failed, how many bytes had come of the frame that is not complete.
func (r *Reader) Partial() uint64 { return uint64(len(r.frame.Text)) + r.taken }

// Through puts f between the connection and the frames to come, from the very byte on that follows the last frame
// (COMPRESS, RFC 4978), be it read ahead or not. What f gets is an io.ByteReader, so that it need not read further than
// it must. It is called between two calls of Next.
func (r *Reader) Through(f func(io.Reader) io.Reader) {
	r.br = bufio.NewReaderSize(f(r.br), readBuffer)
}

// Next gives the next frame. Its error is final: io.EOF at a frame boundary, io.ErrUnexpectedEOF within a
// frame, an error wrapping ErrProtocol, or the connection's own. With a final error the sinks of the frame in
// progress are given back too, so that their owner can release them.
func (r *Reader) Next() (*Frame, error) {
	f := &r.frame
	f.Text, f.Literals, r.kept, r.taken = f.Text[:0], f.Literals[:0], 0, 0
	if cap(f.Text) > 1<<20 {
		f.Text = nil // one long answer does not stay in memory for good
	}
	from := 0
	for {
		if err := r.line(); err != nil {
			if err == io.EOF && len(f.Text) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return f, err
		}
		size, ok, err := announced(f.Text, from)
		if err != nil {
			return f, err
		}
		if !ok {
			return f, nil
		}
		if err := r.literal(size); err != nil {
			return f, err
		}
		from = len(f.Text)
	}
}

// line appends one line without its end to the frame.
func (r *Reader) line() error {
	f := &r.frame
	for {
		part, err := r.br.ReadSlice('\n')
		if n := len(f.Text) + len(part); n > r.limits.Line && n > r.longest(part) {
			return fmt.Errorf("%w: a line of more than %d bytes", ErrProtocol, r.longest(part))
		}
		f.Text = append(f.Text, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return err
		}
		f.Text = bytes.TrimSuffix(f.Text[:len(f.Text)-1], []byte("\r"))
		return nil
	}
}

// longest is what the frame may have, to which part comes next: only lists of numbers grow with the folder.
func (r *Reader) longest(part []byte) int {
	t := r.frame.Text
	if len(t) == 0 {
		t = part
	}
	for _, name := range [...]string{"* SEARCH ", "* ESEARCH ", "* VANISHED "} {
		if len(t) >= len(name) && bytes.EqualFold(t[:len(name)], []byte(name)) {
			return r.limits.Numbers
		}
	}
	return r.limits.Line
}

// literal reads the literal that the frame just announced.
func (r *Reader) literal(size uint64) error {
	f := &r.frame
	if size > r.limits.Body {
		return fmt.Errorf("%w: a literal of %d bytes was announced", ErrProtocol, size)
	}
	if len(f.Literals) >= maxLiterals {
		return fmt.Errorf("%w: more than %d literals in one answer", ErrProtocol, maxLiterals)
	}
	f.Literals = append(f.Literals, Literal{At: len(f.Text), Size: size})
	l := &f.Literals[len(f.Literals)-1]
	if r.hook != nil {
		l.Sink = r.hook(f.Text, size)
	}
	switch {
	case l.Sink != nil:
		return r.copy(l.Sink, size)
	case r.kept+size > r.limits.Literal:
		l.Dropped = true
		return r.copy(io.Discard, size)
	}
	r.kept += size
	l.Data = make([]byte, size)
	n, err := io.ReadFull(r.br, l.Data)
	r.taken += uint64(n)
	return cut(err)
}

// copy moves exactly size bytes. An error of w does not end the reading: the stream stays in step, and the
// owner of w knows.
func (r *Reader) copy(w io.Writer, size uint64) error {
	var broken error
	for size > 0 {
		if r.br.Buffered() == 0 {
			if _, err := r.br.Peek(1); err != nil {
				return cut(err)
			}
		}
		n := uint64(r.br.Buffered())
		if n > size {
			n = size
		}
		part, err := r.br.Peek(int(n))
		if err != nil {
			return cut(err)
		}
		if broken == nil {
			_, broken = w.Write(part)
		}
		if _, err := r.br.Discard(int(n)); err != nil {
			return cut(err)
		}
		size -= n
		r.taken += n
	}
	return nil
}

func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// announced reports whether the frame's last line, from offset from, ends with the announcement of a literal.
// Text for people (resp-text, RFC 9051 section 7.1) may end in braces without meaning a literal.
func announced(text []byte, from int) (size uint64, ok bool, err error) {
	n := len(text)
	if n == from || text[n-1] != '}' || isStatusLine(text) {
		return 0, false, nil
	}
	open := bytes.LastIndexByte(text[from:], '{')
	if open < 0 || inQuotes(text[from:from+open]) {
		return 0, false, nil
	}
	digits := bytes.TrimSuffix(text[from+open+1:n-1], []byte("+"))
	if len(digits) == 0 {
		return 0, false, nil
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false, nil
		}
	}
	size, perr := strconv.ParseUint(string(digits), 10, 64)
	if perr != nil {
		return 0, false, fmt.Errorf("%w: a literal of %.30s bytes was announced", ErrProtocol, digits)
	}
	return size, true, nil
}

// inQuotes reports whether a quoted string is still open at the end of b. Quoted strings never span lines.
func inQuotes(b []byte) bool {
	open := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			open = !open
		case b[i] == '\\' && open:
			i++
		}
	}
	return open
}

// isStatusLine reports whether the frame is a continuation request or carries free text: OK, NO, BAD, BYE,
// PREAUTH, with any tag.
func isStatusLine(text []byte) bool {
	first, rest, _ := bytes.Cut(text, []byte(" "))
	if len(first) == 1 && first[0] == '+' {
		return true
	}
	word, _, _ := bytes.Cut(rest, []byte(" "))
	switch len(word) {
	case 2:
		return bytes.EqualFold(word, []byte("OK")) || bytes.EqualFold(word, []byte("NO"))
	case 3:
		return bytes.EqualFold(word, []byte("BAD")) || bytes.EqualFold(word, []byte("BYE"))
	case 7:
		return bytes.EqualFold(word, []byte("PREAUTH"))
	}
	return false
}
