package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// What a German Excel writes into a list logs in: umlauts, separators and quotes in passwords arrive as they are, from
// Windows-1252, UTF-16 and UTF-8.
func TestPasswordsOfListsLogIn(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // the server reads them as another user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("müller:{PLAIN}grüße;\"€\"\nmueller:{PLAIN}ß;ü\nmeier:{PLAIN}plain\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := real.Dovecot(t, real.Options{Extra: "auth_username_chars =\npassdb {\n driver = passwd-file\n args = " + users + "\n username_filter = m*\n}\n"})
	for _, name := range []string{"excel-windows-1252.csv", "excel-utf-16.txt"} {
		f, err := os.Open(filepath.Join("internal/accounts/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		l, err := accounts.Read(f, name, accounts.Options{Columns: listColumns()})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Rows) != 2 {
			t.Fatalf("%s: %d rows", name, len(l.Rows))
		}
		for _, r := range l.Rows {
			for _, side := range []string{"source", "target"} {
				if err := loginWith(server, r, side); err != nil {
					t.Errorf("%s:%d: %s: %v", name, r.Line, side, err)
				}
			}
		}
		wrong := l.Rows[0]
		wrong.Secrets["source_password"] = l.Rows[1].Secrets["source_password"]
		if err := loginWith(server, wrong, "source"); err == nil {
			t.Errorf("%s: another's password logs in", name)
		}
	}
}

func loginWith(server *real.Server, r accounts.Row, side string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	host, port, err := parseHostPort("", server.Addr())
	if err != nil {
		return err
	}
	ep := imapx.Endpoint{Side: side, Host: host, Port: port, TLS: imapx.TLSStartTLS, TLSName: "localhost", Roots: server.CertPool(),
		User: r.Fields[side+"_user"], Password: r.Secrets[side+"_password"]}
	s, err := imapx.DialSource(ctx, ep, imapx.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

// The keys of a row are equal for equal mailboxes only, whatever the row leaves to the command line.
func TestMailboxKeys(t *testing.T) {
	list := func(lines ...string) *accounts.List {
		l, err := accounts.Read(strings.NewReader(strings.Join(lines, "\n")), "list", accounts.Options{Columns: listColumns()})
		if err != nil {
			t.Fatal(err)
		}
		l.Check(mailboxKeys())
		return l
	}
	for _, c := range []struct {
		want  string // of the last row
		lines []string
	}{
		{"", []string{"source_user,target_user", "a,a"}},
		{"", []string{"source_user,target_user", "a,b", "b,c"}},
		{"the same account as in line 2", []string{"source_user,target_user", "a,b", "A,B"}},
		{"goes into the same mailbox as line 2", []string{"source_user,target_user", "a,x", "b,X"}},
		{"source and target are the same mailbox", []string{"source,source_user,target,target_user", "h,a,imaps://H:993,A"}},
		{"", []string{"source,source_user,target,target_user,source_address", "h,a,h,a,10.0.0.1"}},
		{"that is no host name", []string{"source,source_user,target_user", "h h,a,b"}},
		{`"always": write implicit, starttls or none`, []string{"source,source_user,source_tls,target_user", "h,a,always,b"}},
		{`"3": write an age`, []string{"source_user,target_user,newer_than", "a,b,3"}},
		{"unknown flag: --nope", []string{"source_user,target_user,options", "a,b,--nope"}},
		{`"B" belongs to no option`, []string{"source_user,target_user,options", "a,b,--into A B"}},
		{"", []string{"source_user,target_user,options", "a,b,--into 'A B' --recopy-gone"}},
		{"--dry-run is for the run, not for one row", []string{"source_user,target_user,options", "a,b,--dry-run"}},
		{"", []string{"source_user,target_user,compress,recopy_gone", "a,b,off,true"}},
	} {
		l := list(c.lines...)
		got := ""
		if p := l.Rows[len(l.Rows)-1].Problems; len(p) > 0 {
			got = p[0].Text
		}
		if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%v: %q, want %q", c.lines, got, c.want)
		}
	}
}
