package imapx_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

const benchCaps = "MULTIAPPEND LITERAL+ UIDPLUS"

// serveFast is serve without a deadline, with a play that knows the command's first words only.
func serveFast(b *testing.B, play func(w *bufio.Writer, tag, verb []byte)) imapx.Endpoint {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	b.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		s := &scripted{b, nc, bufio.NewReaderSize(nc, 64<<10)}
		s.hello(benchCaps)
		w := bufio.NewWriterSize(nc, 64<<10)
		for {
			tag, verb, err := command(s.r)
			if err != nil {
				return
			}
			play(w, tag, verb)
			if w.Flush() != nil {
				return
			}
		}
	}()
	return endpoint(b, l.Addr().String(), "u")
}

// command reads one command, its literals thrown away, and keeps its first line.
func command(r *bufio.Reader) (tag, verb []byte, err error) {
	first := true
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, nil, err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		open := bytes.LastIndexByte(line, '{')
		if first {
			head, first = append(head, line...), false
		}
		if open < 0 || !bytes.HasSuffix(line, []byte("+}")) {
			tag, verb, _ = bytes.Cut(head, []byte(" "))
			return tag, verb, nil
		}
		n, err := strconv.Atoi(string(line[open+1 : len(line)-2]))
		if err != nil {
			return nil, nil, err
		}
		if _, err := r.Discard(n); err != nil {
			return nil, nil, err
		}
	}
}

// kept is a body in memory that is never given back.
type kept []byte

func (k kept) Write(p []byte) (int, error) { return len(p), nil }
func (k kept) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(k)
	return int64(n), err
}
func (k kept) Len() int64 { return int64(len(k)) }
func (k kept) Release()   {}

// BenchmarkAppend writes batches of 500 over loopback to a server that throws them away; the time of both is in it.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{600, 20_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const each = 500
			e := serveFast(b, func(w *bufio.Writer, tag, verb []byte) {
				fmt.Fprintf(w, "%s OK [APPENDUID 7 1:%d] stored\r\n", tag, each)
			})
			ctx := context.Background()
			tgt, err := imapx.DialTarget(ctx, e, imapx.Options{Timeout: 20 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer tgt.Close()
			batch := imapx.AppendBatch{Folder: "INBOX"}
			for range each {
				batch.Messages = append(batch.Messages, imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen, "$Forwarded"},
					Date: time.Date(2011, 4, 5, 6, 7, 8, 0, time.UTC), Body: kept(bytes.Repeat([]byte("x"), size))})
			}
			b.SetBytes(int64(each * size))
			b.ReportAllocs()
			for b.Loop() {
				p, err := tgt.Append(ctx, batch)
				if err != nil {
					b.Fatal(err)
				}
				if out, err := p.Wait(ctx); err != nil || out.Errs[each-1] != nil {
					b.Fatal(err, out.Errs[each-1])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/each, "ns/message")
		})
	}
}

// BenchmarkFetch reads bodies, flags and dates of a folder over loopback from a server that has them ready; the time
// of both is in it.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []int{600, 20_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const each = 500
			body := bytes.Repeat([]byte("x"), size)
			e := serveFast(b, func(w *bufio.Writer, tag, verb []byte) {
				switch {
				case bytes.HasPrefix(verb, []byte("EXAMINE")):
					fmt.Fprintf(w, "* FLAGS (\\Seen)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT %d] n\r\n", each, each+1)
				case bytes.HasPrefix(verb, []byte("UID FETCH")):
					for i := 1; i <= each; i++ {
						fmt.Fprintf(w, "* %d FETCH (UID %d FLAGS (\\Seen $Forwarded) INTERNALDATE \"05-Apr-2011 06:07:08 +0200\" BODY[] {%d}\r\n", i, i, size)
						w.Write(body)
						w.WriteString(")\r\n")
					}
				}
				fmt.Fprintf(w, "%s OK done\r\n", tag)
			})
			ctx := context.Background()
			src, err := imapx.DialSource(ctx, e, imapx.Options{Timeout: 20 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer src.Close()
			seen := 0
			v := imapx.Visit{Folder: "INBOX", Reads: []imapx.Read{{UIDs: imap.UIDSet{{Start: 1, Stop: each}},
				Want: imapx.WantFlags | imapx.WantDate | imapx.WantBody}}}
			h := imapx.VisitHandler{
				Opened:  func(imapx.Opened) error { return nil },
				UIDs:    func(int, imap.UIDSet) error { return nil },
				Alloc:   func(_ context.Context, size int64) (imapx.Body, error) { return kept(body), nil },
				Message: func(int, imapx.Message) error { seen++; return nil },
			}
			b.SetBytes(int64(each * size))
			b.ReportAllocs()
			rounds := 0
			for b.Loop() {
				rounds++
				if _, err := src.Visit(ctx, v, h); err != nil {
					b.Fatal(err)
				}
			}
			if seen != rounds*each {
				b.Fatalf("%d messages came, %d were sent", seen, rounds*each)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/each, "ns/message")
		})
	}
}
