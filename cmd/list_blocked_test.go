package cmd

import (
	"context"
	"io"
	"testing"
	"time"

	"mailmove/cmd/internal/sharing"
	"mailmove/cmd/internal/ui"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// blockedList is a dispatcher with accounts a, b and c of one server, and d of another.
func blockedList(t *testing.T) (d *dispatcher, entries map[string]*entry) {
	t.Helper()
	r := &listRun{f: newSyncFlags(), a: &app{err: io.Discard}, intake: context.Background()}
	r.show = ui.NewList(ui.Options{Out: io.Discard, Err: io.Discard}, 4)
	t.Cleanup(r.show.Close)
	d = &dispatcher{listRun: r, blocked: make(map[string]*blockade), open: make(map[string]bool)}
	entries = make(map[string]*entry)
	for name, server := range map[string]string{"a": "old", "b": "old", "c": "old", "d": "other"} {
		entries[name] = &entry{account: name, claims: []sharing.Claim{{Server: server, Login: name}, {Server: "new", Login: name}}}
	}
	return d, entries
}

// mayBegin tells whether no server keeps an account waiting.
func (d *dispatcher) mayBegin(e *entry, now time.Time) bool {
	return d.mayAsk(e.claims[0].Server, now) && d.mayAsk(e.claims[1].Server, now)
}

func (e *entry) met(err error) *entry {
	e.outcome = outcome{word: wordFailed, code: exitAuthSrc, err: err}
	return e
}

// One account at a time asks whether a server that is left alone is open again; who is let in opens it for all.
func TestAScoutOpensAServer(t *testing.T) {
	d, of := blockedList(t)
	by := &failure{code: exitAuthSrc, err: &fleet.BlockedError{Server: true, Host: "old", Until: time.Now().Add(15 * time.Minute)}}
	if d.foundBlocked(of["a"].met(&failure{code: exitAuthSrc})) {
		t.Fatal("a wrong password is not for others to wait for")
	}
	if !d.foundBlocked(of["a"].met(by)) {
		t.Fatal("an account is told failed for what others did")
	}
	now := time.Now()
	if d.mayBegin(of["b"], now) || !d.mayBegin(of["d"], now) {
		t.Error("accounts of the server begin, or those of another do not")
	}
	later := now.Add(2 * scoutMost)
	if !d.mayBegin(of["b"], later) {
		t.Error("nobody asks again")
	}
	d.begun(of["b"])
	if d.mayBegin(of["c"], later) {
		t.Error("two ask at once")
	}
	if !d.foundBlocked(of["b"].met(by)) || !d.mayBegin(of["c"], later.Add(time.Minute)) {
		t.Error("after one scout there is no other")
	}
	d.begun(of["c"].met(by))
	d.listRun.ended(of["c"], mailsync.Report{}, nil)
	if d.foundBlocked(of["c"]) {
		t.Error("an account that was let in is told as kept out, for it was before")
	}
	d.passed(of["c"])
	if !d.mayBegin(of["a"], now) {
		t.Error("who was let in opened the server for nobody else")
	}
}

// Where no login has worked, and nobody is under way who could, nothing is waited for.
func TestNobodyWaitsForAClosedServer(t *testing.T) {
	d, of := blockedList(t)
	by := &fleet.BlockedError{Server: true, Host: "old", User: "a", Failures: 3, Since: time.Now(), Until: time.Now().Add(15 * time.Minute)}
	d.foundBlocked(of["a"].met(by))
	many := func() (out []*entry) {
		for range by.Failures {
			out = append(out, &entry{claims: of["c"].claims})
		}
		return out
	}
	d.waiting = []*entry{of["a"], of["b"], of["d"]}
	d.running = 1
	if out := d.hopeless(); len(out) > 0 {
		t.Error("an account is given up while another may open the server")
	}
	d.running = 0
	if out := d.hopeless(); len(out) > 0 {
		t.Error("an account is given up while one of another server is to begin, whose target it shares")
	}
	d.waiting = append(many(), of["a"], of["b"])
	d.open["old"] = true
	if out := d.hopeless(); len(out) > 0 {
		t.Error("a login worked there before: it is worth waiting")
	}
	of["b"].refused = true
	if out := d.hopeless(); len(out) > 0 {
		t.Error("nobody asked whether the server is open again")
	}
	d.begun(of["a"])
	d.foundBlocked(of["a"].met(by))
	if out := d.hopeless(); len(out) != 1 || out[0] != of["b"] {
		t.Errorf("the run waits for a password that was wrong the last time: %d given up", len(out))
	}
	of["b"].refused = false
	d.waiting = []*entry{of["a"], of["b"]}
	if out := d.hopeless(); len(out) != 2 {
		t.Errorf("the run waits for fewer than were refused: %d given up", len(out))
	}
	d.waiting = []*entry{of["a"], of["b"]}
	by.Until = time.Now().Add(4 * time.Hour)
	out := d.hopeless()
	if len(out) != 2 || len(d.waiting) != 0 {
		t.Fatalf("%d given up, %d wait for four hours", len(out), len(d.waiting))
	}
	if o := of["b"].outcome; o.word != wordFailed || o.code != exitAuthSrc || o.next == "" {
		t.Errorf("%+v", o)
	}
}
