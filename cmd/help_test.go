package cmd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mailmove/cmd/internal/ui"
)

// The help of every command is in testdata/help, fits 80 columns and shows how the command is used. "go test ./cmd -run Help
// -update" writes the files anew; look at the difference.
func TestHelp(t *testing.T) {
	const dir = "testdata/help"
	if *update {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]bool)
	eachHelp(newRoot(&app{in: os.Stdin, out: os.Stdout, err: os.Stderr, width: helpColumns}), func(c *cobra.Command) {
		var b bytes.Buffer
		c.Root().SetOut(&b)
		c.InitDefaultHelpFlag()
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimRight(line, "\n"); ui.Width(line) > helpColumns || strings.ContainsRune(line, '\t') {
				t.Errorf("%s: %d columns, or a tab: %s", c.CommandPath(), ui.Width(line), line)
			}
		}
		if c.Runnable() && !c.HasExample() {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: an example is indented: %q", c.CommandPath(), line)
			}
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".golden"
		seen[name] = true
		golden(t, filepath.Join(dir, name), b.Bytes())
	})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !seen[e.Name()] {
			t.Errorf("%s/%s belongs to no command", dir, e.Name())
		}
	}
}

// eachHelp visits every command and topic.
func eachHelp(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			eachHelp(sub, visit)
		}
	}
}

// golden compares a text with its file, or writes it with -update.
func golden(t *testing.T, path string, text []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s: run go test ./cmd -update and look at the difference; now it is:\n%s", path, text)
	}
}
