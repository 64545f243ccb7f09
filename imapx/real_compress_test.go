package imapx_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// letterOf is a text of about n bytes that shrinks like mail: to a half or less.
func letterOf(i, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %d\r\n\r\n", i)
	for k := 0; b.Len() < n; k++ {
		fmt.Fprintf(&b, "line %d of letter %d, with a number that nobody foresees: %x\r\n", k, i, uint64(k*7919+i)*0x9e3779b97f4a7c15)
	}
	return b.String()
}

// slowly leads to a server over a line of 1 MB a second.
func slowly(t *testing.T, addr string) (string, *imaptest.Proxy) {
	t.Helper()
	p, err := imaptest.NewProxy(addr, imaptest.Faults{Bandwidth: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.Addr(), p
}

func letters(from, n, size int) (out []imapx.AppendMessage) {
	for i := range n {
		out = append(out, imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text(letterOf(from+i, size))})
	}
	return out
}

// stored appends a batch and makes sure that the server has it.
func stored(t *testing.T, tgt *imapx.Target, batch []imapx.AppendMessage) {
	t.Helper()
	ctx := within(t, time.Minute)
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "INBOX", Messages: batch})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range a.Errs {
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

// compared fetches messages and compares them with what was stored.
func compared(t *testing.T, src *imapx.Source, from, n, size int) {
	t.Helper()
	var got collector
	set := imap.UIDSet{{Start: imap.UID(from + 1), Stop: imap.UID(from + n)}}
	if _, err := src.Visit(within(t, time.Minute), imapx.Visit{Folder: "INBOX", Reads: []imapx.Read{{UIDs: set, Want: imapx.WantFlags | imapx.WantBody}}}, got.handler()); err != nil {
		t.Fatal(err)
	}
	for i := from; i < from+n; i++ {
		if string(got.body(t, imap.UID(i+1))) != letterOf(i, size) {
			t.Errorf("letter %d is another one", i)
		}
	}
}

// TestCompressAuto: over a slow line both sides begin to compress once it was measured, over a fast one never. What is
// counted are bytes: those that the line carried against those of the mail.
func TestCompressAuto(t *testing.T) {
	t.Parallel()
	const n, size = 5, 600 << 10 // 3 MB: at 1 MB a second long enough to be measured
	server := real.Dovecot(t, real.Options{})
	user := server.FreshUser()
	for name, slow := range map[string]bool{"slow": true, "fast": false} {
		t.Run(name, func(t *testing.T) {
			if !slow {
				user = server.FreshUser()
			}
			addr, upTrace, downTrace := server.Addr(), &lockedBuffer{}, &lockedBuffer{}
			var line *imaptest.Proxy
			if slow {
				addr, line = slowly(t, addr)
			}
			carried := func() int64 {
				if line == nil {
					return 0
				}
				s := line.Stats()
				return s.Up + s.Down
			}
			o := imapx.Options{Compress: imapx.CompressAuto, Trace: upTrace}
			tgt, err := imapx.DialTarget(within(t, time.Minute), endpoint(t, addr, user), o)
			if err != nil {
				t.Fatal(err)
			}
			defer tgt.Close()
			stored(t, tgt, letters(0, n, size))
			measured := carried()
			stored(t, tgt, letters(n, n, size))
			o.Trace = downTrace
			appended := carried()
			src, err := imapx.DialSource(within(t, time.Minute), endpoint(t, addr, user), o)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			compared(t, src, 0, n, size)
			fetched := carried()
			compared(t, src, n, n, size)
			last := carried()
			for what, trace := range map[string]*lockedBuffer{"target": upTrace, "source": downTrace} {
				if got := strings.Contains(trace.String(), " COMPRESS DEFLATE"); got != slow {
					t.Errorf("%s: COMPRESS sent: %v", what, got)
				}
			}
			if !slow {
				return
			}
			t.Logf("%d bytes of mail: appended with %d, then %d; fetched with %d, then %d", n*size, measured, appended-measured, fetched-appended, last-fetched)
			if measured < n*size || fetched-appended < n*size {
				t.Error("compressed before anything was measured")
			}
			if appended-measured > n*size*2/3 || last-fetched > n*size*2/3 {
				t.Error("that is hardly compressed")
			}
		})
	}
}

// TestCompressShared: what one connection found out holds for the next one to the same server, and that asks only when
// there is mail to carry.
func TestCompressShared(t *testing.T) {
	t.Parallel()
	server := real.Dovecot(t, real.Options{})
	user, trace, line := server.FreshUser(), &lockedBuffer{}, new(imapx.Line)
	line.Note(100 << 10)
	o := imapx.Options{Compress: imapx.CompressAuto, Line: line, Trace: trace}
	tgt, err := imapx.DialTarget(within(t, time.Minute), endpoint(t, server.Addr(), user), o)
	if err != nil {
		t.Fatal(err)
	}
	defer tgt.Close()
	if _, err := tgt.List(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(trace.String(), " COMPRESS DEFLATE") {
		t.Error("COMPRESS without mail to carry")
	}
	for i := range 3 {
		stored(t, tgt, letters(i*40, 40, 2000))
	}
	if n := strings.Count(trace.String(), " COMPRESS DEFLATE"); n != 1 {
		t.Errorf("COMPRESS was sent %d times", n)
	}
	src, err := imapx.DialSource(within(t, time.Minute), endpoint(t, server.Addr(), user), o)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	compared(t, src, 0, 120, 2000)
	if n := strings.Count(trace.String(), " COMPRESS DEFLATE"); n != 2 {
		t.Errorf("COMPRESS was sent %d times by two connections", n)
	}
}
