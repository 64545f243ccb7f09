package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/sharing"
	"mailmove/state/fleet"
)

// A pause that ends between two looks at the clock is not slept through: nobody else would wake the run up.
func TestAPauseEndsWhileItIsLookedAt(t *testing.T) {
	d, of := blockedList(t)
	d.servers = sharing.NewServers(8)
	d.add(of["a"])
	for name, leave := range map[string]func(until time.Time){
		"a pause":       func(until time.Time) { d.servers.Pause("old", until) },
		"failed logins": func(until time.Time) { d.blocked["old"] = &blockade{next: until} },
	} {
		now := time.Now()
		until := now.Add(2 * time.Millisecond)
		leave(until)
		time.Sleep(time.Until(until) + time.Millisecond)
		wake, stop := d.nextPause(now)
		select {
		case <-wake:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the run sleeps for ever", name)
		}
		stop()
		if name != "a pause" {
			continue
		}
		select {
		case <-d.resumed(d.waiting, now):
		case <-time.After(5 * time.Second):
			t.Errorf("%s: what reads sleeps for ever", name)
		}
	}
}

// When the time is up while accounts wait for a server that is left alone, they waited: nobody told them failed.
func TestTimeIsUpWhileAServerIsLeftAlone(t *testing.T) {
	d, of := blockedList(t)
	by := &fleet.BlockedError{Server: true, Host: "old", Until: time.Now().Add(15 * time.Minute)}
	d.f.quiet = true
	if !d.foundBlocked(of["a"].met(by)) {
		t.Fatal("an account is told failed for what others did")
	}
	if o := of["a"].outcome; o.word != wordWaiting || o.code != exitLater || o.err != nil || !d.counts(o) {
		t.Errorf("%s, code %d, %v", o.word, o.code, o.err)
	}
	of["b"].outcome.copied = 7
	of["b"].outcome.word, of["b"].outcome.err = wordFailed, by
	if d.foundBlocked(of["b"]); of["b"].outcome.word != wordStopped {
		t.Errorf("after a slice: %s", of["b"].outcome.word)
	}
}

// Accounts get their turns in their order, as far as their servers and logins have room.
func TestQueue(t *testing.T) {
	var q queue
	on := func(account, source, login string) *entry {
		return &entry{account: account, claims: []sharing.Claim{{Server: source, Login: login, Most: 1}, {Server: "new", Login: login, Most: 9}}}
	}
	q.add(on("a", "old", "a"), on("b", "old", "a"), on("c", "old", "c"), on("d", "slow", "d"), on("e", "slow", "e"), on("f", "old", "f"))
	servers := sharing.NewServers(8)
	servers.Lower("slow", 2)
	servers.Pause("paused", time.Now().Add(time.Hour))
	open := func(server string) bool { return servers.Room(time.Now(), server) }
	var begun []string
	leases := make(map[string]*sharing.Lease)
	take := func(e *entry) bool {
		l := servers.Reserve(time.Now(), 1, e.claims...)
		if l != nil {
			begun, leases[e.account] = append(begun, e.account), l
		}
		return l != nil
	}
	q.start(4, open, take)
	q.start(0, open, take)
	if got := strings.Join(begun, ""); got != "acde" {
		t.Errorf("begun: %s", got)
	}
	q.add(on("g", "paused", "g"), on("h", "old", "h"))
	leases["a"].End()
	q.start(9, open, take)
	if got := strings.Join(begun, ""); got != "acdebfh" {
		t.Errorf("begun: %s", got)
	}
	if len(q.waiting) != 1 || q.waiting[0].account != "g" {
		t.Errorf("%d wait", len(q.waiting))
	}
}

// A hundred thousand accounts behind a server that has no room are not looked at again and again, nor are those behind one that
// is left alone counted by each of them.
func TestManyWaitQuietly(t *testing.T) {
	d, _ := blockedList(t)
	d.servers = sharing.NewServers(2)
	d.f.list.jobs = 16
	var all []*entry
	for i := range 100_000 {
		name := fmt.Sprint(i)
		all = append(all, &entry{account: name, lanes: 1, claims: []sharing.Claim{{Server: "old", Login: name, Most: 2}, {Server: "new", Login: name, Most: 2}}})
	}
	d.add(all...)
	busy := sharing.Claim{Server: "old", Login: "x", Most: 2}
	d.servers.Reserve(time.Now(), 2, busy)
	began := time.Now()
	for range 1000 {
		d.begin(t.Context(), time.Now())
	}
	if took := time.Since(began); took > 20*time.Second || d.running > 0 {
		t.Errorf("1,000 looks took %v, %d begun", took, d.running)
	}
	by := &fleet.BlockedError{Server: true, Host: "old", Failures: 3, Until: time.Now().Add(15 * time.Minute)}
	d.blocked["old"] = &blockade{by: by, asked: true}
	began = time.Now()
	if out := d.hopeless(); len(out) != len(all) {
		t.Errorf("%d given up", len(out))
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("to give up took %v", took)
	}
}

// A list with a group for every account takes a moment, and its groups are noted together: each commit waits for the disk.
func TestManyGroups(t *testing.T) {
	dir := t.TempDir()
	f, err := fleet.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &listRun{f: newSyncFlags(), dir: dir, fleet: f, before: make(map[string]fleet.Outcome), kept: make(map[string]fleet.Group), notices: &notices{}, list: &accounts.List{}}
	const many = 20_000
	for i := range many {
		name := fmt.Sprint("a", i)
		r.entries = append(r.entries, &entry{account: name, group: name + ".example", row: &accounts.Row{}, chosen: i%2 == 0})
	}
	began := time.Now()
	if err := r.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.entries {
		e.outcome.word = wordDone
	}
	if err := r.keepGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d groups took %v", many, took)
	}
	groups, err := f.Groups(t.Context())
	if err != nil || len(groups) != many/2 || groups["a0.example"].State != groupCopied {
		t.Errorf("%d groups, %+v, %v", len(groups), groups["a0.example"], err)
	}
	// One that another process moved is left to that, the others are noted.
	other := groups["a2.example"]
	other.From, other.State, other.Since = other.State, groupSwitched, time.Now()
	if err := f.Keep(t.Context(), fleet.Change{Groups: []fleet.Group{other}}); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.entries {
		e.outcome.final = true
	}
	if err := r.keepGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	groups, err = f.Groups(t.Context())
	if err != nil || groups["a0.example"].State != groupFinal || groups["a2.example"].State != groupSwitched || groups["a4.example"].State != groupFinal {
		t.Errorf("%v %v %v, %v", groups["a0.example"].State, groups["a2.example"].State, groups["a4.example"].State, err)
	}
}
