package discover

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/dns/dnstest"
)

// world is a resolver that knows one zone, and a web server for all names.
func world(t *testing.T, zone string, page http.HandlerFunc) Config {
	t.Helper()
	w, err := dnstest.Start(map[string]string{dnstest.Root: zone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	web := httptest.NewTLSServer(page)
	t.Cleanup(web.Close)
	client := web.Client()
	transport := client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // whom the test's certificate is for
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, web.Listener.Addr().String())
	}
	client.Transport = transport
	return Config{Client: client, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.Root().String())
	}}}
}

func look(t *testing.T, c Config) Found {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	f, err := Look(ctx, c, "alice@old.example")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const zone = `$ORIGIN .
@ 60 IN SOA ns. root. 1 60 60 60 60
@ 60 IN NS ns.
ns. 60 IN A 127.0.0.1
_imaps._tcp.old.example. 60 IN SRV 0 1 993 mx.hoster.example.
_imap._tcp.old.example. 60 IN SRV 0 0 0 .
`

// What the DNS says of a foreign server is tried, but gets no password; the domain's file by https vouches for its servers.
func TestLook(t *testing.T) {
	var paths []string
	c := world(t, zone, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.Host+r.URL.Path)
		if strings.HasPrefix(r.Host, "autoconfig.") {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(`<clientConfig><emailProvider id="x">
<incomingServer type="pop3"><hostname>pop.example</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>clear.example</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<incomingServer type="imap"><hostname>in.%EMAILDOMAIN%</hostname><port>143</port><socketType>STARTTLS</socketType><username>%EMAILLOCALPART%</username></incomingServer>
<incomingServer type="imap"><hostname>in..example</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>in.example</hostname><port>993</port><socketType>SSL</socketType><username>bob&#10;x</username></incomingServer>
<incomingServer type="imap"><hostname>-evil; rm</hostname><port>143</port><socketType>SSL</socketType></incomingServer>
</emailProvider></clientConfig>`))
	})
	f := look(t, c)
	srv, file, guess := f.Servers[0], f.Servers[1], f.Servers[2]
	if srv.Host != "mx.hoster.example" || srv.Port != 993 || srv.StartTLS || srv.Vouched {
		t.Errorf("%+v", srv)
	}
	if file.Host != "in.old.example" || file.Port != 143 || !file.StartTLS || !file.Vouched || file.User != "alice" {
		t.Errorf("%+v", file)
	}
	if guess.Host != "imap.old.example" || guess.Port != 993 || !guess.Vouched || len(f.Servers) != 8 {
		t.Errorf("%+v", f.Servers)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, want := range []string{"no such service", "status 404", "left out", "names no server", "user's name cannot be one"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in %s", want, notes)
		}
	}
	if strings.Contains(notes, "alice") || !slices.Contains(paths, "old.example/.well-known/autoconfig/mail/config-v1.1.xml") {
		t.Errorf("%s %v", notes, paths)
	}
}

// A file that is too long, leads out of TLS, or is none, is told and not believed.
func TestBadFiles(t *testing.T) {
	for want, page := range map[string]http.HandlerFunc{
		"too long": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxFile+1)) },
		"without TLS": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://old.example/", http.StatusFound)
		},
		"no autoconfig file": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<a><b>")) },
		"names no IMAP":      func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<clientConfig/>")) },
		"from page to page":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		f := look(t, world(t, zone, page))
		if notes := strings.Join(f.Notes, "\n"); !strings.Contains(notes, want) || len(f.Servers) != 7 {
			t.Errorf("%s: %s %v", want, notes, f.Servers)
		}
	}
}

// A file of thousands of entries that are left out is no reason for thousands of lines.
func TestNotesHaveABound(t *testing.T) {
	f := look(t, world(t, zone, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<clientConfig><emailProvider>" + strings.Repeat(`<incomingServer type="imap"><socketType>plain</socketType></incomingServer>`, 2000) + "</emailProvider></clientConfig>"))
	}))
	if len(f.Notes) > 100 || !strings.Contains(strings.Join(f.Notes, "\n"), "entries that are not looked at") {
		t.Errorf("%d notes: %s", len(f.Notes), f.Notes[len(f.Notes)-1])
	}
}

// A domain in another script has a form of its own in the DNS, which is asked for.
func TestAddressInAnotherScript(t *testing.T) {
	if _, err := Look(context.Background(), Config{}, "alice@bücher.example"); err == nil || !strings.Contains(err.Error(), "xn--") {
		t.Errorf("%v", err)
	}
}

func TestNoAddress(t *testing.T) {
	for _, text := range []string{"", "alice", "@old.example", "alice@", "alice@-x", "alice@a b"} {
		if _, err := Look(context.Background(), Config{}, text); err == nil {
			t.Errorf("%q", text)
		}
	}
}
