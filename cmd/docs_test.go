package cmd

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// docs/commands and docs/man are made from the commands themselves, by cobra. They are made here, in a test, so that what
// cobra needs for it is not linked into the program. "make docs" writes them anew.
func TestDocs(t *testing.T) {
	for dir, want := range map[string]map[string][]byte{"../docs/commands": markdownPages(t), "../docs/man": manPages(t)} {
		if *update {
			writePages(t, dir, want)
		}
		have := readPages(t, dir)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if !bytes.Equal(have[name], want[name]) {
				t.Errorf("%s/%s is not what the command says; run make docs", dir, name)
			}
			if bytes.Contains(want[name], []byte("Auto generated")) {
				t.Errorf("%s/%s carries the day on which it was made", dir, name)
			}
		}
		for name := range have {
			if want[name] == nil {
				t.Errorf("%s/%s belongs to no command; run make docs", dir, name)
			}
		}
	}
}

func markdownPages(t *testing.T) map[string][]byte {
	t.Helper()
	pages := make(map[string][]byte)
	eachCommand(documented(), func(c *cobra.Command) {
		var b bytes.Buffer
		if err := doc.GenMarkdownCustom(c, &b, func(link string) string { return link }); err != nil {
			t.Fatal(err)
		}
		pages[strings.ReplaceAll(c.CommandPath(), " ", "_")+".md"] = b.Bytes()
	})
	return pages
}

func manPages(t *testing.T) map[string][]byte {
	t.Helper()
	date := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) // fixed: the pages change with the commands only
	pages := make(map[string][]byte)
	eachCommand(documented(), func(c *cobra.Command) {
		var b bytes.Buffer
		name := strings.ReplaceAll(c.CommandPath(), " ", "-")
		header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Date: &date, Source: "mailmove", Manual: "mailmove"}
		if err := doc.GenMan(c, header, &b); err != nil {
			t.Fatal(err)
		}
		pages[name+".1"] = b.Bytes()
	})
	return pages
}

// documented is the command tree as pages show it: with the flags of the target, which the help leaves out because they are those
// of the source under another name.
func documented() *cobra.Command {
	root := newRoot(&app{in: os.Stdin, out: os.Stdout, err: os.Stderr, width: helpColumns})
	eachCommand(root, func(c *cobra.Command) {
		c.DisableAutoGenTag = true
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(func(f *pflag.Flag) { _, f.Hidden = f.Annotations[forDevelopers] })
	})
	return root
}

// eachCommand visits a command and all below it that a user is told of.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			eachCommand(sub, visit)
		}
	}
}

func writePages(t *testing.T, dir string, pages map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readPages(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := make(map[string][]byte)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pages[e.Name()] = text
	}
	return pages
}
