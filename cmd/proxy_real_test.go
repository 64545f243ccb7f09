package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mailmove/imapx/imaptest/real"
)

// TestMoveThroughProxies: a pass whose sides go through real proxies, by flags and by the environment, with passwords that
// only the environment has; and with nothing else to get through, for the proxies alone know the way.
func TestMoveThroughProxies(t *testing.T) {
	program, err := exec.LookPath("mailmove")
	if err != nil {
		t.Fatal(err)
	}
	server := real.Dovecot(t, real.Options{})
	socks := real.Microsocks(t, real.Login{User: "me@socks", Password: "5ocks pass"})
	http := real.Tinyproxy(t, real.Login{User: "me", Password: "h77p"})
	for _, c := range []struct {
		name string
		args []string
		env  []string
		code int
		said string
	}{
		{"flags", []string{"--source-proxy", "socks5://me@socks@" + socks, "--target-proxy", "http://me@" + http},
			[]string{"MAILMOVE_SOURCE_PROXY_PASSWORD=5ocks pass", "MAILMOVE_TARGET_PROXY_PASSWORD=h77p"}, 0, ": 0 copied"},
		{"both by one", []string{"--source-proxy", "http://me@" + http, "--target-proxy", "http://me@" + http},
			[]string{"MAILMOVE_SOURCE_PROXY_PASSWORD=h77p", "MAILMOVE_TARGET_PROXY_PASSWORD=h77p"}, 0, ": 0 copied"},
		{"wrong password", []string{"--source-proxy", "socks5://me@socks@" + socks}, []string{"MAILMOVE_SOURCE_PROXY_PASSWORD=wr0ng"},
			exitConnectSrc, "the proxy socks5://" + socks + " refuses the login of its user"},
		{"no login", []string{"--target-proxy", "http://" + http}, nil, exitConnectDst, "the proxy http://" + http + " wants a login"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			args := append([]string{"sync", "--id", "moved", "--state-dir", t.TempDir(), "--trace", trace, "--retry-for", "off",
				"--source", "imaps://" + server.TLSAddr(), "--source-user", "u1", "--source-ca", server.CAFile(),
				"--target", "imap://" + server.Addr(), "--target-user", "u2", "--target-ca", server.CAFile()}, c.args...)
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = append(os.Environ(), "MAILMOVE_SOURCE_PASSWORD="+real.Password, "MAILMOVE_TARGET_PASSWORD="+real.Password)
			cmd.Env = append(cmd.Env, c.env...)
			said, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(said), c.said) {
				t.Fatalf("%v (%d): %s", err, code, said)
			}
			if text, err := os.ReadFile(trace); err != nil || strings.Contains(string(text)+string(said), "5ocks pass") || strings.Contains(string(text)+string(said), "h77p") {
				t.Errorf("the trace: %v; a password shows in it, or in %s", err, said)
			}
		})
	}
}
