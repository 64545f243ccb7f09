package imapx_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
)

// A server that is slow to greet is no TLS server: it is waited for, whatever it makes of the second connection. One
// that says nothing at all is told as such.
func TestSlowGreeting(t *testing.T) {
	for _, c := range []struct {
		name   string
		greets bool
		second func(net.Conn) // what becomes of the connection that tries TLS
	}{
		{"greets late", true, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }},
		{"greets late and closes the second", true, func(nc net.Conn) {}},
		{"greets late on both", true, func(nc net.Conn) { _, _ = nc.Write([]byte("* OK hello\r\n")) }},
		{"never greets", false, func(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := 0; ; n++ {
					nc, err := ln.Accept()
					if err != nil {
						return
					}
					defer nc.Close()
					if n > 0 {
						c.second(nc)
						_ = nc.Close()
						continue
					}
					go func() {
						time.Sleep(900 * time.Millisecond)
						if c.greets {
							_, _ = nc.Write([]byte("* BYE too busy\r\n"))
						}
					}()
				}
			}()
			e := endpoint(t, ln.Addr().String(), "u1")
			e.TLS = imapx.TLSStartTLS
			_, err = imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{DialTimeout: 2 * time.Second})
			if e := ln.Close(); e != nil {
				t.Error(e)
			}
			<-done
			want := imapx.KindConnect
			if c.greets {
				want = imapx.KindUnavailable // it was heard
			}
			var ie *imapx.Error
			if !errors.As(err, &ie) || ie.Kind != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A second connection that the server ends by an alert is an answer in TLS: here a certificate of another name.
func TestSilentTLSPortOfAnotherName(t *testing.T) {
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	server, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{TLS: ca, Cert: imaptest.CertForeign})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	e := endpoint(t, server.Addr(), "u1")
	e.TLS, e.Roots = imapx.TLSStartTLS, ca.Pool()
	started := time.Now()
	_, err = imapx.DialSource(within(t, 20*time.Second), e, imapx.Options{DialTimeout: 15 * time.Second})
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Kind != imapx.KindTLS || ie.Retry != imapx.RetryNever {
		t.Errorf("got %v", err)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("it took %v of the 15 s", took)
	}
}
