package cmd

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
	"mailmove/state"
	"mailmove/state/fleet"
)

// An account whose state cannot be read is chosen as one that failed, and holds up nobody.
func TestOneStateThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, state.FileName("bob")))
	if err != nil {
		t.Fatal(err)
	}
	// As mailmove wrote it before it was brought up to date.
	_, err = db.Exec(fmt.Sprintf("CREATE TABLE x (y); PRAGMA application_id = %d; PRAGMA user_version = 1", 0x4D4D7374))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	r := &listRun{f: newSyncFlags(), dir: dir, list: &accounts.List{}}
	r.f.list.only = only{"failed", "never"}
	for _, name := range []string{"alice", "bob"} {
		r.entries = append(r.entries, &entry{account: name, row: &accounts.Row{}})
	}
	if err := r.choose(t.Context()); err != nil {
		t.Fatalf("one account stops all: %v", err)
	}
	if !r.entries[0].chosen || !r.entries[1].chosen {
		t.Errorf("chosen: %v, %v", r.entries[0].chosen, r.entries[1].chosen)
	}
	o, err := r.past(t.Context(), r.entries[1])
	if err != nil || o.Word != wordFailed || o.Text == "" {
		t.Errorf("%+v, %v", o, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := r.past(ended, r.entries[1]); err == nil {
		t.Error("a run that was stopped takes that for a failure of the account")
	}
}

// What was stopped on the way to be mended is still what --only failed means.
func TestStoppedIsNotMended(t *testing.T) {
	before := fleet.Outcome{Account: "a", Word: wordFailed, Code: exitConnectSrc, Text: "lost", Told: time.Now()}
	r := &listRun{f: newSyncFlags(), before: map[string]fleet.Outcome{"a": before}}
	e := &entry{account: "a", outcome: outcome{word: wordStopped, code: exitLater}}
	if kept := r.remember(e, time.Now()); !isMeant("failed", kept) || kept.Code != before.Code || kept.Text != before.Text {
		t.Errorf("%+v", kept)
	}
	e.outcome = outcome{word: wordDone}
	if kept := r.remember(e, time.Now()); isMeant("failed", kept) {
		t.Errorf("%+v", kept)
	}
}

// Every night tells a failure again, also where the account has its turn a little earlier than the night before.
func TestEveryNightTells(t *testing.T) {
	now := time.Now()
	r := &listRun{f: newSyncFlags(), before: map[string]fleet.Outcome{"a": {Account: "a", Word: wordFailed, Code: exitAuthSrc, Told: now.Add(-24*time.Hour + 20*time.Minute)}}}
	e := &entry{account: "a", outcome: outcome{word: wordFailed, code: exitAuthSrc}}
	if r.remember(e, now); !e.outcome.isNew {
		t.Error("the second night says nothing")
	}
}

// With --quiet an account that came to a closed group is told once a day, not with each run of cron.
func TestClosedGroupsAreToldOnceADay(t *testing.T) {
	dir := t.TempDir()
	run := func(quiet bool) string {
		f, err := fleet.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var said bytes.Buffer
		r := &listRun{a: &app{out: io.Discard, err: &said, width: 80}, f: newSyncFlags(), fleet: f, notices: &notices{},
			kept:    map[string]fleet.Group{"sales": {Name: "sales", State: groupClosed}},
			entries: []*entry{{account: "late", group: "sales", chosen: true, row: &accounts.Row{}}}}
		if r.before, err = f.Outcomes(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.leaveClosed(quiet)
		if err := r.save(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if o := r.before["late"]; !isMeant("never", o) || !isMeant("pending", o) || isMeant("failed", o) {
			t.Errorf("%+v", o)
		}
		return said.String()
	}
	if said := run(true); !strings.Contains(said, "never copied: late") {
		t.Errorf("the first run said %q", said)
	}
	if said := run(true); said != "" {
		t.Errorf("the second run said %q", said)
	}
	if said := run(false); !strings.Contains(said, "never copied: late") {
		t.Errorf("without --quiet it said %q", said)
	}
}

// What a run cannot keep it tries again later, and says so once, at the end, not with each account.
func TestAFleetThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	open := func() *fleet.Fleet {
		f, err := fleet.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	r := &listRun{a: &app{out: io.Discard, err: io.Discard, width: 80}, f: newSyncFlags(), fleet: open(), notices: &notices{}, intake: t.Context(), before: make(map[string]fleet.Outcome)}
	r.show = ui.NewList(ui.Options{Out: io.Discard, Err: io.Discard}, 500)
	defer r.show.Close()
	d := &dispatcher{listRun: r}
	if err := r.fleet.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if err := d.finish(t.Context(), &entry{account: fmt.Sprint(i), outcome: outcome{word: wordDone}}); err != nil {
			t.Fatal(err)
		}
	}
	err := r.save(t.Context(), true)
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("told: %v", err)
	}
	r.fleet = open()
	defer r.fleet.Close()
	if err := r.save(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if all, err := r.fleet.Outcomes(t.Context()); err != nil || len(all) != 500 {
		t.Errorf("%d kept, %v", len(all), err)
	}
}

// What a pass over the account alone noted since the run began is not undone by what the run knew at its beginning.
func TestAnotherPassMeanwhile(t *testing.T) {
	f, err := fleet.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &listRun{a: &app{out: io.Discard, err: io.Discard, width: 80}, f: newSyncFlags(), fleet: f, notices: &notices{}, intake: t.Context(),
		before: map[string]fleet.Outcome{"a": {Account: "a", Word: wordFailed, Code: exitConnectSrc}}}
	r.show = ui.NewList(ui.Options{Out: io.Discard, Err: io.Discard}, 1)
	defer r.show.Close()
	good := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	if err := f.Record(t.Context(), fleet.Outcome{Account: "a", Word: wordDone, Good: good, Last: good, Mail: good, Final: true}); err != nil {
		t.Fatal(err)
	}
	e := &entry{account: "a", outcome: outcome{word: wordFailed, code: exitAuthSrc}}
	if err := errors.Join((&dispatcher{listRun: r}).finish(t.Context(), e), r.save(t.Context(), true)); err != nil {
		t.Fatal(err)
	}
	o, _, err := f.Outcome(t.Context(), "a")
	if err != nil || !o.Good.Equal(good) || !o.Mail.Equal(good) || !o.Final || o.Word != wordFailed {
		t.Errorf("%+v, %v", o, err)
	}
}

// A row that is left out is told to cron when it is new, and not with every run.
func TestSkippedRowsAreToldOnceADay(t *testing.T) {
	f, err := fleet.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	run := func(quiet bool, wrong ...string) string {
		var said bytes.Buffer
		r := &listRun{a: &app{out: io.Discard, err: &said, width: 80}, f: newSyncFlags(), fleet: f, list: &accounts.List{Name: "list.csv"}}
		r.f.quiet, r.f.list.skipInvalid = quiet, true
		for i, name := range append(wrong, "sound") {
			e := &entry{account: name, row: &accounts.Row{Line: i + 2}}
			if name != "sound" {
				e.problems = []accounts.Problem{problemOf(i+2, "no target", "")}
			}
			r.entries = append(r.entries, e)
		}
		if err := errors.Join(r.refuse(), r.tellSkipped(t.Context())); err != nil {
			t.Fatal(err)
		}
		return said.String()
	}
	for i, c := range []struct {
		quiet bool
		wrong []string
		want  int // lines
	}{{true, nil, 0}, {true, []string{"a"}, 1}, {true, []string{"a"}, 0}, {true, []string{"a", "b"}, 2}, {false, []string{"b"}, 1}, {true, []string{"b"}, 0}} {
		if said := run(c.quiet, c.wrong...); strings.Count(said, "\n") != c.want {
			t.Errorf("run %d: %q", i, said)
		}
	}
}
