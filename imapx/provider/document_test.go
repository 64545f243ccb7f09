package provider

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const document = "../../docs/providers.md"

var update = flag.Bool("update", false, "write docs/providers.md anew")

// TestDocument: docs/providers.md is made from the table.
func TestDocument(t *testing.T) {
	want := page()
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what the table says; run go test ./imapx/provider -run TestDocument -update", document)
	}
}

func page() string {
	var b strings.Builder
	b.WriteString(`# Providers

What mailmove knows of services and servers beyond what their capabilities say. A server is recognised by its host, by its
answer to ID (RFC 2971, asked once a connection where it is offered), by a capability of its own making, or by its greeting,
in this order; ` + "`mailmove probe`" + ` shows which row it is. What no row fits is treated by its capabilities alone.

*From documents* means that nobody has run this version of mailmove against it: the row is what its makers and users
write. *Live* means that the tests run the server itself. Each row has a session in imapx/testdata/provider, which a test
plays.

Made by ` + "`go test ./imapx/provider -run TestDocument -update`" + ` from the table in imapx/provider.

| provider | known | connections | a day | one message | one folder | literals |
| --- | --- | --- | --- | --- | --- | --- |
`)
	for _, r := range Rows() {
		l := r.Limits
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s | %s |\n", r.Name, anchor(r.Key), r.Evidence, number(int64(l.Connections), ""), volume(l),
			number(l.Message/mebibyte, " MiB"), number(l.Folder, " messages"), dash(strings.ReplaceAll(r.Literals, "|", "\\|")))
	}
	b.WriteString("\n`-`: not known. mailmove never opens more connections than --connections says, and fewer where a server asks for that.\n")
	for _, r := range Rows() {
		r.section(&b)
	}
	return b.String()
}

// anchor is how a page refers to its heading: full stops are left out.
func anchor(heading string) string { return strings.ReplaceAll(heading, ".", "") }

func (r Row) section(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s (`%s`), %s.\n\n", r.Key, r.Name, r.Key, r.Evidence)
	for _, n := range r.Notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
	if r.Labels {
		b.WriteString("- Labels: [gmail.md](gmail.md).\n")
	}
	for _, s := range r.Skips {
		var names []string
		for _, language := range slices.Sorted(maps.Keys(s.Names)) {
			for _, n := range s.Names[language] {
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
		fmt.Fprintf(b, "- Left out: %s (%s).\n", strings.Join(names, ", "), s.Why)
	}
	for _, w := range r.Words {
		code := ""
		if w.Code != "" {
			code = "[" + w.Code + "] "
		}
		fmt.Fprintf(b, "- \"%s%s\" means: %s.\n", code, w.Text, w.meaning())
	}
	fmt.Fprintf(b, "- From: %s.\n", strings.Join(r.Sources, ", "))
}

func (w Word) meaning() string {
	switch {
	case w.Means == Later && w.Pause > 0:
		return fmt.Sprintf("later; where it names no time, after %v", w.Pause)
	case w.Means == Later:
		return "later, after a pause that it names or that grows"
	case w.Means == Full:
		return "the mailbox is full"
	case w.Means == NoLogin:
		return "this way to log in is closed"
	case w.Means == BadMail:
		return "this one message is not taken"
	}
	return "only this command is refused"
}

func number(n int64, unit string) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n) + unit
}

func volume(l Limits) string {
	if l.Download == 0 && l.Upload == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MB down, %d MB up", l.Download/megabyte, l.Upload/megabyte)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
