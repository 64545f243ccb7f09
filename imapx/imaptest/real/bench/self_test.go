//go:build bench

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMeasure: the instrument itself.
func TestMeasure(t *testing.T) {
	if err := adoptOrphans(); err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 200*mb) // of this process: no peak of a child's
	for i := range ballast {
		ballast[i] = 1
	}
	for _, c := range []struct {
		script     string
		wall, cpu  float64 // seconds, at least
		most       float64 // seconds of wall
		over, fail bool
	}{
		{script: "exit 0", most: 1.9},
		{script: "sleep 0.3", wall: 0.3, most: 1.9},
		{script: "exit 7", most: 1.9, fail: true},
		{script: "sleep 60", wall: 2, most: 2, over: true},
		{script: "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done", cpu: 0.005, most: 1.9},
	} {
		out := filepath.Join(t.TempDir(), "out")
		got, err := measure(exec.Command("/bin/sh", "-c", "echo said; "+c.script), out, 2*time.Second)
		if (err != nil) != c.fail || got.Over != c.over || got.Wall < c.wall || got.Wall > c.most || got.User+got.Sys < c.cpu || got.RSS > 20*mb || got.RSS == 0 {
			t.Errorf("%s: %+v, %v", c.script, got, err)
		}
		if c.fail && !strings.Contains(err.Error(), "ended with 7: said") {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	if ballast[0] != 1 {
		t.Error("the ballast is gone")
	}
}

// TestPages: figures that were kept make both pages, of several runs too.
func TestPages(t *testing.T) {
	s := settings{root: t.TempDir(), cache: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.root, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(s.root, "imapx", "imaptest", "real", "bench")
	if err := os.MkdirAll(notes, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(notes, "notes.md"), []byte("## Why\n\nBecause.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := machine{When: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Command: "make bench LINES='a|b'", Cores: 2}
	if err := s.saveMachine(m); err != nil {
		t.Fatal(err)
	}
	for _, f := range []figure{
		{Run: "1", Line: "first S", Peer: "mailmove", cost: cost{Wall: 9}, Messages: 2000, Verdict: equal},
		{Run: "1", Line: "first S", Peer: "mbsync", cost: cost{Wall: 120, Over: true}, Messages: 2000},
		{Run: "2", Line: "first S", Peer: "mailmove", cost: cost{Wall: 0.4}, Messages: 2000, Verdict: equal},
		{Run: "2", Line: "first S", Peer: "mailmove", cost: cost{Wall: 0.6}, Messages: 2000, Verdict: equal},
		{Run: "2", Line: "first S", Peer: "limit2", cost: cost{Wall: 0.25}, Messages: 2000, Verdict: equal},
		{Run: "2", Line: "first S", Peer: "interimap", Messages: 2000, Trouble: "/home/x/y/peer|tool broke"},
	} {
		if err := s.save(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.report(); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(s.root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page := read("benchmarks.md")
	for _, want := range []string{
		"| first S | 0.5 s | 0.43 s | no: 1.16 times |", "| first S against the limit tool | 2 times limit2 | 1.4 times |",
		"| 0.500 (2.00) |", "over 120", "| failed |", `LINES='a\|b'`, "| …/peer/tool broke |", "- first S: 0.5 s instead of 0.43", "## Why\n\nBecause.\n\n## First passes",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if chart := read("benchmarks.svg"); strings.Count(chart, "<circle") != 2 {
		t.Errorf("two points are known:\n%s", chart)
	}
}
