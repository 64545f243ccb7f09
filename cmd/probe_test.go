package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/discover"
	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state/fleet"
)

var updateProbe = flag.Bool("update-probe", false, "write the examples of docs/probe.md anew")

const (
	probeFile                = "../docs/probe.md"
	probeBegins, probeEnds   = "<!-- the examples: made by TestProbePage -->\n", "<!-- end of the examples -->\n"
	probeUser, probePassword = "alice", "secret"
)

// probed runs the command as a shell would.
func probed(t *testing.T, password string, args ...string) (code int, out, said string) {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, append([]string{"probe"}, args...)...)
	c.Env = append(os.Environ(), "MAILMOVE_STATE_DIR="+t.TempDir(), "MAILMOVE_PASSWORD="+password)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// alike takes out of an output what differs from run to run and from machine to machine.
func alike(s, addr, user string) string {
	host, _ := os.Hostname()
	for _, r := range [][2]string{
		{regexp.QuoteMeta(addr), "mail.old.example:993"},
		{`\b` + regexp.QuoteMeta(user) + `\b`, "alice"},
		{`(?m)^(certificate\s+for).*(\n +.*)*`, "$1 …"},
		{`(?m)^(round trip +).*`, "${1}80µs"},
		{`\d messages in [0-9.]+[µm]?s`, "3 messages in 5ms"},
		{`(greeting +.*)` + regexp.QuoteMeta(host), "${1}mail"},
		{`-Debian-[^\s]+`, ""},
		{`(?m)^(ID +environment: ).*(\n +.*)*`, "$1…"},
		{`(?m)^(ID +os-version: ).*`, "$1…"},
		{`(?m)^(TLS +TLS 1.3).*`, "$1 …"},
	} {
		s = regexp.MustCompile(r[0]).ReplaceAllString(s, r[1])
	}
	return s
}

// TestProbePage makes the examples of docs/probe.md: each server that the tests have, with a login and a look at how it
// stores.
func TestProbePage(t *testing.T) {
	dovecot, cyrus, courier := real.Dovecot(t, real.Options{}), real.Cyrus(t, real.CyrusOptions{}), real.Courier(t)
	embedded, err := imaptest.StartEmbedded(imaptest.EmbeddedOptions{Users: []imaptest.EmbeddedUser{{Name: probeUser, Password: probePassword}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(embedded.Close)
	var b strings.Builder
	for _, s := range []struct {
		name, url, addr, user, password string
		flags                           []string
		want                            []string
	}{
		{"Dovecot 2.3", "imaps://" + dovecot.TLSAddr(), dovecot.TLSAddr(), dovecot.FreshUser(), real.Password, []string{"--ca", dovecot.CAFile()},
			[]string{"provider        Dovecot", "UIDs told: yes, dates kept: yes, keywords kept: yes", "removed again: yes"}},
		{"Cyrus 3.6", "imap://" + cyrus.Addr(), cyrus.Addr(), cyrus.FreshUser(), real.Password, []string{"--tls", "none"},
			[]string{"provider        Cyrus", "removed again: yes"}},
		{"Courier 5.0", "imap://" + courier.Addr(), courier.Addr(), courier.FreshUser(), real.Password, []string{"--tls", "none"},
			[]string{"provider        Courier", "verdict         slow, because", "LITERAL+", "removed again: yes"}},
		{"the embedded server of `mailmove demo`", "imap://" + embedded.Addr(), embedded.Addr(), probeUser, probePassword, []string{"--tls", "none"},
			[]string{"provider        not recognised", "removed again: yes"}},
	} {
		code, out, said := probed(t, s.password, append([]string{s.url, "--user", s.user, "--write"}, s.flags...)...)
		if code != exitDone || said != "" {
			t.Errorf("%s: exit code %d\n%s", s.name, code, said)
		}
		for _, w := range s.want {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(w), " ")) {
				t.Errorf("%s: not told: %s\n%s", s.name, w, out)
			}
		}
		for _, line := range strings.Split(out, "\n") {
			if len([]rune(line)) > 80 && strings.Contains(line[16:], " ") {
				t.Errorf("%s: wider than 80 columns: %s", s.name, line)
			}
		}
		fmt.Fprintf(&b, "%s:\n\n```\n%s```\n\n", strings.ToUpper(s.name[:1])+s.name[1:], alike(out, s.addr, s.user))
	}
	page, err := os.ReadFile(probeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), probeBegins)
	examples, after, ok2 := strings.Cut(rest, probeEnds)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for the examples", probeFile)
	case *updateProbe:
		if err := os.WriteFile(probeFile, []byte(before+probeBegins+b.String()+probeEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case !slices.Equal(strings.Fields(examples), strings.Fields(b.String())): // a longer time moves the end of its line
		t.Errorf("%s shows something else (go test ./cmd -run ProbePage -update-probe writes it):\n%s", probeFile, b.String())
	}
}

// TestProbe: without a login, with a wrong password, as JSON, and what it refuses.
func TestProbe(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	user := s.FreshUser()
	code, out, said := probed(t, "", "imap://"+s.Addr(), "--ca", s.CAFile(), "--json")
	var j jsonProbe
	if err := json.Unmarshal([]byte(out), &j); err != nil || code != exitDone || j.Type != "probe" || j.TLS != "TLS 1.3" || j.Certificate == nil ||
		len(j.Certificate.SHA256) == 0 || len(j.Before) == 0 || len(j.After) != 0 || j.RTT <= 0 {
		t.Errorf("without a login: %d %v\n%s%s", code, err, out, said)
	}
	code, out, said = probed(t, real.Password, "imaps://"+user+"@"+s.TLSAddr(), "--ca", s.CAFile(), "--json")
	j = jsonProbe{}
	if err := json.Unmarshal([]byte(out), &j); err != nil || code != exitDone || len(j.After) == 0 || j.Folders == 0 || j.ID["name"] != "Dovecot" ||
		j.Provider != "Dovecot" || len(j.Namespaces) == 0 || j.Write != nil {
		t.Errorf("with a login: %d %v\n%s%s", code, err, out, said)
	}
	if strings.Contains(out+said, real.Password+"\"") {
		t.Error("the password is shown")
	}
	for name, c := range map[string]struct {
		code int
		says string
		args []string
	}{
		"a wrong password":       {exitAuthSrc, "refused", []string{"imaps://" + s.TLSAddr(), "--ca", s.CAFile(), "--user", user, "--write"}},
		"an unknown certificate": {exitTLS, "--tls-pin", []string{"imaps://" + s.TLSAddr()}},
		"clear text to anybody":  {exitUsage, "clear text", []string{"alice@old.example", "--tls", "none"}},
		"a search and a proxy":   {exitUsage, "would go out directly", []string{"alice@old.example", "--proxy", "socks5://127.0.0.1:1"}},
		"a password in the URL":  {exitUsage, "use --password-file", []string{"imaps://alice:x@old.example"}},
		"an empty server":        {exitUsage, "for example mail.example.org", []string{""}},
		"no address":             {exitUsage, "mail address", []string{"@"}},
		"nothing":                {exitUsage, "one mail address, host or URL", nil},
		"a dead port":            {exitConnectSrc, "nothing listens", []string{"imaps://127.0.0.1:1"}},
		"both ports dead":        {exitConnectSrc, "cannot reach 127.0.0.9:993: nothing listens at 127.0.0.9:993 (connection refused); tried too: 127.0.0.9:143: nothing listens", []string{"127.0.0.9"}},
		"a password in it":       {exitUsage, "use --password-file", []string{"imaps://a:b@mail.old.example"}},
	} {
		code, out, said := probed(t, "wr0ng", c.args...)
		if code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "---") {
			t.Errorf("%s: exit code %d, not %d\n%s%s", name, code, c.code, out, said)
		}
	}
}

// Where one server does not answer and the next does, that is said: what is wrong with the first may be why mail programs
// fail.
func TestProbeTellsWhatItPassedOver(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	file := "imap://" + s.Addr()
	code, out, said := probed(t, "", file, "--ca", s.CAFile())
	if code != exitDone || strings.Contains(said, "passed over") {
		t.Fatalf("%d %s%s", code, out, said)
	}
	at, err := parseAddress("ENDPOINT", file)
	if err != nil {
		t.Fatal(err)
	}
	dead := discover.Server{Host: "127.0.0.9", Port: 1, Vouched: true}
	answers := discover.Server{Host: at.Host, Port: at.Port, StartTLS: true, Vouched: true}
	for _, c := range []struct {
		servers []discover.Server
		want    string
	}{
		{[]discover.Server{answers, dead}, ""},
		{[]discover.Server{dead, dead, answers}, "passed over: 127.0.0.9:1: nothing listens at 127.0.0.9:1 (connection refused)"},
	} {
		var out, said bytes.Buffer
		p := &probing{probeFlags: &probeFlags{stateDir: t.TempDir()}, a: &app{out: &out, err: &said, width: 80}}
		p.endpoint.ca = s.CAFile()
		if err := p.tryAll(t.Context(), c.servers); err != nil || !strings.Contains(out.String(), "provider") {
			t.Errorf("%v %s", err, out.String())
		}
		if got := strings.Join(strings.Fields(said.String()), " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	noHost, silent := &imapx.Error{Err: &net.DNSError{IsNotFound: true}}, &imapx.Error{Text: "no connection"}
	guess := discover.Server{Guessed: true}
	if worthTelling(guess, noHost) || !worthTelling(guess, silent) || !worthTelling(dead, noHost) {
		t.Error("a guess that is no host is told, or another is not")
	}
}

// What a state folder remembers counts for a probe too: a certificate that is trusted by itself, and a login that failed.
func TestProbeRemembers(t *testing.T) {
	s, dir := real.Dovecot(t, real.Options{}), t.TempDir()
	user, server := s.FreshUser(), "imaps://"+s.TLSAddr()
	_, out, said := probed(t, "", server, "--ca", s.CAFile(), "--json", "--state-dir", dir)
	var j jsonProbe
	if err := json.Unmarshal([]byte(out), &j); err != nil || j.Certificate == nil || j.Certificate.Pinned {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	if exists(filepath.Join(dir, fleet.FileName)) {
		t.Error("a probe makes a fleet file")
	}
	f, err := fleet.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := auth.ParsePin("sha256:" + j.Certificate.SHA256)
	if err == nil {
		err = f.Trust(t.Context(), fleet.TrustedCertificate{Server: s.TLSAddr(), SHA256: pin, Added: time.Now()})
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code     int
		password string
		says     string
		more     []string
	}{
		{exitDone, real.Password, "by itself, as mailmove trust remembers it", nil},
		{exitAuthSrc, "wr0ng", "refused", nil},
		{exitAuthSrc, "wr0ng", "not tried: it was refused at", nil},
		{exitAuthSrc, "wr0ng", "refused by", []string{"--login-now"}},
		{exitDone, real.Password, "LITERAL+", nil}, // another password is tried at once
	} {
		code, out, said := probed(t, c.password, append([]string{server, "--user", user, "--state-dir", dir}, c.more...)...)
		if all := strings.Join(strings.Fields(out+said), " "); code != c.code || !strings.Contains(all, c.says) {
			t.Errorf("%v: exit code %d, not %d: %s", c, code, c.code, all)
		}
	}
}

// Where no server answers, each is told once, the one that matters first.
func TestProbeTellsEachServer(t *testing.T) {
	at := func(server, text string) *imapx.Error {
		return &imapx.Error{Op: "connect", Kind: imapx.KindConnect, Server: server, Text: text}
	}
	none := func(server, host string) *imapx.Error {
		x := at(server, "there is no host "+host)
		x.Err = &net.DNSError{Name: host, Err: "no such host", IsNotFound: true}
		return x
	}
	certificate := at("mail.a.example:143", "expired")
	certificate.Kind = imapx.KindTLS
	for name, c := range map[string]struct {
		usual string
		tried []*imapx.Error
		want  string
		code  int
	}{
		"both ports":    {"", []*imapx.Error{at("a.example:993", "nothing listens"), at("a.example:143", "no connection within 15s")}, "cannot reach a.example:993: nothing listens; tried too: a.example:143: no connection within 15s", exitConnectSrc},
		"a certificate": {"", []*imapx.Error{at("mail.a.example:993", "nothing listens"), certificate}, "no secure connection to mail.a.example:143: expired; tried too: mail.a.example:993: nothing listens", exitTLS},
		"no host":       {"", []*imapx.Error{none("a.example:993", "a.example"), none("a.example:143", "a.example")}, "cannot reach a.example:993: there is no host a.example", exitConnectSrc},
		"nothing":       {"alice@a.example", []*imapx.Error{none("imap.a.example:993", "imap.a.example"), none("a.example:143", "a.example")}, `no IMAP server is found for "alice@a.example": its domain names none, and there is no host with a common name`, exitConnectSrc},
		"one of many":   {"alice@a.example", []*imapx.Error{none("imap.a.example:993", "imap.a.example"), at("a.example:993", "nothing listens")}, "cannot reach a.example:993: nothing listens; tried too: imap.a.example:993: there is no host imap.a.example", exitConnectSrc},
	} {
		err := (&probing{usual: c.usual}).nobody(c.tried)
		if line, _ := describe(err); line != c.want || exitCode(err) != c.code {
			t.Errorf("%s: exit code %d: %s", name, exitCode(err), line)
		}
	}
}
