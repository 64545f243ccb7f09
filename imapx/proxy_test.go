package imapx_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/auth"
)

func itoa(n int) string { return strconv.Itoa(n) }

// behind is a scripted endpoint as a proxy, with a server's side of IMAP behind its answer.
func behind(t *testing.T, kind imapx.ProxyKind, answer func(s *scripted)) imapx.Endpoint {
	t.Helper()
	at := serve(t, answer)
	e := endpoint(t, "192.0.2.1:143", "u1")
	e.Proxy = &imapx.Proxy{Kind: kind, Address: at.Host + ":" + itoa(at.Port)}
	return e
}

// A server greets at once: its first bytes come in one packet with the proxy's last ones, and belong to IMAP.
func TestServerGreetsBehindTheProxysAnswer(t *testing.T) {
	const greeting = "* OK [CAPABILITY IMAP4rev1] hello\r\n"
	session := func(s *scripted) {
		s.send("%s OK [CAPABILITY IMAP4rev1] in\n", s.expect("LOGIN .*"))
		s.rest()
	}
	for name, c := range map[string]struct {
		kind   imapx.ProxyKind
		answer func(s *scripted)
	}{
		"http": {imapx.ProxyHTTP, func(s *scripted) {
			line, _ := s.r.ReadString('\n')
			if line != "CONNECT 192.0.2.1:143 HTTP/1.1\r\n" {
				s.t.Errorf("%q", line)
			}
			for line != "\r\n" {
				line, _ = s.r.ReadString('\n')
			}
			s.write("HTTP/1.0 299 Whatever\r\nX: " + strings.Repeat("y", 8<<10) + "\r\n\r\n" + greeting)
			session(s)
		}},
		"http, bare newlines": {imapx.ProxyHTTP, func(s *scripted) {
			for line := ""; line != "\r\n"; {
				line, _ = s.r.ReadString('\n')
			}
			s.write("HTTP/1.1 200\n\n" + greeting)
			session(s)
		}},
		"http, IPv6": {imapx.ProxyHTTP, func(s *scripted) {
			line, _ := s.r.ReadString('\n')
			host, _ := s.r.ReadString('\n')
			if line != "CONNECT [2001:db8::1]:143 HTTP/1.1\r\n" || host != "Host: [2001:db8::1]:143\r\n" {
				s.t.Errorf("%q %q", line, host)
			}
			_, _ = s.r.ReadString('\n')
			s.write("HTTP/1.1 200 OK\r\n\r\n" + greeting)
			session(s)
		}},
		"socks": {imapx.ProxySOCKS5, func(s *scripted) {
			s.want([]byte{5, 1, 0})
			s.write("\x05\x00")
			s.want([]byte{5, 1, 0, 1, 192, 0, 2, 1, 0, 143})
			s.write("\x05\x00\x00\x03\x07gateway\x12\x34" + greeting)
			session(s)
		}},
		"socks, IPv6": {imapx.ProxySOCKS5, func(s *scripted) {
			s.want([]byte{5, 1, 0})
			s.write("\x05\x00")
			s.want([]byte{5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 143})
			s.write("\x05\x00\x00\x04" + strings.Repeat("\x00", 18) + greeting)
			session(s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := behind(t, c.kind, c.answer)
			if strings.Contains(name, "IPv6") {
				e.Host = "2001:db8::1"
			}
			src, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{Trace: traceTo(t)})
			if err != nil {
				t.Fatal(err)
			}
			src.Close()
		})
	}
}

// A proxy that talks without an end, or nonsense, costs little memory and no time.
func TestHostileProxies(t *testing.T) {
	for name, c := range map[string]struct {
		kind   imapx.ProxyKind
		answer string
		text   string
	}{
		"a header without an end":   {imapx.ProxyHTTP, "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<20), "another way"},
		"a line without an end":     {imapx.ProxyHTTP, "HTTP/1.1 " + strings.Repeat("9", 1<<20), "another way"},
		"a status that is none":     {imapx.ProxyHTTP, "HTTP/1.1 -1 no\r\n\r\n", "another way"},
		"words without an end":      {imapx.ProxyHTTP, "HTTP/1.1 503 " + strings.Repeat("no ", 4<<10) + "\r\n\r\n", "says: 503 no no"},
		"a version of tomorrow":     {imapx.ProxyHTTP, "HTTP/2 200 OK\r\n\r\n", "another way"},
		"SOCKS 4":                   {imapx.ProxySOCKS5, "\x00\x5a\x00\x00\x00\x00\x00\x00", "another way"},
		"a method nobody asked for": {imapx.ProxySOCKS5, "\x05\x02", "offers no way to log in"},
		"a kind of address":         {imapx.ProxySOCKS5, "\x05\x00\x05\x00\x00\x09", "another way"},
		"a reply of tomorrow":       {imapx.ProxySOCKS5, "\x05\x00\x05\x63\x00\x01", "says: code 99"},
		"an end":                    {imapx.ProxySOCKS5, "\x05", "ended the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			e := behind(t, c.kind, func(s *scripted) {
				_, _ = s.nc.Read(make([]byte, 1<<10))
				s.write(c.answer)
				if name != "an end" {
					_, _ = io.Copy(io.Discard, s.r)
				}
			})
			began := time.Now()
			_, err := imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{DialTimeout: 10 * time.Second})
			var x *imapx.Error
			if !errors.As(err, &x) || !strings.Contains(x.Text, c.text) || len(x.Text) > 400 || time.Since(began) > 5*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	}
}

// A proxy that repeats what it refuses puts no password into an error, not in part either.
func TestProxyRepeatsItsLogin(t *testing.T) {
	for _, before := range []int{0, 180} {
		e := behind(t, imapx.ProxyHTTP, func(s *scripted) {
			said := ""
			for line := ""; line != "\r\n"; {
				line, _ = s.r.ReadString('\n')
				if _, login, is := strings.Cut(line, "Basic "); is {
					said = strings.TrimSpace(login)
				}
			}
			s.write("HTTP/1.1 407 " + strings.Repeat("x", before) + said + " s3cret-w0rd\r\n\r\n")
		})
		e.Proxy.User, e.Proxy.Password = "admin", auth.NewSecret("s3cret-w0rd")
		_, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{})
		if err == nil || !strings.Contains(err.Error(), "wants a login") {
			t.Fatal(err)
		}
		login := base64.StdEncoding.EncodeToString([]byte("admin:s3cret-w0rd"))
		if said := err.Error(); strings.Contains(said, login[:12]) || strings.Contains(said, "s3cret") {
			t.Errorf("%s", said)
		}
	}
}

// Ctrl-C while a proxy is silent ends the wait, and is told as what it is.
func TestProxyAndCancel(t *testing.T) {
	e := behind(t, imapx.ProxySOCKS5, func(s *scripted) { _, _ = io.Copy(io.Discard, s.r) })
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	time.AfterFunc(200*time.Millisecond, cancel)
	began := time.Now()
	_, err := imapx.DialSource(ctx, e, imapx.Options{DialTimeout: 15 * time.Second})
	if err == nil || !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// write sends bytes as they are. Who does not want them all closes the connection.
func (s *scripted) write(text string) { _, _ = io.WriteString(s.nc, text) }

func (s *scripted) want(all []byte) {
	got := make([]byte, len(all))
	if _, err := io.ReadFull(s.r, got); err != nil || !bytes.Equal(got, all) {
		s.t.Errorf("%x %v, want %x", got, err, all)
	}
}
