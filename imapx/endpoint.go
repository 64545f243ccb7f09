package imapx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"mailmove/imapx/auth"
)

// TLSMode says how a connection is protected.
type TLSMode int

const (
	TLSImplicit TLSMode = iota // TLS from the first byte, port 993 (RFC 8314 section 3.2)
	TLSStartTLS                // STARTTLS on port 143 (RFC 9051 section 6.2.1), never falling back to clear text
	TLSNone                    // clear text, only ever on request
)

// Endpoint says where a mailbox is and how to log in to it.
type Endpoint struct {
	Side       string // "source" or "target", for messages
	Host       string // name that is resolved and verified
	Port       int    // 0: 993 for TLSImplicit, else 143
	Address    string // IP or host[:port] to dial instead of Host; the certificate is still checked against Host
	TLS        TLSMode
	TLSName    string           // name the certificate must have; empty: Host
	Roots      *x509.CertPool   // nil: the system's
	Pins       []auth.Pin       // where there are any: the certificates that the server may have, and nothing else is asked of them
	PinnedAs   string           // under which name the pins are remembered; empty: they were given
	OldestTLS  uint16           // tls.VersionTLS10 and so on; 0: TLS 1.2
	ClientCert *tls.Certificate // shown to a server that asks for one, and enough for EXTERNAL where there is no password; nil: none
	Proxy      *Proxy           // what the server is dialled through; nil: directly
	Bind       netip.Addr       // address of this machine that connections go out from; zero: the system chooses
	User       string           // as typed; "user*master" goes through untouched
	AuthzID    string           // SASL authorization identity (RFC 4616), empty: none
	Password   auth.Secret
	Token      *auth.Tokens   // access tokens instead of a password; nil: none
	Auth       auth.Mechanism // the way to log in; empty: the strongest that both sides have
}

// Options tune a connection. The zero value is usable.
type Options struct {
	Timeout     time.Duration                                                        // longest wait without progress while reading or writing; 0: 2 minutes
	DialTimeout time.Duration                                                        // TCP connect, TLS handshake and greeting together; 0: 30 seconds
	Dial        func(ctx context.Context, network, address string) (net.Conn, error) // TCP, below any proxy; nil: net.Dialer with the endpoint's Bind
	Compress    Compress                                                             // when a server that can compress is asked to
	Line        *Line                                                                // what is known of the way to the server, for CompressAuto; nil: nothing, and this connection keeps it to itself
	AwaitEnd    bool                                                                 // Close waits, at most 2 seconds, until the server has ended the connection: it counts against the server's limits until then
	Trace       io.Writer                                                            // protocol trace, a Write for each line, from several goroutines and connections; credentials and literals never reach it; nil: none
	Logger      *slog.Logger                                                         // nil: discards
	Hook        func(effect string)                                                  // called after each command sent and each response read; for tests that die at every step
}
