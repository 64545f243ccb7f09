//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are what .ci/bench hands over in the environment.
type settings struct {
	rounds int           // ROUNDS: of each line, unless the line says fewer
	lines  []string      // LINES: the names of the lines to measure
	peers  []string      // PEERS: the names of the peers
	limit  time.Duration // LIMIT: seconds for one run of a peer
	root   string        // the repository
	cache  string        // where figures are kept
}

func readSettings() (s settings, err error) {
	s = settings{rounds: 5, limit: 120 * time.Second}
	if s.root, err = filepath.Abs(filepath.Join("..", "..", "..", "..")); err != nil {
		return s, err
	}
	s.cache = filepath.Join(s.root, ".cache", "bench")
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return s, err
	}
	for _, n := range []struct {
		name string
		set  func(int)
	}{
		{"ROUNDS", func(n int) { s.rounds = n }},
		{"LIMIT", func(n int) { s.limit = time.Duration(n) * time.Second }},
	} {
		text := os.Getenv(n.name)
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 1 {
			return s, fmt.Errorf("%s=%q: a number from 1 is wanted", n.name, text)
		}
		n.set(v)
	}
	var all []string
	for _, l := range lines() {
		all = append(all, l.name)
	}
	if s.lines, err = chosen("LINES", all); err != nil {
		return s, err
	}
	s.peers, err = chosen("PEERS", peerNames())
	return s, err
}

// chosen are the names that match one of the regular expressions in the variable, whole. "none" is no name; an empty
// variable is all of them. LINES is one expression, for names have blanks.
func chosen(variable string, all []string) ([]string, error) {
	text := os.Getenv(variable)
	if _, err := strconv.Atoi(text); err == nil && variable == "LINES" {
		text = "" // a shell's: the height of its terminal
	}
	if text == "" {
		return all, nil
	}
	if text == "none" {
		return nil, nil
	}
	if variable == "PEERS" {
		text = strings.Join(strings.Fields(text), "|")
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	some := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !re.MatchString(n) })
	if len(some) == 0 {
		return nil, fmt.Errorf("%s=%q is none of: %s", variable, text, strings.Join(all, ", "))
	}
	return some, nil
}
