package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// checkBench is two servers with accounts of the same names. The target holds 100 KiB for each and says that it takes
// no message over 30,000 bytes; Dovecot 2.3 has no such limit, but says what it is told to say.
type checkBench struct {
	source, target *real.Server
	stops          *stops
	dir            string
}

func newCheckBench(t *testing.T) *checkBench {
	b := &checkBench{
		source: real.Dovecot(t, real.Options{}),
		target: real.Dovecot(t, real.Options{Quota: "*:storage=100K", Extra: "imap_capability = +APPENDLIMIT=30000"}),
		dir:    t.TempDir(),
	}
	_, s, end := watchSignals(t.Context(), nil)
	t.Cleanup(end)
	b.stops = s
	for name, word := range map[string]string{"user": real.Password, "master": real.MasterPassword} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(word+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// letterIn is a message in a folder of the source; age is that of its INTERNALDATE.
type letterIn struct {
	folder string // as in a Maildir++, "" for INBOX
	bytes  int
	age    time.Duration
}

// load gives a fresh user that mail.
func (b *checkBench) load(t *testing.T, mail []letterIn) (user string) {
	t.Helper()
	user = b.source.FreshUser()
	root := filepath.Join(t.TempDir(), "Maildir")
	for i, m := range mail {
		folder := root
		if m.folder != "" {
			folder = filepath.Join(root, "."+m.folder)
		}
		for _, dir := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(folder, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		text := fmt.Sprintf("From: a@b.example\r\nSubject: %d\r\nMessage-ID: <%d@b.example>\r\n\r\n", i, i)
		text += strings.Repeat("x", m.bytes-len(text)-2) + "\r\n"
		path := filepath.Join(folder, "cur", fmt.Sprintf("%d.M%d.here:2,S", 1700000000+i, i))
		day := time.Now().Add(-m.age)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, day, day)); err != nil {
			t.Fatal(err)
		}
	}
	b.source.LoadMaildir(user, root)
	return user
}

// run is the command in this process, with its output and its error.
func (b *checkBench) run(ctx context.Context, user, targetUser, password string, more ...string) (out string, err error) {
	in, err := os.Open(os.DevNull)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var stdout bytes.Buffer
	root := newRoot(&app{in: in, out: &stdout, err: &bytes.Buffer{}, width: 80, stops: b.stops})
	root.SetArgs(append([]string{"check", "--state-dir", filepath.Join(b.dir, "state"),
		"--source", "imap://" + b.source.Addr(), "--source-tls", "none", "--source-user", user, "--source-password-file", filepath.Join(b.dir, "user"),
		"--target", "imap://" + b.target.Addr(), "--target-tls", "none", "--target-user", targetUser, "--target-password-file", filepath.Join(b.dir, password),
	}, more...))
	err = root.ExecuteContext(ctx)
	return stdout.String(), err
}

// found are the findings of a report in JSON that are not ok, as "verdict check trouble".
func found(out string) (list []string, err error) {
	for line := range strings.Lines(out) {
		var f jsonFinding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return nil, err
		}
		if f.Type == "check" && f.Verdict != "ok" {
			list = append(list, f.Verdict+" "+f.Check+" "+f.Trouble)
		}
	}
	return list, nil
}

// Faults are planted in some of 50 accounts: exactly those are found, and nothing of the others.
func TestCheckFindsWhatIsPlanted(t *testing.T) {
	const accounts, day = 50, 24 * time.Hour
	b := newCheckBench(t)
	plain := func() []letterIn { return []letterIn{{"", 5000, day}, {"Sent", 4000, 30 * day}} }
	type fault struct {
		mail []letterIn
		own  bool // the user's own password, which the policy does not like
		want string
		code int
	}
	planted := map[int]fault{
		3:  {mail: append(plain(), slices.Repeat([]letterIn{{"Archive", 28000, day}}, 6)...), want: "failed quota full", code: exitCheck},
		11: {mail: append(plain(), letterIn{"Archive", 29000, day}, letterIn{"Archive", 29000, day}, letterIn{"Archive", 29256, day}), want: "warning quota nearly-full"},
		19: {mail: plain(), own: true, want: "failed target-password against-policy", code: exitCheck},
		27: {mail: append(plain(), letterIn{"abc", 100, day}, letterIn{"ABC", 100, day}), want: "warning folders name"},
		35: {mail: append(plain(), letterIn{"", 40000, day}), want: "warning message-size too-large"},
		43: {mail: append(plain(), letterIn{"", 100, 100 * day}), want: "failed retention older", code: exitCheck},
	}
	users := make([]string, accounts)
	for i := range users {
		if users[i] = b.load(t, plain()); planted[i].mail != nil {
			users[i] = b.load(t, planted[i].mail)
		}
	}
	var mu sync.Mutex
	got, codes := make(map[int][]string), make(map[int]int)
	started := time.Now()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for i, user := range users {
		g.Go(func() error {
			target, password := user+"*"+real.MasterUser, "master"
			if planted[i].own {
				target, password = user, "user"
			}
			out, err := b.run(ctx, user, target, password, "--json", "--target-retention", "60d", "--password-policy", "min=5,lower,ascii")
			list, broken := found(out)
			if broken != nil || strings.Contains(out, real.MasterPassword) {
				return fmt.Errorf("%s: %v, %v: %s", user, err, broken, out)
			}
			mu.Lock()
			defer mu.Unlock()
			if codes[i] = exitCode(err); list != nil {
				got[i] = list
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(started)
	t.Logf("%d accounts in %v", accounts, took.Round(time.Millisecond))
	for i := range accounts {
		var want []string
		if planted[i].want != "" {
			want = []string{planted[i].want}
		}
		if !slices.Equal(got[i], want) || codes[i] != planted[i].code {
			t.Errorf("account %d: found %q with code %d, want %q and %d", i, got[i], codes[i], want, planted[i].code)
		}
	}
	b.asList(t, users, func(i int) bool { return planted[i].own }, func(i int) string { return planted[i].want })
	if took > time.Minute { // 2 s where nothing else runs; a busy machine decides nothing
		t.Errorf("it took %v", took)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "state")); !os.IsNotExist(err) {
		t.Errorf("there is a state now: %v", err)
	}
}

// asList finds the same in one run over a list of these accounts.
func (b *checkBench) asList(t *testing.T, users []string, own func(int) bool, want func(int) string) {
	t.Helper()
	list := "id;source_user;source_password;target_user;target_password;target_retention\n"
	for i, user := range users {
		target, password := user+"*"+real.MasterUser, real.MasterPassword
		if own(i) {
			target, password = user, real.Password
		}
		list += strings.Join([]string{user, user, real.Password, target, password, "60d"}, ";") + "\n"
	}
	path := filepath.Join(b.dir, "list.csv")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	root := newRoot(&app{in: os.Stdin, out: &stdout, err: &stderr, width: 80, stops: b.stops})
	root.SetArgs([]string{"check", "--accounts", path, "--jobs", "8", "--connections-per-server", "8", "--json", "--state-dir", filepath.Join(b.dir, "state"),
		"--source", "imap://" + b.source.Addr(), "--source-tls", "none", "--target", "imap://" + b.target.Addr(), "--target-tls", "none",
		"--password-policy", "min=5,lower,ascii"})
	if err := root.ExecuteContext(t.Context()); exitCode(err) != exitCheck {
		t.Errorf("the list ended with %v: %s", err, stderr.String())
	}
	lines := make(map[string]string) // by account
	for line := range strings.Lines(stdout.String()) {
		var f jsonFinding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines[f.Account] += line
	}
	if len(lines) != len(users) {
		t.Errorf("the list has %d accounts, and %d were checked", len(users), len(lines))
	}
	for i, user := range users {
		list, err := found(lines[user])
		if got := strings.Join(list, ", "); err != nil || got != want(i) {
			t.Errorf("account %d of the list: found %q, %v, want %q", i, got, err, want(i))
		}
	}
}

// Neither side changes, whatever is asked; not by a try of the line either.
func TestCheckChangesNothing(t *testing.T) {
	b := newCheckBench(t)
	user := b.load(t, []letterIn{{"", 5000, time.Hour}, {"Sent", 4000, time.Hour}, {"New", 3000, time.Hour}})
	var before [2]imaptest.Snapshot
	for n := range 2 { // what a server writes at the first login is its own
		out, err := b.run(t.Context(), user, user, "user", "--try", "1s", "--target-retention", "1y", "--csv")
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for i, server := range []*real.Server{b.source, b.target} {
			now, err := imaptest.TakeSnapshot(server.MailDir(user))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				before[i] = now
			} else if changes := before[i].Changes(now); len(changes) > 0 {
				t.Errorf("side %d changed:\n%s", i, strings.Join(changes, "\n"))
			}
		}
	}
}

// Each finding that the engine can make has words of its own, and each trouble says what to do next.
func TestCheckWords(t *testing.T) {
	for _, w := range checkWordings() {
		f := mailsync.Finding{Check: w.check, Trouble: w.trouble, Limit: 10, Messages: 2, Folder: "f\x1b[31m", Text: "t\x1b[31m", Err: errors.New("e\x1b[31m")}
		what, next := checkWords(f)
		if what == "" || strings.ContainsRune(what+next, '\x1b') {
			t.Errorf("%s %s: %q, %q", w.check, w.trouble, what, next)
		}
		if w.check != "" && w.trouble != "" && next == "" {
			t.Errorf("%s %s: nothing to do next", w.check, w.trouble)
		}
	}
	seen := make(map[string]bool)
	for _, w := range checkWordings() {
		if key := w.check + " " + w.trouble; seen[key] {
			t.Errorf("%s has two wordings", key)
		} else {
			seen[key] = true
		}
	}
	if _, ok := seen[mailsync.CheckQuota+" "+mailsync.TroubleFull]; !ok {
		t.Errorf("no words for a full mailbox among %v", slices.Sorted(maps.Keys(seen)))
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a minute", 59 * time.Second: "less than a minute", 90 * time.Second: "about 1 minute", 59 * time.Minute: "about 59 minutes",
		time.Hour: "about an hour", 90 * time.Minute: "about 1.5 hours", 30 * time.Hour: "about 30 hours",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// A folder's name is a sender's or an old server's: a spreadsheet must not run it, a terminal not obey it.
func TestCell(t *testing.T) {
	for in, want := range map[string]string{"": "", "Sent": "Sent", "=1+1": "'=1+1", "+x": "'+x", "-x": "'-x", "@x": "'@x", "a\x1b[31m": `a\x1b[31m`, "a=b": "a=b"} {
		if got := cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
