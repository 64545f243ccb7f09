//go:build bench

package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report is what both documents are made of: the latest figures, by line and peer.
type report struct {
	machine machine
	figures map[string]map[string][]figure
}

// report writes docs/benchmarks.md and docs/benchmarks.svg. Without any figure they stay as they are.
func (s settings) report() error {
	figs, err := s.load()
	if err != nil || len(figs) == 0 {
		return err
	}
	r := report{figures: map[string]map[string][]figure{}}
	if r.machine, err = s.loadMachine(); err != nil {
		return err
	}
	for _, f := range figs {
		if r.figures[f.Line] == nil {
			r.figures[f.Line] = map[string][]figure{}
		}
		r.figures[f.Line][f.Peer] = append(r.figures[f.Line][f.Peer], f)
	}
	// What people say of the figures: why something fell short, where the time goes.
	notes, err := os.ReadFile(filepath.Join(s.root, "imapx", "imaptest", "real", "bench", "notes.md"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.root, "docs", "benchmarks.md"), []byte(r.markdown(string(notes))), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.root, "docs", "benchmarks.svg"), []byte(r.chart()), 0o644)
}

// median of a peer's figures of a line; over: it was ended at the limit, and the value is that limit.
func (r report) median(line, peer string, of func(figure) float64) (v float64, over, ok bool) {
	figs := r.figures[line][peer]
	if slices.ContainsFunc(figs, func(f figure) bool { return f.Over }) {
		i := slices.IndexFunc(figs, func(f figure) bool { return f.Over })
		return of(figs[i]), true, true
	}
	v, ok = median(figs, of)
	return v, false, ok
}

// best is the fastest of the peers that take says, among figures of mailmove's own run.
func (r report) best(line string, take func(peer string) bool) (peer string, seconds float64) {
	ours := r.figures[line]["mailmove"]
	for _, name := range peerNames() {
		figs := r.figures[line][name]
		if !take(name) || len(figs) == 0 || len(ours) == 0 || figs[0].Run != ours[0].Run {
			continue
		}
		if v, over, ok := r.median(line, name, wall); ok && !over && (peer == "" || v < seconds) {
			peer, seconds = name, v
		}
	}
	return peer, seconds
}

func isPeer(name string) bool { return name != "mailmove" && !isLimit(name) }

func (r report) markdown(notes string) string {
	var b strings.Builder
	m := r.machine
	b.WriteString("# Benchmarks\n\n`make bench` wrote this page and its chart. Figures are medians; peers took turns in every round. Compare figures of\n" +
		"one row, not of different machines or days.\n\n")
	fmt.Fprintf(&b, "| | |\n| --- | --- |\n| date | %s |\n| command | `%s` |\n| machine | %d cores (%s), %.0f GB of memory |\n| system | %s, Linux %s |\n| servers | Dovecot %s on both sides, Maildir%s, no fsync, loopback |\n",
		m.When.Format(time.DateOnly), strings.ReplaceAll(m.Command, "|", `\|`), m.Cores, m.CPU, math.Round(float64(m.Memory)/1e9), m.System, m.Kernel, m.Dovecot, r.place())
	fmt.Fprintf(&b, "| Go | %s |\n| versions | %s |\n\n", m.Go, strings.Join(r.versions(), ", "))
	b.WriteString("![messages per second against distance, and time of a pass without changes against size](benchmarks.svg)\n\n")
	r.goals(&b)
	if notes != "" {
		b.WriteString(strings.TrimSpace(notes) + "\n\n")
	}
	r.tables(&b)
	r.verdicts(&b)
	b.WriteString(howItIsMeasured)
	return b.String()
}

func (r report) place() string {
	for _, peers := range r.figures {
		for _, figs := range peers {
			if slices.ContainsFunc(figs, func(f figure) bool { return f.OnDisk }) {
				return ", where there was room in memory, else on the disk"
			}
		}
	}
	return " in memory"
}

func (r report) versions() (out []string) {
	for _, name := range peerNames() {
		var newest figure
		for _, peers := range r.figures {
			for _, f := range peers[name] {
				if f.When.After(newest.When) {
					newest = f
				}
			}
		}
		if newest.Version != "" {
			out = append(out, name+" "+newest.Version)
		}
	}
	return out
}

// table is a group of lines that are told of together.
type table struct {
	title, text string
	kinds       []kind
	peers       bool
}

func (r report) tables(b *strings.Builder) {
	for _, t := range []table{
		{"First passes", "Seconds; in brackets how many times the limit tool's best setting of the same rounds.", []kind{first}, true},
		{"Later passes", "Seconds. `changed` is ten flags and ten new messages since the last pass, `takeover` a pass without state where\neverything " +
			"is on both sides already, `blind` servers without CONDSTORE and QRESYNC.", []kind{nochange, changed, takeover}, true},
	} {
		var names []string
		for _, p := range peerNames() {
			if slices.ContainsFunc(lines(), func(l line) bool { return slices.Contains(t.kinds, l.kind) && len(r.figures[l.name][p]) > 0 }) {
				names = append(names, p)
			}
		}
		if len(names) == 0 {
			continue
		}
		fmt.Fprintf(b, "## %s\n\n%s\n\n| line | messages | MB | rounds | %s | measured |\n|%s\n", t.title, t.text,
			strings.Join(names, " | "), strings.Repeat(" --- |", len(names)+5))
		for _, l := range lines() {
			if slices.Contains(t.kinds, l.kind) && len(r.figures[l.name]) > 0 {
				r.row(b, l, names)
			}
		}
		b.WriteString("\n")
	}
	r.costs(b)
}

func (r report) row(b *strings.Builder, l line, names []string) {
	any := r.lead(l.name)
	fmt.Fprintf(b, "| %s | %s | %.0f | %d |", l.name, grouped(any.Messages), float64(any.Bytes)/1e6, len(r.figures[l.name][any.Peer]))
	_, limit := r.best(l.name, isLimit)
	for _, name := range names {
		cell := "–"
		figs := r.figures[l.name][name]
		if v, over, ok := r.median(l.name, name, wall); over {
			cell = fmt.Sprintf("over %.0f", v)
		} else if ok {
			cell = secondsText(v)
			if limit > 0 && figs[0].Run == any.Run {
				cell += fmt.Sprintf(" (%.2f)", v/limit)
			}
		} else if len(figs) > 0 {
			cell = "failed"
		}
		if len(figs) > 0 && figs[0].Run != any.Run {
			cell += " on " + figs[0].When.Format(time.DateOnly)
		}
		fmt.Fprintf(b, " %s |", cell)
	}
	fmt.Fprintf(b, " %s |\n", any.When.Format(time.DateOnly))
}

// lead is a figure that stands for its line: mailmove's, else any.
func (r report) lead(line string) (f figure) {
	for _, name := range peerNames() {
		if figs := r.figures[line][name]; len(figs) > 0 {
			return figs[0]
		}
	}
	return f
}

// costs tells CPU and memory of the lines where they matter.
func (r report) costs(b *strings.Builder) {
	b.WriteString("## CPU and memory\n\nOf the client alone. CPU is user and system time in seconds, memory the peak of the resident set in MB.\n\n" +
		"| line | peer | CPU | memory |\n| --- | --- | --- | --- |\n")
	for _, l := range lines() {
		if l.kind != first || l.rtt > 0 {
			continue
		}
		for _, name := range peerNames() {
			c, over, ok := r.median(l.name, name, cpu)
			if m, _, _ := r.median(l.name, name, rss); ok && !over {
				fmt.Fprintf(b, "| %s | %s | %.2f | %.0f |\n", l.name, name, c, m/mb)
			}
		}
	}
	b.WriteString("\n")
}

// verdicts tells what the referee found.
func (r report) verdicts(b *strings.Builder) {
	b.WriteString("## What arrived\n\nAfter every first pass and takeover both accounts are read whole and compared: bytes, INTERNALDATE, flags, folders,\n" +
		"subscriptions. `equal counts and sizes`: messages and bytes as the servers count them. Subscriptions are not asked of\nthe limit tool.\n\n| peer | line | referee |\n| --- | --- | --- |\n")
	for _, name := range peerNames() {
		said := map[string][]string{}
		var order []string
		for _, l := range lines() {
			for _, f := range r.figures[l.name][name] {
				v := cmp.Or(f.Trouble, f.Verdict)
				if v == "" || slices.Contains(said[v], l.name) {
					continue
				}
				if len(said[v]) == 0 {
					order = append(order, v)
				}
				said[v] = append(said[v], l.name)
			}
		}
		for _, v := range order {
			fmt.Fprintf(b, "| %s | %s | %s |\n", name, strings.Join(said[v], ", "), plain(v))
		}
	}
	b.WriteString("\n")
}

// plain takes away what a table or a reader elsewhere has no use for: bars, and where files lay.
func plain(s string) string {
	s = regexp.MustCompile(`(?:/[^/\s:"']+)+/`).ReplaceAllString(s, "…/")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return strings.ReplaceAll(s, "|", "/")
}

func secondsText(v float64) string {
	switch {
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

const howItIsMeasured = `## How it is measured

- S, M, T and N are made by the tests' own generator: S and M are mixed mail with attachments and every oddity that the
  tests know, T is 20,000 messages of 2 KB in one folder, N 200,000 of 600 bytes in five. 200x50MB is 20 different
  messages, each there ten times.
- Distances are a proxy in front of both servers; without a distance there is none. ` + "`doveadm`" + ` writes the target's
  store itself, so that only its source is far away, and without fsync, as the target server here does too.
- ` + "`limit1`, `limit2` and `limit4`" + ` are the limit tool with 1, 2 and 4 connections on each side: raw sockets, fetching and
  appending at once in batches of 500, without state, checks or recovery. It is a yardstick, no bound and no tool.
- interimap merges both ways and opens the source for writing: it gets a source of its own. mbsync cannot copy N within
  the limit: its state for N is written as if it had.
- Every peer's state lies beside the mail, in memory too. Memory is what the kernel tells of the process alone
  (` + "`ru_maxrss`" + `); the proxy and the servers are not in it, but share the CPUs.
- imapsync is not in Debian: ` + "`make bench IMAPSYNC=path`" + ` measures it too.
- Round trips do not depend on a machine: ` + "`make test`" + ` counts them.
- ` + "`nochange N blind`" + ` is a Dovecot that offers neither CONDSTORE nor QRESYNC, as Courier does; a Courier is slower.
- ` + "`make bench LINES='first S' ROUNDS=1`" + ` measures one line anew; the others keep their figures and dates.
`
