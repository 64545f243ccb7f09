package wire

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// repeating reads the same text again and again.
type repeating struct {
	text []byte
	rest []byte
}

func (r *repeating) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fetchAnswer is a FETCH answer with a body of so many bytes.
func fetchAnswer(size int) []byte {
	return fmt.Appendf(nil, "* 4711 FETCH (UID 90210 FLAGS (\\Seen \\Answered $Forwarded) INTERNALDATE \"05-Apr-2011 06:07:08 +0200\" BODY[] {%d}\r\n%s)\r\n",
		size, bytes.Repeat([]byte("x"), size))
}

// BenchmarkFraming cuts FETCH answers out of a stream, bodies streamed past.
func BenchmarkFraming(b *testing.B) {
	for _, size := range []int{600, 20_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := NewReader(&repeating{text: fetchAnswer(size)}, Limits{}, func([]byte, uint64) Sink { return io.Discard })
			b.SetBytes(int64(len(fetchAnswer(size))))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFetchItems frames and parses what a look at flags brings: an answer without a body.
func BenchmarkFetchItems(b *testing.B) {
	text := []byte("* 4711 FETCH (UID 90210 FLAGS (\\Seen \\Answered $Forwarded) INTERNALDATE \"05-Apr-2011 06:07:08 +0200\" MODSEQ (12345))\r\n")
	r := NewReader(&repeating{text: text}, Limits{}, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		answer, err := Parse(f)
		if err != nil {
			b.Fatal(err)
		}
		if err := items(&answer.P); err != nil {
			b.Fatal(err)
		}
	}
}

// items reads them as package imapx does.
func items(p *Parser) error {
	return p.List(func() error {
		name, err := p.Item()
		if err != nil {
			return err
		}
		switch name {
		case "UID":
			_, err = p.Number()
		case "FLAGS":
			_, err = p.Flags()
		case "INTERNALDATE":
			var s String
			if s, err = p.String(); err == nil {
				_, err = ParseDate(string(s.Bytes))
			}
		default:
			err = p.Skip()
		}
		return err
	})
}
