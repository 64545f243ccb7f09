//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest/real"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(limitEnv); args != "" {
		os.Exit(limitMain(args))
	}
	os.Exit(m.Run())
}

// TestBench measures what LINES and PEERS choose, and writes the documents from all that was ever kept.
func TestBench(t *testing.T) {
	s, err := readSettings()
	if err != nil {
		t.Fatal(err)
	}
	if err := adoptOrphans(); err != nil {
		t.Fatal(err)
	}
	b := &bencher{settings: s, run: time.Now().UTC().Format(time.RFC3339)}
	for _, m := range mailboxes() {
		for _, blind := range []bool{false, true} {
			var some []line
			for _, ln := range lines() {
				if ln.mail == m.name && ln.blind == blind && slices.Contains(s.lines, ln.name) {
					some = append(some, ln)
				}
			}
			if len(some) > 0 {
				t.Run(m.name, func(t *testing.T) { b.mailbox(t, m, some, blind) })
			}
		}
	}
	if err := s.report(); err != nil {
		t.Error(err)
	}
}

// bencher is one call of make bench.
type bencher struct {
	settings settings
	run      string
}

// mailbox measures all lines of one mailbox; servers and mail are then given up.
func (b *bencher) mailbox(t *testing.T, m mailbox, some []line, blind bool) {
	var o real.Options
	if blind {
		o.Without = []string{"CONDSTORE", "QRESYNC"}
	}
	l, err := newLab(t, b.settings, m, o)
	if err != nil {
		t.Errorf("LEFT OUT: mailbox %s: %v", m.name, err)
		return
	}
	if err := b.noteMachine(l); err != nil {
		t.Error(err)
	}
	for _, ln := range some {
		begin := time.Now()
		b.line(l, ln)
		t.Logf("%s: %v in all", ln.name, time.Since(begin).Round(time.Second))
	}
}

// line measures one line: rounds in which the peers take turns.
func (b *bencher) line(l *lab, ln line) {
	var able []peer
	for _, p := range peers() {
		if slices.Contains(b.settings.peers, p.name) && (ln.peers == nil || slices.Contains(ln.peers, p.name)) && (ln.kind == first || !p.once) {
			able = append(able, p)
		}
	}
	if ln.kind == nochange || ln.kind == changed {
		able = slices.DeleteFunc(able, func(p peer) bool {
			err := b.prepare(l, p, ln)
			if err != nil {
				b.fail(l, ln, p, 0, err)
			}
			return err != nil
		})
	}
	rounds := b.settings.rounds
	if ln.rounds > 0 {
		rounds = min(rounds, ln.rounds)
	}
	for round := range rounds {
		if ln.kind == changed {
			if err := l.change(); err != nil {
				l.t.Errorf("%s: %v", ln.name, err)
				return
			}
		}
		turn := slices.Concat(able[min(round, len(able)):], able[:min(round, len(able))])
		for _, p := range turn {
			if again := b.one(l, ln, p, round); !again {
				able = slices.DeleteFunc(slices.Clone(able), func(q peer) bool { return q.name == p.name })
			}
		}
	}
	if ln.kind == nochange || ln.kind == changed {
		for _, p := range able[:min(1, len(able))] {
			if p.name != "mailmove" {
				break
			}
			if v, err := l.referee(p, l.accounts[p.name]); err != nil || v != equal && v != equalCounts {
				b.judge(l, ln, p, v, err)
			}
		}
	}
}

// one is one run of one peer; false: there is no sense in another one.
func (b *bencher) one(l *lab, ln line, p peer, round int) bool {
	f := b.figure(l, ln, p, round)
	var a account
	var err error
	switch ln.kind {
	case first:
		if a, err = l.fresh(p); err == nil {
			f.cost, err = l.run(p, a, ln)
		}
	case takeover:
		if a, err = l.fresh(p); err == nil {
			if err = l.fill(a); err == nil {
				f.cost, err = l.run(p, a, ln)
			}
		}
	case nochange, changed:
		a = l.accounts[p.name]
		f.cost, err = l.run(p, a, ln)
	case ledger:
		f.cost, err = b.ledger(l)
	}
	if err != nil {
		b.fail(l, ln, p, round, err)
		l.drop(a)
		return false
	}
	f.State = stateSize(a.dir)
	if (ln.kind == first || ln.kind == takeover) && !f.Over {
		f.Verdict, err = l.referee(p, a)
		if err != nil || f.Verdict != equal && f.Verdict != equalCounts {
			b.judge(l, ln, p, f.Verdict, err)
		}
	}
	if err := b.settings.save(f); err != nil {
		l.t.Error(err)
	}
	l.t.Logf("%-20s %-10s round %d: %7.3f s, CPU %6.2f s, %4d MB%s %s", ln.name, p.name, round+1, f.Wall, f.User+f.Sys, f.RSS>>20,
		map[bool]string{true: " OVER THE LIMIT"}[f.Over], f.Verdict)
	if ln.kind == first {
		if f.Over {
			l.drop(a)
		} else if !p.once {
			l.keep(p, a)
		} else {
			l.drop(a)
		}
	}
	if ln.kind == takeover {
		l.drop(a)
	}
	return !f.Over
}

func (b *bencher) figure(l *lab, ln line, p peer, round int) figure {
	f := figure{When: time.Now().UTC(), Run: b.run, Line: ln.name, Peer: p.name, Round: round + 1, Messages: l.messages, Bytes: l.bytes, OnDisk: !l.inMemory}
	if p.version != nil {
		f.Version, _ = p.version(l) // a peer that cannot even tell it fails in its run
	}
	return f
}

func (b *bencher) fail(l *lab, ln line, p peer, round int, err error) {
	f := b.figure(l, ln, p, round)
	f.Trouble, _, _ = strings.Cut(err.Error(), "\n")
	if err := b.settings.save(f); err != nil {
		l.t.Error(err)
	}
	b.judge(l, ln, p, "", err)
}

// judge: mailmove has to be right; of another peer it is told.
func (b *bencher) judge(l *lab, ln line, p peer, verdict string, err error) {
	tell := l.t.Logf
	if p.name == "mailmove" {
		tell = l.t.Errorf
	}
	if err != nil {
		tell("%s: NO FIGURE for %s: %v", ln.name, p.name, err)
		return
	}
	tell("%s: %s is not right: %s", ln.name, p.name, verdict)
}

// prepare gives a peer an account that is moved, and lets it find once that nothing changed.
func (b *bencher) prepare(l *lab, p peer, ln line) error {
	if _, has := l.accounts[p.name]; has {
		return nil
	}
	a, err := l.fresh(p)
	if err != nil {
		return err
	}
	still := line{name: "preparation", mail: ln.mail}
	runs := 2
	switch {
	case p.name == "mbsync" && l.messages > 50_000:
		if err := l.fill(a); err != nil {
			return err
		}
		j := job{lab: l, source: l.source.Addr(), target: l.target.Addr(), sourceUser: a.sourceUser, targetUser: a.targetUser, dir: a.dir}
		if err := believe(j); err != nil {
			return err
		}
		runs = 1
	case ln.blind:
		if err := l.fill(a); err != nil { // a takeover is faster
			return err
		}
	}
	for range runs {
		c, err := l.run(p, a, still)
		if err == nil && c.Over {
			err = fmt.Errorf("its first pass takes more than %v", b.settings.limit)
		}
		if err != nil {
			l.drop(a)
			return fmt.Errorf("preparation: %w", err)
		}
	}
	l.keep(p, a)
	return nil
}

// ledger times the state's own work for a first pass of T, by the benchmark of package state: 20,000 rows in windows
// of 500, beside the mail's file system.
func (b *bencher) ledger(l *lab) (c cost, err error) {
	const windows = 40
	cmd := exec.Command(cmp.Or(os.Getenv("GO"), "go"), "test", "-trimpath", "-run", "^$", "-bench", "^BenchmarkWindow$/^500$", "-benchtime", fmt.Sprintf("%dx", windows), "./state")
	cmd.Dir = b.settings.root
	cmd.Env = append(os.Environ(), "TMPDIR="+l.scratch, "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	m := regexp.MustCompile(`(\d+(?:\.\d+)?) ns/op`).FindSubmatch(out)
	if err != nil || m == nil {
		return c, fmt.Errorf("the benchmark of package state: %v\n%s", err, out)
	}
	each, err := strconv.ParseFloat(string(m[1]), 64)
	c.Wall = each * windows / 1e9
	return c, err
}
