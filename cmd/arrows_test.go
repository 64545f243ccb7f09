package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// arrow is a row of the import graph that is allowed: docs/CONTRIBUTING.md draws it.
type arrow struct {
	room string   // package path below the module; a trailing /* takes all below it
	to   []string // rooms that its code may import
}

func arrows() []arrow {
	return []arrow{
		{"cmd/mailmove", []string{"cmd"}},
		{"cmd", []string{"cmd/internal/*", "sync", "sync/verify", "imapx", "imapx/auth", "imapx/auth/oauth", "imapx/provider", "imapx/imaptest", "state", "state/fleet"}},
		{"cmd/internal/ui", []string{"sync"}},
		{"cmd/internal/accounts", []string{"cmd/internal/spelling", "imapx/auth"}},
		{"cmd/internal/coexist", []string{"imapx/auth"}},
		{"cmd/internal/*", nil},
		{"sync", []string{"imapx", "state"}},
		{"sync/verify", []string{"sync", "imapx", "state"}},
		{"imapx", []string{"imapx/wire", "imapx/auth", "imapx/provider"}},
		{"imapx/auth/oauth", []string{"imapx/auth"}},
		{"imapx/imaptest/real", []string{"imapx/imaptest"}},
		{"imapx/imaptest/real/bench", nil}, // nothing but tests
		{"imapx/*", nil},
		{"state", []string{"state/cause"}},
		{"state/fleet", []string{"state/cause"}},
		{"state/cause", nil},
	}
}

// outside says which rooms may import a package that is not ours; whoever is not named may not.
func outside() []arrow {
	return []arrow{
		{"modernc.org/*", []string{"state", "state/fleet", "state/cause"}},
		{"github.com/gofrs/flock", []string{"state", "state/fleet", "imapx/auth/oauth"}},
		{"golang.org/x/oauth2", []string{"imapx/auth/oauth"}},
		{"golang.org/x/oauth2/*", []string{"imapx/auth/oauth"}},
		{"filippo.io/age", []string{"imapx/auth/oauth"}},
		{"github.com/xdg-go/*", []string{"imapx/auth"}},
		{"github.com/spf13/*", []string{"cmd"}},
		{"github.com/schollz/*", []string{"cmd/internal/ui"}},
		{"github.com/rivo/*", []string{"cmd", "cmd/internal/ui"}},
		{"github.com/emersion/go-imap/*", []string{"sync", "sync/verify", "imapx", "imapx/*"}},
		{"github.com/emersion/go-sasl", []string{"imapx", "imapx/*"}},
		{"github.com/miekg/dns", []string{"cmd/internal/dns", "cmd/internal/dns/dnstest"}},
		{"github.com/ccojocar/*", []string{"cmd/internal/passwords"}},
		{"github.com/wneessen/*", []string{"cmd/internal/notify"}},
		{"golang.org/x/term", []string{"cmd"}},
		{"flag", nil},
		{"log", []string{"imapx/imaptest"}},
		{"os/signal", []string{"cmd"}},
		{"testing", []string{"imapx/imaptest/real"}},
		{"testing/*", []string{"imapx/imaptest/real"}},
	}
}

// testArrows are open to the tests of every room: the servers, and the secrets to log in to them with. The demo's use
// of imaptest is the one in code.
func testArrows() []string {
	return []string{"imapx/imaptest", "imapx/imaptest/real", "imapx/auth", "cmd/internal/dns/dnstest"}
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestArrows(t *testing.T) {
	packages := goList(t)
	if len(packages) < 5 {
		t.Fatalf("go list names %d packages only", len(packages))
	}
	for _, p := range packages {
		room := ours(p.ImportPath)
		allowed, known := allowedFrom(room)
		if !known {
			t.Errorf("%s has no place in the arrows", p.ImportPath)
			continue
		}
		for _, to := range p.Imports {
			if !mayImport(room, to, allowed) {
				t.Errorf("%s imports %s, which no arrow allows", p.ImportPath, to)
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			if r, is := strings.CutPrefix(to, "mailmove/"); is && r != room && !matches(r, allowed) && !matches(r, testArrows()) {
				t.Errorf("a test of %s imports %s, which no arrow allows", p.ImportPath, to)
			}
		}
	}
}

// Only the demo carries the embedded servers into the command.
func TestOnlyTheDemoImportsImaptest(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(`"mailmove/imapx/imaptest"`)) {
			continue
		}
		found = true
		if !strings.HasPrefix(name, "demo") {
			t.Errorf("%s imports imaptest", name)
		}
	}
	if !found {
		t.Error("the demo has no embedded servers")
	}
}

func TestArrowsAreNotBlind(t *testing.T) {
	for _, c := range []struct {
		room, to string
		want     bool
	}{
		{"sync", "mailmove/imapx", true},
		{"sync", "mailmove/imapx/wire", false},
		{"sync", "mailmove/cmd", false},
		{"state", "mailmove/imapx", false},
		{"state", "modernc.org/sqlite", true},
		{"sync", "modernc.org/sqlite", false},
		{"imapx", "mailmove/state", false},
		{"imapx/wire", "mailmove/imapx", false},
		{"imapx", "mailmove/imapx/imaptest", false},
		{"imapx/imaptest", "testing", false},
		{"cmd/internal/ui", "mailmove/imapx", false},
		{"sync", "flag", false},
		{"sync", "context", true},
	} {
		allowed, _ := allowedFrom(c.room)
		if got := mayImport(c.room, c.to, allowed); got != c.want {
			t.Errorf("%s -> %s: %v", c.room, c.to, got)
		}
	}
}

func mayImport(room, to string, allowed []string) bool {
	if r, is := strings.CutPrefix(to, "mailmove/"); is {
		return matches(r, allowed)
	}
	for _, o := range outside() {
		if matches(to, []string{o.room}) {
			return matches(room, o.to)
		}
	}
	return true
}

func allowedFrom(room string) ([]string, bool) {
	for _, a := range arrows() {
		if matches(room, []string{a.room}) {
			return a.to, true
		}
	}
	return nil, false
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, all := strings.CutSuffix(p, "/*"); all {
			return strings.HasPrefix(name, prefix+"/")
		}
		return name == p
	})
}

func ours(importPath string) string { return strings.TrimPrefix(importPath, "mailmove/") }

func goList(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-buildvcs=false", "-tags", "e2e,bench",
		"-json=ImportPath,Imports,TestImports,XTestImports", "mailmove/...")
	list.Stderr = os.Stderr
	answer, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(answer)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// Whatever is new finds its room inside one of the five folders.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		".ci", "cmd", "docs", "imapx", "state", "sync",
		".gitignore", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum",
	}
	ignored := []string{".git", ".cache", "bin", "mailmove"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		if ext := path.Ext(e.Name()); !slices.Contains(ignored, e.Name()) && ext != ".test" && ext != ".prof" {
			have = append(have, e.Name())
		}
	}
	slices.Sort(allowed)
	if !slices.Equal(have, allowed) {
		t.Errorf("the top level holds %v, want %v", have, allowed)
	}
}
