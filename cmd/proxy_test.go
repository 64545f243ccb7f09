package cmd

import (
	"errors"
	"strings"
	"testing"

	"mailmove/imapx"
)

func TestParseProxy(t *testing.T) {
	t.Setenv("P", "pa:ss@word")
	for text, want := range map[string]string{
		"socks5://gate":                    "socks5://gate:1080  ",
		"SOCKS5H://me@gate:99/":            "socks5://gate:99 me pa:ss@word",
		"http://me%40here@[2001:db8::1]:3": "http://[2001:db8::1]:3 me@here pa:ss@word",
		"http://192.0.2.1:3128":            "http://192.0.2.1:3128  ",
	} {
		p, err := parseProxy("--source-proxy", text, "P")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.String() + " " + p.User + " " + p.Password.Reveal(); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
	for text, part := range map[string]string{
		"gate": "neither socks5:// nor http://", "https://gate:1": "neither", "http://gate": "no port", "socks5://": "no host name",
		"socks5://me:secret1@gate": "refused", "socks5://@gate": "the user before the @", "http://a%3ab@gate:1": "the user before the @",
		"http://%zz@gate:1": "%-code", "socks5://gate:0": "port", "socks5://gate/x": "no host name", "http://" + strings.Repeat("u", 256) + "@gate:1": "too long",
	} {
		_, err := parseProxy("--source-proxy", text, "P")
		var f *failure
		if !errors.As(err, &f) || f.code != exitUsage || !strings.Contains(f.what, part) || strings.Contains(f.what+f.hint, "secret1") {
			t.Errorf("%s: %v", text, err)
		}
	}
	t.Setenv("P", "")
	var f *failure
	if _, err := parseProxy("--source-proxy", "socks5://me@gate", "P"); !errors.As(err, &f) || f.code != exitNoInput || f.hint != "set P" {
		t.Errorf("%v", err)
	}
	// In the environment a password may stand in the URL itself.
	if p, err := parseProxy("ALL_PROXY", "http://me:se%3acret@gate:1", ""); err != nil || p.Password.Reveal() != "se:cret" {
		t.Errorf("%v %v", p, err)
	}
}

func TestProxyOfEnvironment(t *testing.T) {
	for _, name := range []string{"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"} {
		t.Setenv(name, "")
	}
	at := func(host string) imapx.Endpoint { return imapx.Endpoint{Side: "source", Host: host, Port: 993} }
	used := func(ep imapx.Endpoint) bool {
		t.Helper()
		p, err := proxyOfEnvironment(ep, "--source-proxy")
		if err != nil {
			t.Fatal(err)
		}
		return p != nil
	}
	if used(at("mail.old.example")) {
		t.Error("there is none")
	}
	t.Setenv("ALL_PROXY", "https://not.spoken.example:1")
	t.Setenv("all_proxy", "socks5://gate.example")
	for exceptions, hosts := range map[string]map[string]bool{
		"":                                       {"mail.old.example": true, "192.0.2.1": true, "localhost": false, "127.0.0.9": false, "::1": false},
		"*":                                      {"mail.old.example": false, "192.0.2.1": false},
		"old.example, 192.0.2.0/24":              {"mail.old.example": false, "old.example": false, "cold.example": true, "OLD.example.": false, "192.0.2.9": false, "192.0.3.9": true},
		".old.example,*.new.example,2001:db8::1": {"mail.old.example": false, "mail.new.example": false, "old.example.org": true, "2001:db8::1": false, "2001:db8::2": true},
		"mail.old.example:143,new.example:993,":  {"mail.old.example": true, "mail.new.example": false, "": true},
	} {
		t.Setenv("NO_PROXY", exceptions)
		for host, want := range hosts {
			if got := used(at(host)); got != want {
				t.Errorf("NO_PROXY=%s, %s: %v", exceptions, host, got)
			}
		}
	}
	// Which machine is dialled counts.
	dialled := at("mail.old.example")
	dialled.Address = "127.0.0.1"
	if used(dialled) {
		t.Error("to this machine through the proxy")
	}
	t.Setenv("all_proxy", "")
	t.Setenv("NO_PROXY", "")
	_, err := proxyOfEnvironment(at("mail.old.example"), "--source-proxy")
	var f *failure
	if !errors.As(err, &f) || f.code != exitUsage || !strings.Contains(f.what, "ALL_PROXY") || !strings.Contains(f.hint, "--source-proxy none") {
		t.Errorf("%v", err)
	}
}
