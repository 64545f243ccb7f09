package imapx_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"mailmove/imapx"
)

const offersCompress = "COMPRESS=DEFLATE"

// deflated is one flushed piece of a compressed stream.
func deflated(t testing.TB, text string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n"))
	w.Flush()
	return b.Bytes()
}

// partial is text in one block with fixed codes and, as zlib's Z_PARTIAL_FLUSH ends it, an empty one of the same kind:
// nothing in it says that data are to be handed on. RFC 4978 leaves the kind of flush to the server.
func partial(text string) []byte {
	var out []byte
	var bits, n uint
	put := func(v, width uint) {
		for i := range width {
			bits |= (v >> i & 1) << n
			if n++; n == 8 {
				out, bits, n = append(out, byte(bits)), 0, 0
			}
		}
	}
	code := func(v, width uint) { // Huffman codes go from their highest bit on (RFC 1951 section 3.1.1)
		for i := range width {
			put(v>>(width-1-i)&1, 1)
		}
	}
	put(0b010, 3) // not final, fixed codes
	for _, c := range []byte(strings.ReplaceAll(text, "\n", "\r\n")) {
		code(0x30+uint(c), 8) // bytes below 144, RFC 1951 section 3.2.6
	}
	code(0, 7)
	for range 2 {
		put(0b010, 3)
		code(0, 7)
	}
	if n > 0 { // the rest of the last byte belongs to what follows; nothing does
		out = append(out, byte(bits))
	}
	return out
}

// inflating makes the server read what the client compresses, and write through a compressor of its own.
func (s *scripted) inflating() {
	s.r = bufio.NewReader(flate.NewReader(s.r))
	w, err := flate.NewWriter(s.nc, 6)
	if err != nil {
		s.t.Fatal(err)
	}
	s.nc = &flushing{s.nc, w}
}

// flushing is a connection that compresses what is written, piece by piece.
type flushing struct {
	net.Conn
	w *flate.Writer
}

func (f *flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.w.Flush()
	}
	return n, err
}

// thenSilent reads these lines and gives their tags; nothing may come behind them for a while.
func (s *scripted) thenSilent(patterns ...string) (tags []string) {
	for _, p := range patterns {
		tags = append(tags, s.expect(p))
	}
	s.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if b, err := s.r.Peek(1); err == nil {
		line, _ := s.r.ReadString('\n')
		s.t.Errorf("the client should be silent, and said %q %q", b, line)
	}
	s.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	return tags
}

// TestCompressAnswers: the switch comes exactly behind the tagged OK, and only there.
func TestCompressAnswers(t *testing.T) {
	const alert = "* OK [ALERT] in the same packet\n"
	for name, answer := range map[string]func(s *scripted, tag string){
		"OK": func(s *scripted, tag string) { s.send("%s OK go\n", tag); s.inflating() },
		"OK and more in one packet": func(s *scripted, tag string) {
			under := s.nc
			s.inflating()
			w := s.nc.(*flushing)
			var b bytes.Buffer
			w.w.Reset(&b)
			io.WriteString(w.w, strings.ReplaceAll(alert, "\n", "\r\n"))
			w.w.Flush()
			under.Write(append([]byte(tag+" OK go\r\n"), b.Bytes()...))
			w.w.Reset(under) // a new window: nothing refers back, as after Z_FULL_FLUSH
		},
		"OK, more byte by byte": func(s *scripted, tag string) {
			for _, c := range append([]byte(tag+" OK go\r\n"), deflated(s.t, alert)...) {
				s.nc.Write([]byte{c})
				time.Sleep(200 * time.Microsecond)
			}
			s.inflating()
		},
		"active":  func(s *scripted, tag string) { s.send("%s NO [COMPRESSIONACTIVE] TLS compresses already\n", tag) },
		"refused": func(s *scripted, tag string) { s.send("%s NO not now\n", tag) },
		"unknown": func(s *scripted, tag string) { s.send("%s BAD what?\n", tag) },
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.hello(offersCompress)
				answer(s, s.expect("COMPRESS DEFLATE"))
				s.oneMessage()
			})
			trace := &lockedBuffer{}
			src, ctx := dialScripted(t, e, imapx.Options{Compress: imapx.CompressOn, Timeout: 5 * time.Second, Trace: trace})
			var got collector
			if _, err := src.Visit(ctx, bodies(everything()), got.handler()); err != nil || string(got.body(t, 1)) != "0123456789" {
				t.Fatalf("%v, %+v\n%s", err, got.messages, trace)
			}
			if !strings.Contains(trace.String(), "COMPRESS DEFLATE") || !strings.Contains(trace.String(), "UID FETCH") {
				t.Errorf("the trace does not show the protocol:\n%s", trace)
			}
		})
	}
}

// oneMessage answers one visit and what comes after it.
func (s *scripted) oneMessage() {
	fetch := s.examined(1, "1")
	s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {10}\n0123456789)\n%s OK\n", fetch)
	s.rest()
}

// TestCompressPartialFlush: an answer is read when it is there, however the server flushes.
func TestCompressPartialFlush(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello(offersCompress)
		s.send("%s OK go\n", s.expect("COMPRESS DEFLATE"))
		under := s.nc
		s.inflating()
		open, search, fetch := s.expect("EXAMINE .*"), s.expect("UID SEARCH .*"), s.expect("UID FETCH .*")
		under.Write(partial(fmt.Sprintf("%s NO no such folder\n%s BAD none open\n%s BAD none open\n", open, search, fetch)))
		s.r.ReadString('\n')
	})
	src, ctx := dialScripted(t, e, imapx.Options{Compress: imapx.CompressOn, Timeout: 10 * time.Second})
	begin := time.Now()
	_, err := src.Visit(ctx, bodies(everything()), imapx.VisitHandler{})
	if err == nil || !strings.Contains(err.Error(), "no such folder") || isLost(err) {
		t.Errorf("the answer was not read: %v", err)
	}
	if d := time.Since(begin); d > 8*time.Second { // a reader that holds data back gives them when the line breaks
		t.Errorf("the answer was read after %v", d)
	}
}

// TestCompressDamaged: what is no stream any more is a lost connection, and never a message.
func TestCompressDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(whole []byte) []byte
	}{
		"cut":       {func(b []byte) []byte { return b[:len(b)-12] }},
		"zeros":     {func(b []byte) []byte { return append(b[:len(b)-12], make([]byte, 64)...) }},
		"ended":     {func(b []byte) []byte { return append(b[:0:0], 0x03, 0x00) }}, // an empty last block
		"reserved":  {func([]byte) []byte { return []byte{0x07, 0xff} }},
		"uncoded":   {func([]byte) []byte { return []byte("* 1 FETCH (UID 1 FLAGS () BODY[] {10}\r\n0123456789)\r\n") }},
		"bad check": {func([]byte) []byte { return []byte{0, 5, 0, 5, 0, 'h', 'e', 'l', 'l', 'o'} }},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.hello(offersCompress)
				s.send("%s OK go\n", s.expect("COMPRESS DEFLATE"))
				under := s.nc
				s.inflating()
				fetch := s.examined(1, "1")
				w := s.nc.(*flushing)
				var b bytes.Buffer
				w.w.Reset(&b)
				// A body that does not repeat itself, so that damage in it is damage to what comes out.
				io.WriteString(w.w, fmt.Sprintf("* 1 FETCH (UID 1 FLAGS () BODY[] {10}\r\n01z3x5c7v9 %s)\r\n%s OK\r\n", "MODSEQ (1)", fetch))
				w.w.Flush()
				under.Write(c.spoil(b.Bytes()))
				if name == "cut" {
					return // the server closes
				}
				io.Copy(io.Discard, s.r)
			})
			src, ctx := dialScripted(t, e, imapx.Options{Compress: imapx.CompressOn, Timeout: 500 * time.Millisecond})
			var got collector
			_, err := src.Visit(ctx, bodies(everything()), got.handler())
			if !isLost(err) || got.alive != got.freed+len(got.messages) {
				t.Errorf("%#v, %+v", err, got)
			}
			for uid := range got.messages {
				if b := string(got.body(t, uid)); b != "01z3x5c7v9" {
					t.Errorf("uid %d is %q", uid, b)
				}
			}
		})
	}
}

// TestCompressBomb: a small packet that becomes an endless line ends at the limit of lines.
func TestCompressBomb(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello(offersCompress)
		s.send("%s OK go\n", s.expect("COMPRESS DEFLATE"))
		s.inflating()
		zeros := make([]byte, 1<<20)
		for range 64 {
			if _, err := s.nc.Write(zeros); err != nil {
				return
			}
		}
		s.rest()
	})
	src, ctx := dialScripted(t, e, imapx.Options{Compress: imapx.CompressOn, Timeout: 5 * time.Second})
	_, err := src.List(ctx)
	var x *imapx.Error
	if !errors.As(err, &x) || x.Kind != imapx.KindProtocol || !strings.Contains(x.Text, "1048576") {
		t.Errorf("%v", err)
	}
}

// TestCompressAlone: COMPRESS waits until every command in flight is answered, and nothing is sent behind it.
func TestCompressAlone(t *testing.T) {
	line := new(imapx.Line)
	asked := make(chan struct{})
	e := serve(t, func(s *scripted) {
		s.hello(offersCompress)
		s.send("* FLAGS (\\Seen)\n* 1 EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT 9] n\n")
		open := s.expect("EXAMINE .*")
		search := s.expect("UID SEARCH .*")
		fetch := s.expect("UID FETCH .*")
		line.Note(1000)
		close(asked)
		again := s.thenSilent("EXAMINE .*", "UID SEARCH .*") // the next FETCH of a body has to wait for COMPRESS
		s.send("%s OK open\n* SEARCH 1\n%s OK\n* 1 FETCH (UID 1 FLAGS () BODY[] {10}\n0123456789)\n%s OK\n", open, search, fetch)
		s.send("* FLAGS (\\Seen)\n* 1 EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT 9] n\n%s OK open\n* SEARCH 1\n%s OK\n", again[0], again[1])
		tag := s.expect("COMPRESS DEFLATE")
		s.thenSilent()
		s.send("%s OK go\n", tag)
		s.inflating()
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {10}\n0123456789)\n%s OK\n", s.expect("UID FETCH .*"))
		s.rest()
	})
	src, ctx := dialScripted(t, e, imapx.Options{Compress: imapx.CompressAuto, Line: line, Timeout: 5 * time.Second})
	done := make(chan error)
	visit := func() {
		var got collector
		_, err := src.Visit(ctx, bodies(everything()), got.handler())
		if err == nil && string(got.body(t, 1)) != "0123456789" {
			err = fmt.Errorf("%+v", got.messages)
		}
		done <- err
	}
	go visit()
	<-asked
	go visit()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestCompressDistrust: where a server closes a compressed connection in the middle of mail, where it stopped has to be
// comparable: the next connections of the line are not compressed. A reset says nothing of the server, nor does an end
// without mail on its way.
func TestCompressDistrust(t *testing.T) {
	for name, c := range map[string]struct {
		mail, reset bool
		again       bool // COMPRESS on the next connection
	}{
		"closed within mail": {mail: true},
		"reset within mail":  {mail: true, reset: true, again: true},
		"closed when idle":   {again: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			e := serve(t, func(s *scripted) {
				s.hello(offersCompress)
				if n++; n == 1 || c.again {
					s.send("%s OK go\n", s.expect("COMPRESS DEFLATE"))
					s.inflating()
				}
				if n > 1 {
					s.oneMessage()
					return
				}
				if c.mail {
					s.examined(1, "1")
					s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {10}\n01234")
				}
				if c.reset {
					time.Sleep(50 * time.Millisecond) // what was sent before would be thrown away
					s.nc.(*flushing).Conn.(*net.TCPConn).SetLinger(0)
				}
			})
			o := imapx.Options{Compress: imapx.CompressOn, Line: new(imapx.Line), Timeout: 5 * time.Second}
			src, ctx := dialScripted(t, e, o)
			if !c.mail {
				time.Sleep(500 * time.Millisecond) // the end is noticed before anything is asked
			}
			var got collector
			if _, err := src.Visit(ctx, bodies(everything()), got.handler()); err == nil || len(got.messages) > 0 {
				t.Errorf("%v, %+v", err, got)
			}
			src, ctx = dialScripted(t, e, o)
			if _, err := src.Visit(ctx, bodies(everything()), got.handler()); err != nil || string(got.body(t, 1)) != "0123456789" {
				t.Errorf("%v, %+v", err, got)
			}
		})
	}
}
