package cmd

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/state.md explains each reason that the engine gives, and no other: admins look the word up there.
func TestReasonsAreDocumented(t *testing.T) {
	words := func(path, pattern, from, to string) []string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, part, _ := strings.Cut(string(text), from)
		part, _, _ = strings.Cut(part, to)
		found := map[string]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(part, -1) {
			found[m[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	have := words("../docs/state.md", "(?m)^\\| `([a-z-]+)` \\|", "| reason | what happened |", "### ")
	want := words("../sync/reasons.go", `(?m)^\treason\w+ += "([a-z-]+)"`, "const (", "\n)")
	if len(want) == 0 || !slices.Equal(have, want) {
		t.Errorf("docs/state.md explains %q, the engine gives %q", have, want)
	}
}

// Each reason that the engine gives has its row: whether exceptions retry can do something about it.
func TestReasonsHaveRows(t *testing.T) {
	text, err := os.ReadFile("../sync/reasons.go")
	if err != nil {
		t.Fatal(err)
	}
	var engine []string
	for _, m := range regexp.MustCompile(`(?m)^\treason\w+ += "([a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
		engine = append(engine, m[1])
	}
	if !slices.Equal(engine, reasonNames()) {
		t.Errorf("the engine gives %q, the table of exceptions.go has %q", engine, reasonNames())
	}
	page, err := os.ReadFile("../docs/exceptions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, retry, _ := strings.Cut(string(page), "## retry")
	for _, name := range engine {
		if !strings.Contains(retry, "`"+name+"`") {
			t.Errorf("docs/exceptions.md does not say what retry does with %s", name)
		}
	}
}
