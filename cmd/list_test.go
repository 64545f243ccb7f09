package cmd

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata" // zones, also where the machine has none

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/sharing"
	"mailmove/imapx"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// Every code has its place, once.
func TestExitOrder(t *testing.T) {
	order := exitOrder()
	for _, row := range exitTable() {
		if n := len(slices.DeleteFunc(slices.Clone(order), func(code int) bool { return code != row.Code })); n != 1 {
			t.Errorf("%d stands in the order %d times", row.Code, n)
		}
	}
	for _, c := range []struct {
		codes []int
		want  int
	}{
		{nil, exitDone},
		{[]int{exitDone, exitDone}, exitDone},
		{[]int{exitExceptions, exitAuthSrc, exitLater}, exitAuthSrc},
		{[]int{exitLater, exitBusy}, exitBusy},
		{[]int{exitAuthDst, exitStateDamaged, exitConnectSrc}, exitStateDamaged},
		{[]int{exitAuthDst, 99}, 99}, // without a place: a fault, and never taken for less
	} {
		if got := gravest(c.codes); got != c.want {
			t.Errorf("%v: %d, want %d", c.codes, got, c.want)
		}
	}
}

// The parts of a list are disjoint, cover it, and depend on nothing but the names.
func TestShards(t *testing.T) {
	const parts, names = 16, 4000
	counts := make([]int, parts)
	for i := range names {
		in := 0
		for part := range parts {
			if (shard{part + 1, parts}).has(fmt.Sprint("account ", i)) {
				counts[part]++
				in++
			}
		}
		if in != 1 {
			t.Fatalf("account %d is in %d parts", i, in)
		}
	}
	for part, n := range counts {
		if n < names/parts/2 || n > names/parts*2 {
			t.Errorf("part %d has %d of %d", part, n, names)
		}
	}
	if !(shard{}).has("x") {
		t.Error("without parts an account is left out")
	}
}

func TestUntil(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	for _, c := range []struct{ text, now, want string }{
		{"06:00", "2026-11-22T05:59:00", "2026-11-22T06:00:00"},
		{"06:00", "2026-11-22T06:00:00", "2026-11-23T06:00:00"},
		{"00:10", "2026-12-31T23:50:00", "2027-01-01T00:10:00"},
	} {
		var at clock
		if err := at.Set(c.text); err != nil || at.String() != c.text {
			t.Fatalf("%s: %v, %s", c.text, err, at.String())
		}
		now, err := time.ParseInLocation("2006-01-02T15:04:05", c.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.next(now).Format("2006-01-02T15:04:05"); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.text, c.now, got, c.want)
		}
	}
	if !(clock{}).next(time.Now()).IsZero() {
		t.Error("a run without --until has an end")
	}
}

// On the two nights of a year on which the clock jumps a run ends when the clock shows its time first, and not a day later.
func TestUntilWhenTheClockJumps(t *testing.T) {
	for _, c := range []struct{ zone, text, now, want string }{
		{"Europe/Berlin", "02:30", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z"},    // 02:10, the first time
		{"Europe/Berlin", "02:30", "2026-10-25T00:40:00Z", "2026-10-25T01:30:00Z"},    // 02:40, the first time
		{"Europe/Berlin", "02:30", "2026-10-25T01:40:00Z", "2026-10-26T01:30:00Z"},    // the second time
		{"Europe/Berlin", "02:30", "2026-10-24T20:05:00Z", "2026-10-25T00:30:00Z"},    // the evening before
		{"Europe/Berlin", "02:30", "2026-03-29T00:45:00Z", "2026-03-29T01:30:00Z"},    // there is no 02:30
		{"America/New_York", "02:30", "2026-03-08T06:45:00Z", "2026-03-08T07:30:00Z"}, // nor there
		{"America/New_York", "02:30", "2026-11-01T06:00:00Z", "2026-11-01T07:30:00Z"},
		{"America/New_York", "01:30", "2026-11-01T05:40:00Z", "2026-11-01T06:30:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		var at clock
		if err := at.Set(c.text); err != nil {
			t.Fatal(err)
		}
		if got := at.next(now.In(zone)).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s at %s: %s, want %s", c.text, c.zone, c.now, got, c.want)
		}
	}
}

// What is told with --quiet: a failure when it is new, or another one than before, and again after a day.
func TestWhatIsNew(t *testing.T) {
	now := time.Now()
	failed := fleet.Outcome{Account: "a", Word: wordFailed, Code: exitAuthSrc, Told: now.Add(-time.Hour)}
	long := failed
	long.Told = now.Add(-25 * time.Hour)
	for _, c := range []struct {
		name   string
		before fleet.Outcome
		now    outcome
		want   bool
	}{
		{"never seen", fleet.Outcome{}, outcome{word: wordFailed, code: exitAuthSrc}, true},
		{"as before", failed, outcome{word: wordFailed, code: exitAuthSrc}, false},
		{"another reason", failed, outcome{word: wordFailed, code: exitConnectSrc}, true},
		{"a day later", long, outcome{word: wordFailed, code: exitAuthSrc}, true},
		{"mended", failed, outcome{word: wordDone}, false},
		{"new exceptions", failed, outcome{word: wordExceptions, code: exitExceptions, isNew: true}, true},
		{"broken again", fleet.Outcome{Account: "a", Word: wordDone, Told: now}, outcome{word: wordFailed, code: exitAuthSrc}, true},
	} {
		r := &listRun{f: newSyncFlags(), before: map[string]fleet.Outcome{"a": c.before}}
		e := &entry{account: "a", outcome: c.now}
		kept := r.remember(e, now)
		if e.outcome.isNew != c.want || c.want != kept.Told.Equal(now) && c.before.Told != now {
			t.Errorf("%s: new is %v, told %v", c.name, e.outcome.isNew, kept.Told)
		}
	}
}

func TestTemplates(t *testing.T) {
	r := &listRun{}
	for _, c := range []struct {
		row               accounts.Row
		flag, value, want string
	}{
		{accounts.Row{Fields: map[string]string{"source_user": "alice@old.example"}}, "target-user", "{user}@new.example", "alice@new.example"},
		{accounts.Row{Fields: map[string]string{"source_user": "alice@old.example"}}, "source-user", "{user}@{domain}*master", "alice@old.example*master"},
		{accounts.Row{Fields: map[string]string{"source_user": "a@x", "target_user": "b@y"}}, "target-authzid", "{user}", "b"},
		{accounts.Row{Fields: map[string]string{"source": "imaps://alice%40old.example@h"}}, "into", "Old/{user}", "Old/alice"},
		{accounts.Row{ID: "alice"}, "source-user", "{id}", "alice"},
		{accounts.Row{ID: "alice"}, "source-user", "{user}", "alice"},
		{accounts.Row{ID: "7"}, "map", "a{2}=b", "a{2}=b"},
	} {
		if got := r.expand(&c.row, c.flag, c.value); got != c.want {
			t.Errorf("--%s %s of %+v: %q, want %q", c.flag, c.value, c.row, got, c.want)
		}
	}
}

// What a server says of its load to one account holds for all; what happens to a connection is that account's own.
func TestAPauseIsTheServers(t *testing.T) {
	claims := []sharing.Claim{{Server: "old", Login: "a", Most: 2}, {Server: "new", Login: "a", Most: 2}}
	others := []sharing.Claim{{Server: "old", Login: "b", Most: 2}, {Server: "new", Login: "b", Most: 2}}
	for _, c := range []struct {
		name  string
		event mailsync.Event
		waits bool
	}{
		{"throttled", mailsync.Throttled{Side: "source", Delay: time.Minute, Err: &imapx.Error{Side: "source", Kind: imapx.KindUnavailable}}, true},
		{"throttled by the target", mailsync.Throttled{Side: "target", Delay: time.Minute, Err: &imapx.Error{Side: "target", Kind: imapx.KindUnavailable}}, true},
		{"with a delay", mailsync.Throttled{Side: "target", Delay: time.Minute, Err: &imapx.Error{Side: "target", Delay: time.Minute}}, true},
		{"lost", mailsync.Throttled{Side: "source", Delay: time.Minute, Err: &imapx.Error{Side: "source", Kind: imapx.KindLost}}, false},
		{"another event", mailsync.Notice{Text: "x"}, false},
	} {
		r := &listRun{servers: sharing.NewServers(8)}
		r.heed(&entry{claims: claims}, c.event)
		if waits := r.servers.Reserve(time.Now(), 1, others...) == nil; waits != c.waits {
			t.Errorf("%s: another account waits: %v", c.name, waits)
		}
	}
}

// A server that takes no further connection is asked for fewer, in this run and the next ones; one login's own limit says
// nothing of the others.
func TestAServersLimitIsLearned(t *testing.T) {
	f, err := fleet.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	full := &imapx.Error{Side: "source", Kind: imapx.KindUnavailable, Code: "LIMIT"}
	for _, c := range []struct {
		name string
		open int64 // connections of the account there, with the one that was refused
		err  error
		want int
	}{
		{"the login's own", 2, full, 8},
		{"another error", 1, &imapx.Error{Side: "source", Kind: imapx.KindConnect}, 8},
		{"the server's", 1, full, 4}, // it has them already
	} {
		r := &listRun{f: newSyncFlags(), fleet: f, servers: sharing.NewServers(8)}
		claim := sharing.Claim{Server: "old", Login: "a", Most: 99}
		r.servers.Reserve(time.Now(), 4, claim)
		var open atomic.Int64
		open.Store(c.open)
		r.refused(t.Context(), &entry{claims: []sharing.Claim{claim}}, 0, &open, c.err)
		got := 4
		for r.servers.Reserve(time.Now(), 1, claim) != nil {
			got++
		}
		if got != c.want {
			t.Errorf("%s: %d connections, want %d", c.name, got, c.want)
		}
	}
	if limits, err := f.Limits(t.Context(), time.Now()); err != nil || limits["old"] != 3 {
		t.Errorf("kept: %v, %v", limits, err)
	}
}

// What one row says is forgotten with the next.
func TestRowsDoNotMix(t *testing.T) {
	r := &listRun{dir: t.TempDir(), given: []given{{"source", []string{"old.example"}}, {"target", []string{"new.example"}}, {"map", []string{"A=B"}}}}
	f := newRowFlags(nil)
	full := accounts.Row{ID: "a", Fields: map[string]string{"source_user": "a", "target_user": "a", "source_tls": "starttls", "newer_than": "90d"},
		Args: []string{"--map", "C=D", "--connections", "7", "--merge-folders"}}
	plain := accounts.Row{ID: "b", Fields: map[string]string{"source_user": "b", "target_user": "b"}}
	first, err := r.build(f, &full)
	if err != nil || first.connections != 7 || first.source.Port != 143 || !first.mapping.Merge || len(first.mapping.Maps) != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := r.build(f, &plain)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := r.build(newRowFlags(nil), &plain)
	if err != nil || !reflect.DeepEqual(second, alone) {
		t.Errorf("after another row %+v, alone %+v, %v", second, alone, err)
	}
	for _, args := range [][]string{{"--jobs", "4"}, {"--quiet"}, {"--state-dir", "/x"}, {"stray"}, {"--no-such-flag"}, {"--connections", "many"}} {
		row := plain
		row.Args = args
		if _, err := r.build(f, &row); err == nil {
			t.Errorf("a row may have %v", args)
		}
	}
	if again, err := r.build(f, &plain); err != nil || !reflect.DeepEqual(again, alone) {
		t.Errorf("after rows that are wrong: %+v, %v", again, err)
	}
}
