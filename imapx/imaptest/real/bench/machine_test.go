//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine is what the last run ran on, .cache/bench/machine.json.
type machine struct {
	When    time.Time `json:"when"`
	System  string    `json:"system"`
	Kernel  string    `json:"kernel"`
	CPU     string    `json:"cpu"`
	Cores   int       `json:"cores"`
	Memory  int64     `json:"memory"` // bytes
	Go      string    `json:"go"`
	Dovecot string    `json:"dovecot"`
	Command string    `json:"command"`
}

func (s settings) machineFile() string { return filepath.Join(s.cache, "machine.json") }

func (s settings) saveMachine(m machine) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.machineFile(), b, 0o644)
}

func (s settings) loadMachine() (m machine, err error) {
	b, err := os.ReadFile(s.machineFile())
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(b, &m)
}

func (b *bencher) noteMachine(l *lab) error {
	dovecot, err := l.source.Version()
	if err != nil {
		return err
	}
	m := machine{When: time.Now().UTC(), Cores: runtime.NumCPU(), Memory: memory("MemTotal"), Go: runtime.Version(), Dovecot: dovecot,
		System: field("/etc/os-release", "PRETTY_NAME="), CPU: field("/proc/cpuinfo", "model name"), Command: commandLine()}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	if err != nil {
		return err
	}
	return b.settings.saveMachine(m)
}

// commandLine is what to type for the same.
func commandLine() string {
	out := "make bench"
	for _, name := range []string{"LINES", "PEERS", "ROUNDS", "LIMIT"} {
		if v := os.Getenv(name); v != "" {
			out += fmt.Sprintf(" %s='%s'", name, v)
		}
	}
	return out
}

// field is the rest of the first line of a file that begins so.
func field(path, prefix string) string {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return "unknown"
	}
	for l := range strings.SplitSeq(string(text), "\n") {
		if rest, has := strings.CutPrefix(l, prefix); has {
			return strings.Trim(strings.TrimSpace(rest), "\": \t")
		}
	}
	return "unknown"
}
