package imaptest_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
)

func certificate(t *testing.T) (*imaptest.CA, *tls.Config) {
	t.Helper()
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(imaptest.CertGood)
	if err != nil {
		t.Fatal(err)
	}
	return ca, &tls.Config{Certificates: []tls.Certificate{cert}}
}

func TestScriptPlays(t *testing.T) {
	ca, conf := certificate(t)
	s := imaptest.PlayFile(t, "testdata/starttls-slow-literal.imap", imaptest.ScriptOptions{TLS: conf})
	raw, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var c net.Conn = raw
	r := bufio.NewReader(c)
	answer := func(want string) {
		t.Helper()
		if got, err := r.ReadString('\n'); got != want+"\r\n" {
			t.Fatalf("got %q (%v), want %q", got, err, want)
		}
	}
	answer("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello")
	fmt.Fprint(c, "T1 STARTTLS\r\n")
	answer("T1 OK go on")
	c = tls.Client(raw, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
	r = bufio.NewReader(c)
	fmt.Fprint(c, "T2 LOGIN u1 \"any thing\"\r\n")
	answer("T2 OK [CAPABILITY IMAP4rev1] in")
	fmt.Fprint(c, "T3 APPEND INBOX {70000}\r\n")
	answer("+ go on")
	fmt.Fprint(c, strings.Repeat("0123456789", 7000), "\r\n")
	answer("* 1 FETCH (UID 1 BODY[] {5}")
	b := make([]byte, 5)
	if _, err := io.ReadFull(r, b); err != nil || string(b) != "a\rb\x00\xff" {
		t.Fatalf("literal %q, %v", b, err)
	}
	answer(")")
	answer("T3 OK <not.a.variable@example.org>")
	fmt.Fprint(c, "T4 LOGOUT\r\n")
	c.Close()
	again, err := net.Dial("tcp", s.Addr())
	if err == nil { // the reset may be there before the dialler looks
		defer again.Close()
		_, err = io.ReadAll(again)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("second connection ended with %v", err)
	}
}

// recorder is a TB that keeps failures.
type recorder struct {
	mu       sync.Mutex
	failed   string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed += fmt.Sprintf(format, args...)
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }
func (r *recorder) end() string {
	for _, f := range r.cleanups {
		f()
	}
	return r.failed
}

func TestScriptFails(t *testing.T) {
	for _, c := range []struct{ script, client, want string }{
		{"S: hi\nC: <a> NOOP\n", "x LOGOUT\r\n", `want "<a> NOOP\r\n"`},
		{"C: <a> NOOP\nC: <a> NOOP\n", "x NOOP\r\ny NOOP\r\n", "said something else"},
		{"C: NOOP\n", "NOOP\n", "said something else"}, // no CR
		{"C= 3 \"ab\"\n", "abaxab", "from byte 3"},
		{"C: <*>\n", "one\r\ntwo\r\n", "should close"},
		{"Q: 300ms\nC: x\n", "x\r\n", "should be quiet"},
		{"C: x\nC!\n", "x\r\n!", "should close"},
		{"C: x\nC: y\n", "x\r\n", `should say "y"`},
		{"C: x\n---\nC: y\n", "x\r\n", "did not connect"},
		{"C: x\nT: starttls\n", "x\r\n", "ScriptOptions.TLS"},
	} {
		var r recorder
		s := imaptest.Play(&r, "test.imap", c.script, imaptest.ScriptOptions{Timeout: 2 * time.Second})
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, c.client)
		time.Sleep(20 * time.Millisecond)
		conn.Close()
		if got := r.end(); !strings.Contains(got, c.want) {
			t.Errorf("script %q, client %q: reported %q, want %q in it", c.script, c.client, got, c.want)
		}
	}
}

func TestScriptSyntax(t *testing.T) {
	for _, bad := range []string{"S hello", "Z: what", "S= hello", "S= -1 \"x\"", "W: soon", "B: maybe", "X: softly", "T: ssl"} {
		var r recorder
		imaptest.Play(&r, "test.imap", "S: fine\n"+bad+"\n", imaptest.ScriptOptions{}) // this Fatalf returns
		if !strings.Contains(r.failed, "test.imap:2: ") {
			t.Errorf("%q: reported %q", bad, r.failed)
		}
		r.end()
	}
}
