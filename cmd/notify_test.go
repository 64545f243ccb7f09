package cmd

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/notify"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state/fleet"
)

// notifyBench is a list of two groups between two servers in memory, and a mail server that is told of it.
type notifyBench struct {
	dir, program, source, target string
	smtp                         string // where the runs send to
	sink                         *real.Sink
}

func newNotifyBench(t *testing.T) *notifyBench {
	t.Helper()
	program, err := exec.LookPath("mailmove") // this binary under another name, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	b := &notifyBench{dir: t.TempDir(), program: program, sink: real.SMTPSink(t)}
	b.smtp = b.sink.Addr()
	ca, err := imaptest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		addr *string
		mail int
	}{{&b.source, 3}, {&b.target, 0}} {
		addr, stop, err := serve(ca, "clear", "alice,bob,carol,dave", "pw", corpus{count: side.mail}, false, false, nil, new(atomic.Int64), new(atomic.Uint32))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		*side.addr = "imap://" + addr
	}
	return b
}

// write makes the list, with another password for dave.
func (b *notifyBench) write(t *testing.T, dave string) {
	t.Helper()
	list := "id,group,owner,source_user,source_password,target_user\n" +
		"alice,one,alice@one.example,alice,pw,alice\nbob,one,,bob,pw,bob\n" +
		"carol,two,carol@two.example,carol,pw,carol\ndave,two,,dave," + dave + ",dave\n"
	if err := os.WriteFile(filepath.Join(b.dir, "list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run makes one run over the list, and gives how long its passes took, and all of it.
func (b *notifyBench) run(t *testing.T, more ...string) (passes, all time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := b.command(ctx, more...)
	var errs strings.Builder
	c.Stderr = &errs
	began := time.Now()
	said, err := c.Output()
	all = time.Since(began)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitAuthSrc {
		err = nil
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	var end jsonListEnded
	if err := errors.Join(err, json.Unmarshal([]byte(lines[len(lines)-1]), &end)); err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, errs.String())
	}
	return time.Duration(end.Seconds * float64(time.Second)), all
}

// command is a run over the list that tells.
func (b *notifyBench) command(ctx context.Context, more ...string) *exec.Cmd {
	args := append([]string{"sync", "--accounts", filepath.Join(b.dir, "list.csv"), "--state-dir", filepath.Join(b.dir, "state"), "--json",
		"--source", b.source, "--source-tls", "none", "--target", b.target, "--target-tls", "none",
		"--notify", "admin@example.org", "--notify", "owner", "--notify-from", "move@example.org", "--smtp", "smtp://" + b.smtp, "--smtp-tls", "none"}, more...)
	c := exec.CommandContext(ctx, b.program, args...)
	c.Env = append(os.Environ(), "MAILMOVE_TARGET_PASSWORD=pw")
	return c
}

// due lets the time go by after which what failed, or was begun by a process that died, is tried again.
func (b *notifyBench) due(t *testing.T) {
	t.Helper()
	dir := filepath.Join(b.dir, "state")
	if !exists(filepath.Join(dir, fleet.FileName)) { // killed before it was made
		return
	}
	f, err := fleet.Open(t.Context(), dir) // one that was killed while it made the tables
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, fleet.FileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `UPDATE notes SET due = 0, lease = 0`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Twenty runs with changes. The mail server is down for some of them, and in others takes connections and says nothing:
// every change is told once in the end, and no pass is slower.
func TestNotificationsOverTwentyRuns(t *testing.T) {
	b := newNotifyBench(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var slowest time.Duration
	for i := range 20 {
		switch b.smtp = b.sink.Addr(); i {
		case 4:
			b.sink.Down()
		case 9, 10, 11:
			b.smtp = silent.Addr().String()
		case 12:
			b.sink.Up()
		}
		b.write(t, []string{"pw", fmt.Sprintf("wrong%d", i), fmt.Sprintf("wrong%d", i-1)}[i%3])
		if i > 0 {
			b.due(t)
		}
		var more []string
		if i == 18 {
			more = []string{"--final", "--group", "one"}
		}
		passes, all := b.run(t, more...)
		slowest = max(slowest, passes)
		if rest := all - passes; rest > notifyFlush+4*time.Second {
			t.Errorf("run %d: %v beside its passes", i, rest)
		}
	}
	if slowest > notifyFlush/2 { // a delivery that is waited for takes that long
		t.Errorf("the passes of a run took %v", slowest)
	}
	b.smtp = b.sink.Addr()
	b.due(t)
	b.run(t)
	want := map[string]int{ // the last wrong password is no news: run 18 left dave out, and he failed in the same way before it
		"admin@example.org start": 2, "admin@example.org copied": 2, "admin@example.org ready": 2, "admin@example.org final": 1,
		"admin@example.org trouble": 6, "alice@one.example start": 1, "alice@one.example copied": 1, "alice@one.example final": 1,
		"carol@two.example start": 1, "carol@two.example copied": 1,
	}
	got, ids := b.told(t), b.ids(t)
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%s: told %d times, want %d", what, got[what], n)
		}
		delete(got, what)
	}
	if len(got) > 0 {
		t.Errorf("told without reason: %v", got)
	}
	if n := len(b.sink.Mails()); len(ids) != n {
		t.Errorf("%d mails have %d Message-IDs", n, len(ids))
	}
}

// Runs that are killed at any moment: every step is told in the end. A mail that came twice is the same mail: it has the
// Message-ID of the first.
func TestNotificationsOfKilledRuns(t *testing.T) {
	b := newNotifyBench(t)
	b.write(t, "pw")
	for i := range 24 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c := b.command(ctx)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(i*15+rand.IntN(15))*time.Millisecond, func() { _ = c.Process.Kill() }) // it may be over
		_ = c.Wait()                                                                                                 // most were killed
		timer.Stop()
		cancel()
		if i > 0 && i%4 == 0 {
			b.due(t)
		}
	}
	b.run(t)
	b.due(t)
	b.run(t)
	got := make(map[string]map[string]bool)
	for _, mail := range b.sink.Mails() {
		what := regexp.MustCompile(`(?m)^(?:X-Rcpt-Args: <[^>]+>|Subject: .*|Message-ID: .*)$`).FindAllString(mail, -1)
		if len(what) < 3 { // cut off by the kill, before its last line: the sink keeps what it has
			continue
		}
		slices.Sort(what) // Message-ID, Subject, recipient
		key := strings.TrimSpace(what[1]) + " " + strings.TrimSpace(what[2])
		if got[key] == nil {
			got[key] = make(map[string]bool)
		}
		got[key][what[0]] = true
	}
	for _, subject := range []string{"Mail move of one: the first copy has begun", "Mail move of two: the first copy has begun",
		"Mail move of one: the first copy is done", "Mail move of two: the first copy is done",
		"Mail move of one: ready for the final pass", "Mail move of two: ready for the final pass"} {
		if n := len(got["Subject: "+subject+" X-Rcpt-Args: <admin@example.org>"]); n != 1 {
			t.Errorf("%s: %d mails", subject, n)
		}
	}
	for _, owner := range []string{"alice@one.example", "carol@two.example"} {
		for _, subject := range []string{"Your mailbox is moving to a new server", "Your mail was copied to the new server"} {
			if n := len(got["Subject: "+subject+" X-Rcpt-Args: <"+owner+">"]); n != 1 {
				t.Errorf("%s to %s: %d mails", subject, owner, n)
			}
		}
	}
	if len(got) != 10 {
		t.Errorf("told: %v", slices.Sorted(maps.Keys(got)))
	}
}

// told counts the mails by recipient and event; what is merged counts as the accounts in it.
func (b *notifyBench) told(t *testing.T) map[string]int {
	t.Helper()
	words := map[string]string{"has begun": "start", "is done": "copied", "trouble": "trouble", "ready for": "ready", "final pass is": "final",
		"is moving": "start", "was copied": "copied", "is complete": "final"}
	all := make(map[string]int)
	for _, mail := range b.sink.Mails() {
		to := regexp.MustCompile(`(?m)^X-Rcpt-Args: <([^>]+)>`).FindStringSubmatch(mail)
		subject := regexp.MustCompile(`(?m)^Subject: (.*?)\r?$`).FindStringSubmatch(mail)
		if to == nil || subject == nil {
			t.Fatalf("no mail: %s", mail)
		}
		kind := ""
		for _, words := range slices.SortedFunc(maps.Keys(words), func(x, y string) int { return len(y) - len(x) }) {
			if kind == "" && strings.Contains(subject[1], words) {
				kind = words
			}
		}
		n := 1
		if words[kind] == "trouble" {
			n = strings.Count(mail, "\n- dave")
		}
		all[to[1]+" "+words[kind]] += n
	}
	return all
}

func (b *notifyBench) ids(t *testing.T) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	for _, mail := range b.sink.Mails() {
		id := regexp.MustCompile(`(?m)^Message-ID: (<mailmove-[0-9a-f]+@example\.org>)\r?$`).FindStringSubmatch(mail)
		if id == nil {
			t.Fatalf("no Message-ID of ours: %s", mail)
		}
		ids[id[1]] = true
	}
	return ids
}

// empty is a store in which nothing is due, that counts how often it is asked.
type empty struct {
	notify.Store // only Claim is called
	asked        atomic.Int64
}

func (e *empty) Claim(context.Context, time.Time) (b notify.Batch, found bool, next time.Time, err error) {
	e.asked.Add(1)
	return b, false, next, nil
}

// In a list of thousands accounts fail, and owners are to be told, every second: who came first waits half a minute all
// the same, and not for the end of the run.
func TestTroubleIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(empty)
		n := &notices{notifier: notify.Start(t.Context(), notify.Options{Store: store, Now: time.Now, Timeout: notifyTimeout})}
		synctest.Wait()
		first := store.asked.Load()
		for range 95 {
			n.wakeSoon()
			time.Sleep(time.Second)
		}
		if looks := store.asked.Load() - first; looks != 3 {
			t.Errorf("looked %d times in 95 s for what is to be told, not each 30 s", looks)
		}
		n.soon.Stop()
		if err := n.notifier.Close(notifyFlush); err != nil {
			t.Error(err)
		}
	})
}

// A note that cannot be read is told as that, and keeps no other back.
func TestADamagedNoteIsTold(t *testing.T) {
	ctx := t.Context()
	f, err := fleet.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	now := time.Now()
	notes := []fleet.Note{{Key: "1", Channel: byMail, Recipient: "a@one.example", Kind: notify.Final, Name: "one", Body: []byte(`{"text":"cut o`), Created: now},
		{Key: "2", Channel: byMail, Recipient: "b@one.example", Kind: notify.Final, Name: "one", Body: []byte(`{"accounts":7}`), Created: now}}
	if err := f.Keep(ctx, fleet.Change{Notes: notes}); err != nil {
		t.Fatal(err)
	}
	store := &outbox{f, []fleet.Way{{Channel: byMail}}}
	for _, want := range []notify.Event{{Text: "what was noted of this cannot be read"}, {Accounts: 7}} {
		b, found, _, err := store.Claim(ctx, now)
		if err != nil || !found || len(b.Events) != 1 || b.Events[0].Text != want.Text || b.Events[0].Accounts != want.Accounts {
			t.Fatalf("%+v, %v, want %+v", b, err, want)
		}
	}
}

// Whatever a list has for names, what is noted of them can be read again.
func TestLongNamesAreTold(t *testing.T) {
	f, err := fleet.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	long := strings.Repeat("\x01", 10000) // each is shown by four letters
	e := &entry{account: long, group: "one", row: &accounts.Row{Fields: map[string]string{columnOwner: "a@one.example", "target_user": long}}}
	n := &notices{to: []recipient{{byMail, ""}}}
	if err := f.Keep(t.Context(), fleet.Change{Notes: n.add(notify.Final, "k", "one", notify.Event{Mailbox: long}, []*entry{e})}); err != nil {
		t.Fatal(err)
	}
	b, _, _, err := (&outbox{f, []fleet.Way{{Channel: byMail}}}).Claim(t.Context(), time.Now())
	if err != nil || len(b.Events) != 1 || !b.Events[0].Owner || b.Events[0].Account == "" {
		t.Fatalf("%+v, %v", b, err)
	}
}
