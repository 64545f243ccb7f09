package cmd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"mailmove/cmd/internal/sharing"
	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// Two names of one server with one login get their connections, also where a login may have one to each side only.
func TestOneLoginOnBothSides(t *testing.T) {
	r := &listRun{f: newSyncFlags()}
	e := &entry{}
	ep := imapx.Endpoint{Host: "mail.example", User: "a"}
	if err := r.admit(e, &pass{account: "a", source: ep, target: ep, connections: 1, listed: true}); err != nil {
		t.Fatal(err)
	}
	if sharing.NewServers(8).Reserve(time.Now(), e.lanes, e.claims...) == nil {
		t.Errorf("%+v never get their connections", e.claims)
	}
}

// What reads leaves a server alone that has enough, and comes back to the account: nothing of it is printed twice.
func TestReadersHeedServers(t *testing.T) {
	t.Parallel()
	b := newListBench(t, 3, real.Options{})
	for _, name := range []string{"check", "verify", "folders"} {
		m, err := imaptest.NewMeddler(b.source.Addr(),
			imaptest.Meddle{Verb: "LOGIN", Nth: 2, Times: 2, How: imaptest.AnswerNo, Code: "UNAVAILABLE", Text: "Temporary failure"},
			imaptest.Meddle{Verb: "LOGIN", Nth: 5, How: imaptest.AnswerNo, Code: "LIMIT", Text: "Maximum number of connections exceeded"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		more := []string{"--source", "imap://" + m.Addr(), "--jobs", "2"}
		if name == "verify" {
			more = append(more, "--level", "counts")
		}
		said, _ := b.reading(t.Context(), name, more...).CombinedOutput()
		if m.Hits() != 3 {
			t.Errorf("%s: %d refusals", name, m.Hits())
		}
		if strings.Contains(string(said), "Temporary failure") || strings.Contains(string(said), "Maximum number") {
			t.Errorf("%s gave up:\n%s", name, said)
		}
		for i := range 3 {
			account := fmt.Sprintf("a%d", i)
			n := 0
			for line := range strings.Lines(string(said)) {
				for _, first := range []string{account + ": ", account + "  ", "account " + account + "\n"} {
					if strings.HasPrefix(line, first) {
						n++
						break
					}
				}
			}
			if n < 1 || name != "check" && n > 2 {
				t.Errorf("%s: %s has %d lines:\n%s", name, account, n, said)
			}
		}
	}
}

// A signal in the middle of what reads ends it, says which accounts were not asked, and has its own exit code.
func TestReadersStop(t *testing.T) {
	t.Parallel()
	b := newListBench(t, 8, real.Options{})
	b.near.SetFaults(imaptest.Faults{RTT: 300 * time.Millisecond})
	for _, name := range []string{"check", "verify", "folders"} {
		c := b.reading(t.Context(), name, "--jobs", "1")
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		before := b.near.Stats().Conns
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); b.near.Stats().Conns < before+2; time.Sleep(5 * time.Millisecond) { // the second account
			if time.Since(start) > time.Minute {
				t.Fatalf("%s: nothing is asked", name)
			}
		}
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		_ = c.Wait()
		if took := time.Since(started); c.ProcessState.ExitCode() != exitInterrupt || took > 10*time.Second {
			t.Errorf("%s: exit code %d after %v\n%s", name, c.ProcessState.ExitCode(), took, said.String())
		}
		if !strings.Contains(said.String(), "of 8 accounts; not asked, or not to the end: a") || !strings.Contains(said.String(), " and ") {
			t.Errorf("%s: it said %q", name, said.String())
		}
	}
}

// TestListOnTerminal looks at the bar of a run over a list on a real terminal of 80 columns, and that nothing is left of it.
func TestListOnTerminal(t *testing.T) {
	t.Parallel()
	needsScreen(t)
	b := newListBench(t, 6, real.Options{})
	b.far.SetFaults(imaptest.Faults{RTT: 30 * time.Millisecond, Bandwidth: 100 << 10})
	c := b.command(t.Context(), "--jobs", "2")
	s := startShell(t, t.TempDir(), c.Env, c.Args)
	s.keys(t, "move", "Enter")
	bar := func(line string) bool {
		return strings.HasPrefix(line, "[") && strings.Contains(line, " of 6 accounts, ")
	}
	s.waitFor(t, "the bar", func(lines []string) bool { return bar(lines[len(lines)-1]) })
	s.waitFor(t, "progress in the bar", func(lines []string) bool {
		last := lines[len(lines)-1]
		n := 0
		for _, line := range lines {
			if bar(line) {
				n++
			}
		}
		if n > 1 {
			t.Fatalf("%d bars on the screen:\n%s", n, strings.Join(lines, "\n"))
		}
		return bar(last) && strings.Contains(last, "=")
	})
	s.waitFor(t, "the end", func(lines []string) bool {
		return len(lines) > 1 && lines[len(lines)-1] == screenPrompt && strings.HasPrefix(lines[len(lines)-2], "code ")
	})
	for _, line := range s.lines(t) {
		if strings.HasPrefix(line, "[") {
			t.Errorf("something is left of the bar: %q", line)
		}
	}
	if all := strings.Join(s.lines(t), "\n"); !strings.Contains(all, "\n6 accounts: ") {
		t.Errorf("no sum:\n%s", all)
	}
	s.stop(t)
}

// TestSavedAgain: a result that a spreadsheet saved with another order of rows, another separator, in UTF-16, and without
// quotes that were not needed, is the same list: exactly what failed is tried again.
func TestSavedAgain(t *testing.T) {
	t.Parallel()
	b := newListBench(t, 4, real.Options{})
	list := "\ufeffid;group;source_user;source_password;target_user\r\n"
	for i, user := range b.users {
		password := real.Password
		if i%2 == 1 {
			password = "wr0ng"
		}
		list += fmt.Sprintf("a%d;\"x; \"\"ü\"\"\";%s;%s;%s\r\n", i, user, password, user)
	}
	if err := os.WriteFile(b.path("list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	said, _ := b.command(t.Context()).CombinedOutput()
	if !strings.Contains(string(said), "4 accounts: 2 failed, ") {
		t.Fatalf("%s", said)
	}
	rows := b.resultsBy(t, ';')
	heads := []string{"outcome", "id", "target_user", "group", "exit_code", "source_user", "next_action", "source_password"}
	saved := strings.Join(heads, "\t") + "\r\n"
	for i := range rows {
		row := rows[len(rows)-1-i]
		var cells []string
		for _, h := range heads {
			cell := row[h]
			if h == "source_password" {
				cell = real.Password
			}
			if strings.ContainsAny(cell, "\t\"\n") {
				cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
			}
			cells = append(cells, cell)
		}
		saved += strings.Join(cells, "\t") + "\r\n"
	}
	name := filepath.Join(b.dir, "saved.txt")
	if err := os.WriteFile(name, utf16Of(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	c := b.command(t.Context(), "--accounts", name, "--only", "failed", "--result", b.path("next.csv"))
	said, err := c.CombinedOutput()
	if _, is := err.(*exec.ExitError); err != nil && !is {
		t.Fatal(err)
	}
	if !strings.Contains(string(said), "2 accounts: 2 ") || !strings.Contains(string(said), "; 2 left out; ") || strings.Contains(string(said), "a0: ") || strings.Contains(string(said), "a2: ") {
		t.Errorf("%s", said)
	}
	b.equal(t, string(said))
}

// utf16Of is a text as Excel's "Unicode text" has it: little-endian, with a mark.
func utf16Of(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
