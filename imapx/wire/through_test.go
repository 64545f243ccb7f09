package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestThrough: from the last frame on everything goes through, and nothing of it twice, however it came in.
func TestThrough(t *testing.T) {
	upper := func(r io.Reader) io.Reader {
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(bytes.ToUpper(rest))
	}
	const stream = "* one {3}\r\nabc)\r\n* two\r\n* three {2}\r\nde)\r\n"
	for name, in := range map[string]io.Reader{"at once": strings.NewReader(stream), "bytewise": iotest.OneByteReader(strings.NewReader(stream))} {
		r := NewReader(in, Limits{}, nil)
		var got []string
		for i := 0; ; i++ {
			f, err := r.Next()
			if err != nil {
				break
			}
			got = append(got, string(f.Text))
			for _, l := range f.Literals {
				got = append(got, string(l.Data))
			}
			if i == 0 {
				r.Through(upper)
			}
		}
		if s := strings.Join(got, "|"); s != "* one {3})|abc|* TWO|* THREE {2})|DE" {
			t.Errorf("%s: %s", name, s)
		}
	}
}
