package imapx_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// withoutIPv6 ends a test that a container without IPv6 cannot run. The continuous integration has it.
func withoutIPv6(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this machine has no IPv6 on its loopback: %v", err)
	}
	t.Skipf("this machine has no IPv6 on its loopback: %v", err)
}

// An IPv6 literal is dialled as it is, and is the name that the certificate must have.
func TestIPv6Literal(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		withoutIPv6(t, err)
	}
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(imaptest.CertGood)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}}).Write([]byte("* BYE from IPv6\r\n"))
	}()
	e := endpoint(t, l.Addr().String(), "u1")
	e.TLS, e.Roots = imapx.TLSImplicit, ca.Pool()
	var x *imapx.Error
	if _, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{}); !errors.As(err, &x) || !strings.Contains(x.Text, "from IPv6") {
		t.Error(err)
	}
}

// A connection goes out from the address that was asked for; one that this machine has not, or that cannot reach the server,
// is named, and not tried again.
func TestBind(t *testing.T) {
	server := real.Dovecot(t, real.Options{})
	e := endpoint(t, server.Addr(), "u1")
	e.Bind = netip.MustParseAddr("127.0.0.77")
	var from string
	dial := imapx.Direct(e.Bind).DialContext
	o := imapx.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err == nil {
			from = nc.LocalAddr().(*net.TCPAddr).IP.String()
		}
		return nc, err
	}}
	for _, o := range []imapx.Options{o, {}} {
		src, err := imapx.DialSource(within(t, 10*time.Second), e, o)
		if err != nil {
			t.Fatal(err)
		}
		src.Close()
	}
	if from != "127.0.0.77" || !strings.Contains(server.Log(), "rip=127.0.0.77") {
		t.Errorf("it came from %s; %s", from, server.Log())
	}
	for _, text := range []string{"192.0.2.77", "2001:db8::77", "::1"} {
		e.Bind = netip.MustParseAddr(text)
		_, err := imapx.DialSource(within(t, 10*time.Second), e, imapx.Options{})
		var x *imapx.Error
		if !errors.As(err, &x) || x.Kind != imapx.KindConnect || x.Retry != imapx.RetryNever || !strings.Contains(x.Text, "from "+text+" to ") || !strings.Contains(x.Hint, "--source-bind") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A name whose IPv6 address is dead is reached by IPv4 before anybody loses patience (RFC 8305): the kernel drops what comes
// to the one, for nobody takes the connections from its short queue.
func TestDeadIPv6Address(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	deadEnd(t, port)
	d := imapx.Direct(netip.Addr{})
	d.Resolver = resolver(t, "::1", "127.0.0.1")
	began := time.Now()
	nc, err := d.DialContext(within(t, 20*time.Second), "tcp", net.JoinHostPort("mail.old.example", itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	took := time.Since(began)
	if nc.RemoteAddr().(*net.TCPAddr).IP.To4() == nil || took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("%v after %v", nc.RemoteAddr(), took)
	}
}

// deadEnd listens at ::1 with a queue for a connection or two, and fills it.
func deadEnd(t *testing.T, port int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	address := &syscall.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	if err := errors.Join(syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1), syscall.Bind(fd, address), syscall.Listen(fd, 0)); err != nil {
		withoutIPv6(t, err)
	}
	for range 20 {
		nc, err := net.DialTimeout("tcp6", net.JoinHostPort("::1", itoa(port)), 300*time.Millisecond)
		if err != nil {
			return // full
		}
		t.Cleanup(func() { nc.Close() })
	}
	t.Fatal("the queue is never full")
}

// resolver is one whose every name has these two addresses.
func resolver(t *testing.T, aaaa, a string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { pc.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(answer(b[:n], netip.MustParseAddr(aaaa), netip.MustParseAddr(a)), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// answer is a DNS answer (RFC 1035 section 4) to a question for an address.
func answer(question []byte, aaaa, a netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the root, type and class
	kind := binary.BigEndian.Uint16(question[end-4:])
	data := map[uint16][]byte{1: a.AsSlice(), 28: aaaa.AsSlice()}[kind]
	b := append([]byte(nil), question[:end]...)
	binary.BigEndian.PutUint16(b[2:], 0x8180) // an answer, without an error
	for i := 6; i < 12; i++ {
		b[i] = 0
	}
	if data == nil {
		return b
	}
	b[7] = 1
	b = append(b, 0xc0, 12) // the name of the question
	b = binary.BigEndian.AppendUint16(b, kind)
	b = append(b, 0, 1, 0, 0, 0, 60, 0, byte(len(data)))
	return append(b, data...)
}
