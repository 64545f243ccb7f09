package imapx_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
)

// scripted is the server's side of one connection in a test that plays a server nobody would run on purpose.
type scripted struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

// serve listens and plays play for each connection.
func serve(t testing.TB, play func(s *scripted)) imapx.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.SetDeadline(time.Now().Add(20 * time.Second))
			play(&scripted{t, nc, bufio.NewReader(nc)})
			nc.Close()
		}
	}()
	return endpoint(t, l.Addr().String(), "u")
}

func (s *scripted) send(format string, args ...any) {
	io.WriteString(s.nc, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n"))
}

// expect reads a line that must match and gives its tag.
func (s *scripted) expect(pattern string) string {
	line, err := s.r.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	tag, rest, _ := strings.Cut(line, " ")
	if !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(rest) {
		s.t.Errorf("the client said %q (%v), wanted %s", line, err, pattern)
	}
	return tag
}

// hello greets and lets the client in, with these capabilities.
func (s *scripted) hello(caps string) {
	s.send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n")
	s.send("%s OK [CAPABILITY IMAP4rev1 %s] in\n", s.expect("AUTHENTICATE PLAIN .*"), caps)
}

// examined answers EXAMINE and the SEARCH and FETCH behind it, whose tags it gives.
func (s *scripted) examined(messages int, found string) (fetch string) {
	s.send("* FLAGS (\\Seen)\n* %d EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT 1000] n\n%s OK [READ-ONLY] open\n", messages, s.expect("EXAMINE .*"))
	s.send("* SEARCH %s\n%s OK found\n", found, s.expect("UID SEARCH .*"))
	return s.expect("UID FETCH .*")
}

// rest reads until the client goes away, answering OK.
func (s *scripted) rest() {
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		tag, _, _ := strings.Cut(line, " ")
		s.send("%s OK fine\n", tag)
	}
}

func dialScripted(t testing.TB, e imapx.Endpoint, o imapx.Options) (*imapx.Source, context.Context) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	if o.Trace == nil {
		o.Trace = traceTo(t)
	}
	src, err := imapx.DialSource(ctx, e, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src, ctx
}
