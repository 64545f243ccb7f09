package cmd

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// listBench is a list of accounts between two Dovecots, each behind a network that counts connections.
type listBench struct {
	source, target *real.Server
	near, far      *imaptest.Proxy
	users          []string
	dir, program   string
}

func newListBench(t *testing.T, accounts int, o real.Options) *listBench {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	b := &listBench{source: real.Dovecot(t, o), target: real.Dovecot(t, o), dir: t.TempDir(), program: program}
	corpus, err := imaptest.NewCorpus(imaptest.Small, 1)
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(t.TempDir(), "Maildir")
	if _, err := corpus.WriteMaildir(tree); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		to   **imaptest.Proxy
		addr string
	}{{&b.near, b.source.Addr()}, {&b.far, b.target.Addr()}} {
		if *p.to, err = imaptest.NewProxy(p.addr, imaptest.Faults{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*p.to).Close)
	}
	list := "id,source_user,target_user\n"
	for i := range accounts {
		user := b.source.FreshUser()
		b.source.LoadMaildir(user, tree)
		b.users = append(b.users, user)
		list += fmt.Sprintf("a%d,%s,%s\n", i, user, user)
	}
	if err := os.WriteFile(b.path("list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *listBench) path(name string) string { return filepath.Join(b.dir, name) }

// command is a run over the list.
func (b *listBench) command(ctx context.Context, more ...string) *exec.Cmd {
	args := append([]string{"sync", "--accounts", b.path("list.csv"), "--state-dir", b.path("state"), "--result", b.path("result.csv"),
		"--source", "imap://" + b.near.Addr(), "--source-tls", "none", "--target", "imap://" + b.far.Addr(), "--target-tls", "none"}, more...)
	c := exec.CommandContext(ctx, b.program, args...)
	c.Env = append(os.Environ(), "MAILMOVE_SOURCE_PASSWORD="+real.Password, "MAILMOVE_TARGET_PASSWORD="+real.Password)
	return c
}

// reading is a command that only reads over the list.
func (b *listBench) reading(ctx context.Context, name string, more ...string) *exec.Cmd {
	args := append([]string{name, "--accounts", b.path("list.csv"), "--state-dir", b.path("state"),
		"--source", "imap://" + b.near.Addr(), "--source-tls", "none", "--target", "imap://" + b.far.Addr(), "--target-tls", "none"}, more...)
	c := exec.CommandContext(ctx, b.program, args...)
	c.Env = append(os.Environ(), "MAILMOVE_SOURCE_PASSWORD="+real.Password, "MAILMOVE_TARGET_PASSWORD="+real.Password)
	return c
}

// run makes one run over the list, which must carry everything that can be carried.
func (b *listBench) run(t *testing.T, more ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	said, err := b.command(ctx, more...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitExceptions { // the corpus holds what no server takes as it is
		err = nil
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return string(said)
}

// equal asks the referee of every account.
func (b *listBench) equal(t *testing.T, said string) {
	t.Helper()
	for _, user := range b.users {
		d, err := imaptest.Compare(t.Context(), imaptest.Login{Addr: b.source.Addr(), User: user, Password: real.Password},
			imaptest.Login{Addr: b.target.Addr(), User: user, Password: real.Password}, imaptest.CompareOptions{})
		if err != nil {
			t.Fatalf("referee: %v", err)
		}
		if !d.Equal() || d.MessagesA == 0 {
			t.Fatalf("%s: %d messages, not equal:\n%s\nit said: %s", user, d.MessagesA, d, said)
		}
	}
}

// results are the rows of the last result by column.
func (b *listBench) results(t *testing.T) []map[string]string {
	t.Helper()
	return b.resultsBy(t, ',')
}

func (b *listBench) resultsBy(t *testing.T, separator rune) (rows []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(b.path("result.csv"))
	if err != nil {
		t.Fatal(err)
	}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	reader.Comma = separator
	cells, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range cells[1:] {
		row := make(map[string]string)
		for i, cell := range line {
			row[cells[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// TestServersAreNotAskedForMore: forty accounts, twelve at once, six connections to a server, two to a login. No moment has
// more, a moment being what the server sees: a connection counts until the server has ended it.
func TestServersAreNotAskedForMore(t *testing.T) {
	t.Parallel()
	const limit = 6
	b := newListBench(t, 40, real.Options{MaxUserConnections: 2})
	few := []string{"--jobs", "12", "--connections-per-server", fmt.Sprint(limit)}
	peaks := func(after, said string) {
		t.Helper()
		for i, p := range []*imaptest.Proxy{b.near, b.far} {
			if n := p.Stats().Peak; n > limit || n < 2 {
				t.Errorf("%s: side %d had %d connections at once, the limit is %d", after, i, n, limit)
			}
		}
		if strings.Contains(said, "fewer connections") || strings.Contains(said, "LIMIT") {
			t.Errorf("%s: a server refused a connection:\n%s", after, said)
		}
	}
	said := b.run(t, few...)
	peaks("first passes", said)
	b.equal(t, said)
	before := b.near.Stats().Conns + b.far.Stats().Conns
	said = b.run(t, few...)
	peaks("second passes", said)
	if n := b.near.Stats().Conns + b.far.Stats().Conns - before; n != 2*len(b.users) {
		t.Errorf("a run without changes made %d connections for %d accounts", n, len(b.users))
	}
	for _, row := range b.results(t) {
		if row["outcome"] != wordDone || row["messages"] != "0" {
			t.Errorf("a second run: %v\n%s", row, said)
		}
	}
	for _, reads := range [][]string{{"check", "--try", "1s"}, {"verify", "--level", "content"}, {"folders"}} {
		c := b.reading(t.Context(), reads[0], append(reads[1:], few...)...)
		text, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != exitExceptions && exit.ExitCode() != exitNotEqual) {
			t.Errorf("%v: %v\n%s", reads, err, text)
		}
		peaks(reads[0], string(text))
	}
}

// TestKilledLists kills runs in the middle. One more finds what each of them left.
func TestKilledLists(t *testing.T) {
	t.Parallel()
	const kills = 5
	b := newListBench(t, 16, real.Options{})
	rng := rand.New(rand.NewPCG(stopSeed(), 7))
	slow := imaptest.Faults{RTT: 5 * time.Millisecond, Bandwidth: 200 << 10}
	b.far.SetFaults(slow)
	for range kills {
		c := b.command(t.Context(), "--jobs", "5")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Second))))
		if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := c.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	}
	b.far.SetFaults(imaptest.Faults{})
	b.equal(t, b.run(t))
}
