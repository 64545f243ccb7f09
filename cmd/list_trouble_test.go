package cmd

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state/fleet"
)

// troubleBench is a list with every trouble in it: a server that is dead, one that is slow, one that throttles, and wrong
// passwords on a server of their own.
type troubleBench struct {
	source, guarded, target *real.Server
	slow                    *imaptest.Proxy
	throttles, counted      *imaptest.Meddler
	dead                    string
	dir, program            string
	arrives                 []string          // accounts that a first run carries
	users                   map[string]string // by account
}

// wrongOnes is how many passwords are wrong: more than open a server's breaker.
const wrongOnes = 5

func newTroubleBench(t *testing.T) *troubleBench {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	b := &troubleBench{source: real.Dovecot(t, real.Options{}), guarded: real.Dovecot(t, real.Options{}), target: real.Dovecot(t, real.Options{}),
		dir: t.TempDir(), program: program, users: make(map[string]string)}
	if b.slow, err = imaptest.NewProxy(b.source.Addr(), imaptest.Faults{RTT: 100 * time.Millisecond, Bandwidth: 200 << 10}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.slow.Close)
	for _, m := range []struct {
		to     **imaptest.Meddler
		addr   string
		faults []imaptest.Meddle
	}{
		{&b.throttles, b.source.Addr(), []imaptest.Meddle{
			{Verb: "LOGIN", Nth: 1, How: imaptest.AnswerNo, Code: "LIMIT", Text: "Maximum number of connections from user+IP exceeded"},
			{Verb: "UID FETCH", Nth: 2, How: imaptest.AnswerNo, Code: "UNAVAILABLE", Text: "slow down"},
			{Verb: "LOGIN", Nth: 4, How: imaptest.AnswerNo, Code: "UNAVAILABLE", Text: "Temporary authentication failure"},
		}},
		{&b.counted, b.guarded.Addr(), nil},
	} {
		if *m.to, err = imaptest.NewMeddler(m.addr, m.faults...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*m.to).Close)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.dead = closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// write makes the list and its mail. The secret is what the wrong passwords are.
func (b *troubleBench) write(t *testing.T, dead, secret string) {
	t.Helper()
	fresh := len(b.arrives) == 0
	list := "id;group;source;source_user;source_password;target_user\n"
	add := func(name, group, server, password string, at *real.Server, works bool) {
		if fresh {
			b.users[name] = b.source.FreshUser()
			loadSmall(t, at, b.users[name])
		}
		list += fmt.Sprintf("%s;%s;imap://%s;%s;%s;%s\n", name, group, server, b.users[name], password, b.users[name])
		if fresh && works {
			b.arrives = append(b.arrives, name)
		}
	}
	for i := range 3 {
		add(fmt.Sprint("good", i), "good", b.source.Addr(), real.Password, b.source, true)
		add(fmt.Sprint("slow", i), "slow", b.slow.Addr(), real.Password, b.source, true)
		add(fmt.Sprint("busy", i), "busy", b.throttles.Addr(), real.Password, b.source, true)
		add(fmt.Sprint("dead", i), "dead", dead, real.Password, b.source, false)
	}
	for i := range wrongOnes {
		add(fmt.Sprint("wrong", i), "wrong", b.counted.Addr(), secret, b.guarded, false)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loadSmall gives a user five messages.
func loadSmall(t *testing.T, s *real.Server, user string) {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "Maildir")
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		text := fmt.Sprintf("From: a@b.example\r\nSubject: %d\r\nDate: Mon, 02 Jan 1995 15:04:05 +0000\r\nMessage-ID: <%d.%s@b.example>\r\n\r\nHello\r\n", i, i, user)
		if err := os.WriteFile(filepath.Join(tree, "cur", fmt.Sprintf("78%d.M1P1.host:2,S", i)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.LoadMaildir(user, tree)
}

// run makes a run and gives its exit code.
func (b *troubleBench) run(t *testing.T, list string, more ...string) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, b.program, append([]string{"sync", "--accounts", list, "--state-dir", filepath.Join(b.dir, "state"), "--source-tls", "none",
		"--target", "imap://" + b.target.Addr(), "--target-tls", "none", "--jobs", "6", "--connections-per-server", "20"}, more...)...)
	c.Env = append(os.Environ(), "MAILMOVE_TARGET_PASSWORD="+real.Password)
	text, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return exitDone, string(text)
}

func (b *troubleBench) equal(t *testing.T, source *real.Server, account, said string) {
	t.Helper()
	user := b.users[account]
	d, err := imaptest.Compare(t.Context(), imaptest.Login{Addr: source.Addr(), User: user, Password: real.Password},
		imaptest.Login{Addr: b.target.Addr(), User: user, Password: real.Password}, imaptest.CompareOptions{})
	if err != nil || !d.Equal() || d.MessagesA != 5 {
		t.Errorf("%s: %v, not equal: %v\nit said: %s", account, err, d, said)
	}
}

// logins is how many logins the server with the wrong passwords was sent.
func (b *troubleBench) logins() (n int) {
	for _, verb := range b.counted.Commands() {
		if verb == "LOGIN" || verb == "AUTHENTICATE" {
			n++
		}
	}
	return n
}

// TestTroubleOfSomeIsNotTheOthers: whatever is wrong with a server or a password, everything else arrives; what happened is
// told precisely; a run over what failed heals what was mended; and no wrong password is tried often.
func TestTroubleOfSomeIsNotTheOthers(t *testing.T) {
	t.Parallel()
	b := newTroubleBench(t)
	b.write(t, b.dead, "wrong")
	result, list := filepath.Join(b.dir, "result.csv"), filepath.Join(b.dir, "list.csv")
	code, said := b.run(t, list, "--result", result)
	if code != exitAuthSrc {
		t.Errorf("exit code %d\n%s", code, said)
	}
	for _, account := range b.arrives {
		b.equal(t, b.source, account, said)
	}
	if b.throttles.Hits() == 0 {
		t.Error("nothing was throttled")
	}
	for _, want := range []string{"group good: copied; 3 accounts: 3 done; 15 messages", "group slow: copied; 3 accounts: 3 done; 15 messages",
		"group busy: copied; 3 accounts: 3 done; 15 messages", "group dead: copying, trouble; 3 accounts: 3 failed", "group wrong: copying, trouble; 5 accounts: 5 failed",
		"17 accounts: 8 failed, 9 done; 45 messages copied"} {
		if !strings.Contains(said, want) {
			t.Errorf("the summary has no %q:\n%s", want, said)
		}
	}
	for _, row := range (&listBench{dir: b.dir}).resultsBy(t, ';') {
		want := map[string]string{"dead": "failed 101 0", "wrong": "failed 161 0"}[row["group"]]
		if want == "" {
			want = "done 0 5"
		}
		if got := row["outcome"] + " " + row["exit_code"] + " " + row["messages"]; got != want {
			t.Errorf("%s: %s, want %s; %v", row["id"], got, want, row)
		}
		if (row["next_action"] == "") != (row["group"] != "dead" && row["group"] != "wrong") {
			t.Errorf("%s: next %q", row["id"], row["next_action"])
		}
		if row["source_password"] != "" {
			t.Errorf("%s: a password is in the result", row["id"])
		}
	}
	// Never more of them than open the breaker, and of each one try: the server saw so many, and no other.
	tried := b.logins()
	if tried < 1 || tried > wrongOnes {
		t.Errorf("%d logins with wrong passwords", tried)
	}
	// The dead server is back, the passwords are not mended: exactly what failed is tried, and one part heals.
	back, err := imaptest.NewProxy(b.source.Addr(), imaptest.Faults{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(back.Close)
	text, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(result, bytes.ReplaceAll(text, []byte(b.dead), []byte(back.Addr())), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(b.dir, "secret")
	if err := os.WriteFile(secret, []byte(real.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mended := []string{"--source-password-file", secret, "--only", "failed"}
	code, said = b.run(t, result, mended...)
	if code != exitAuthSrc || !strings.Contains(said, "8 accounts: 5 failed, 3 done; 9 left out; 15 messages copied") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	for i := range 3 {
		b.equal(t, b.source, fmt.Sprint("dead", i), said)
	}
	if n := b.logins(); n > tried+1 {
		t.Errorf("%d logins at a server that is left alone, %d before", n, tried)
	}
	// Who insists is let in, with the passwords that are right now.
	code, said = b.run(t, result, append(mended, "--login-now")...)
	if code != exitDone || !strings.Contains(said, "5 accounts: 5 done; 12 left out; 25 messages copied") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	for i := range wrongOnes {
		b.equal(t, b.guarded, fmt.Sprint("wrong", i), said)
	}
	if code, said = b.run(t, result, mended...); code != exitDone || !strings.Contains(said, "0 accounts") {
		t.Errorf("nothing failed any more: exit code %d\n%s", code, said)
	}
}

// TestTroubleForEver: a target that answers "temporary failure" to every login, or to every message, ends an account when
// --retry-for is over; its other accounts have their turn meanwhile and end like it.
func TestTroubleForEver(t *testing.T) {
	t.Parallel()
	b := newTroubleBench(t)
	for _, verb := range []string{"LOGIN", "APPEND"} {
		m, err := imaptest.NewMeddler(b.target.Addr(), imaptest.Meddle{Verb: verb, Times: -1, How: imaptest.AnswerNo, Code: "UNAVAILABLE", Text: "Temporary failure"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		list := "id;source;source_user;source_password;target;target_user\n"
		for i := range 3 {
			user := b.source.FreshUser()
			loadSmall(t, b.source, user)
			list += fmt.Sprintf("a%d;imap://%s;%s;%s;imap://%s;%s\n", i, b.source.Addr(), user, real.Password, m.Addr(), user)
		}
		name := filepath.Join(b.dir, "list.csv")
		if err := os.WriteFile(name, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		code, said := b.run(t, name, "--retry-for", "2s", "--jobs", "2", "--state-dir", filepath.Join(b.dir, verb))
		if took := time.Since(started); took > 30*time.Second {
			t.Errorf("%s: it took %v", verb, took)
		}
		if code != exitUnavailable || !strings.Contains(said, "3 accounts: 3 failed") || strings.Count(said, "Temporary failure") < 3 {
			t.Errorf("%s: exit code %d\n%s", verb, code, said)
		}
	}
}

// TestADayOfWrongPasswords: a run every ten minutes for a day, whose accounts all have wrong passwords. The clock is ours,
// what is asked is what a run asks before it dials.
func TestADayOfWrongPasswords(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	tries := make(map[string]int)
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const runs = 1 + 144
	for n := range runs {
		f, err := fleet.Open(ctx, dir) // a run
		if err != nil {
			t.Fatal(err)
		}
		for i := range wrongOnes {
			now := start.Add(time.Duration(n)*10*time.Minute + time.Duration(i)*time.Second)
			l := fleet.Login{Server: "old.example", User: fmt.Sprint("wrong", i), Credential: []byte("wrong")}
			err := f.MayTry(ctx, l, now)
			var blocked *fleet.BlockedError
			if errors.As(err, &blocked) {
				continue
			}
			if err == nil {
				tries[l.User]++
				err = f.Failed(ctx, l, now, "Authentication failed.")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for i := range wrongOnes {
		n := tries[fmt.Sprint("wrong", i)]
		total += n
		if n >= 6 {
			t.Errorf("wrong%d was tried %d times in %d runs", i, n, runs)
		}
	}
	if total < wrongOnes {
		t.Errorf("%d logins in a day: who mends a password is told too late", total)
	}
	t.Logf("%d logins in %d runs: %v", total, runs, tries)
}

// TestWrongPasswordsKeepNobodyOut: runs ten minutes apart over a list in which a third of the passwords is wrong, all on one
// server. What is right is moved in each of them, and after the first none has anything to say.
func TestWrongPasswordsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	b := newTroubleBench(t)
	const accounts, runs = 3 * wrongOnes, 9
	list := "id;source;source_user;source_password;target_user\n"
	for i := range accounts {
		user, password := b.source.FreshUser(), real.Password
		loadSmall(t, b.guarded, user)
		if i%3 == 2 {
			password = "wrong"
		}
		list += fmt.Sprintf("a%d;imap://%s;%s;%s;%s\n", i, b.counted.Addr(), user, password, user)
	}
	path := filepath.Join(b.dir, "all.csv")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range runs {
		began := time.Now()
		code, said := b.run(t, path, "--quiet", "--jobs", "4")
		if n == 0 {
			if code != exitAuthSrc || strings.Count(said, " refused by ") != wrongOnes {
				t.Errorf("first run: exit code %d\n%s", code, said)
			}
		} else if code != exitDone || said != "" {
			t.Errorf("run %d: exit code %d\n%s", n+1, code, said)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("run %d waited: %v", n+1, took)
		}
		b.later(t, 10*time.Minute)
	}
	_, said := b.run(t, path)
	if want := fmt.Sprintf("%d done", accounts-wrongOnes); !strings.Contains(said, want) {
		t.Errorf("not %s:\n%s", want, said)
	}
	if n := b.logins(); n < (accounts-wrongOnes)*runs {
		t.Errorf("%d logins in %d runs", n, runs)
	}
	var most, sum int
	err := b.fleet(t).QueryRowContext(t.Context(), `SELECT max(failures), sum(failures) FROM logins`).Scan(&most, &sum)
	if err != nil || most > 2 || sum < wrongOnes {
		t.Errorf("a wrong password was tried %d times in an hour and a half, all of them %d times; %v", most, sum, err)
	}
}

// fleet opens the fleet file beside the program.
func (b *troubleBench) fleet(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "state", fleet.FileName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// later lets time pass: what the fleet file remembers of logins is so much longer ago.
func (b *troubleBench) later(t *testing.T, d time.Duration) {
	t.Helper()
	db := b.fleet(t)
	for _, q := range []string{`UPDATE logins SET first = first - ?1, last = last - ?1`,
		`UPDATE servers SET since = since - ?1, until = until - ?1, probe = max(probe - ?1, 0)`} {
		if _, err := db.ExecContext(t.Context(), q, d.Milliseconds()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
