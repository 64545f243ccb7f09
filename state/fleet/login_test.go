package fleet

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A credential waits 1 h, 4 h, then 24 h, counted over runs; to the second.
func TestWaits(t *testing.T) {
	ctx, dir, now := context.Background(), t.TempDir(), noon()
	alice := login("old.example", "alice", "wrong")
	for i, wait := range []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		f := openTest(t, dir) // a run
		if b := blocked(t, f, alice, now); b != nil {
			t.Fatalf("try %d: %v", i+1, b)
		}
		must(t, f.Failed(ctx, alice, now, "Authentication failed."))
		must(t, f.Close())
		f = openTest(t, dir)
		b := blocked(t, f, alice, now.Add(wait-time.Second))
		if b == nil || b.Server || b.Run || b.Failures != i+1 || !b.Until.Equal(now.Add(wait)) || !b.Since.Equal(noon()) ||
			b.Text != "Authentication failed." || b.Host != "old.example" || b.User != "alice" {
			t.Fatalf("failure %d: %+v", i+1, b)
		}
		now = now.Add(wait)
	}
	// Nobody else waits, and another server of the same user neither.
	f := openTest(t, dir)
	for _, l := range []Login{login("old.example", "bob", "wrong"), login("other.example", "alice", "wrong"), login("old.example", "Alice", "wrong")} {
		if b := blocked(t, f, l, noon()); b != nil {
			t.Errorf("%v", b)
		}
	}
}

func TestAnotherCredentialIsTriedAtOnce(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	for range 3 {
		must(t, f.Failed(ctx, login("old.example", "alice", "first"), noon(), ""))
	}
	second := login("OLD.example.", "alice", "second")
	if b := blocked(t, f, second, noon()); b != nil {
		t.Error(b)
	}
	later := noon().Add(time.Minute)
	must(t, f.Failed(ctx, second, later, ""))
	if b := blocked(t, f, second, later); b == nil || b.Failures != 1 || !b.Since.Equal(later) || !b.Until.Equal(later.Add(time.Hour)) {
		t.Errorf("%+v", b)
	}
	// The first one is not remembered beside it: who goes back to it has decided to.
	if b := blocked(t, f, login("old.example", "alice", "first"), later); b != nil {
		t.Error(b)
	}
}

func TestSuccessAndForget(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	alice, bob, carol := login("old.example", "alice", "a"), login("old.example", "bob", "b"), login("new.example", "carol", "c")
	for _, l := range []Login{alice, bob, carol} {
		must(t, f.Failed(ctx, l, noon(), ""))
	}
	must(t, f.Succeeded(ctx, alice, noon()))
	must(t, f.Succeeded(ctx, login("nowhere", "nobody", ""), noon()))
	if blocked(t, f, alice, noon()) != nil || blocked(t, f, bob, noon()) == nil || blocked(t, f, carol, noon()) == nil {
		t.Error("a success is its login's own")
	}
	must(t, f.Failed(ctx, alice, noon(), ""))
	if b := blocked(t, f, alice, noon()); b == nil || b.Failures != 1 {
		t.Errorf("after a success the count begins anew: %+v", b)
	}
	must(t, f.Forget(ctx, "OLD.example", "alice"))
	must(t, f.Forget(ctx, "old.example", "nobody"))
	if blocked(t, f, alice, noon()) != nil || blocked(t, f, bob, noon()) == nil {
		t.Error("one login was to be forgotten")
	}
	must(t, f.Forget(ctx, "old.example", ""))
	if blocked(t, f, bob, noon()) != nil || blocked(t, f, carol, noon()) == nil {
		t.Error("one server was to be forgotten")
	}
}

// A run that lasts for days does not come back to a credential that failed in it; the next run does.
func TestOnceARun(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	run, alice := openTest(t, dir), login("old.example", "alice", "a")
	must(t, run.Failed(ctx, alice, noon(), "no"))
	later := noon().Add(3 * time.Hour)
	b := blocked(t, run, alice, later)
	if b == nil || !b.Run || !strings.Contains(b.Error(), "in this run") || b.Hint() == "" {
		t.Errorf("%v", b)
	}
	if b := blocked(t, openTest(t, dir), alice, later); b != nil {
		t.Errorf("the next run: %v", b)
	}
	must(t, run.Forget(ctx, "old.example", "alice"))
	if b := blocked(t, run, alice, later); b != nil {
		t.Errorf("forgotten: %v", b)
	}
}

// A clock that was wrong once does not lock anybody out until it is right again.
func TestClockThatWasAhead(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f, ahead := openTest(t, dir), noon().AddDate(10, 0, 0)
	for _, user := range []string{"a", "b", "c"} {
		must(t, f.Failed(ctx, login("s", user, "x"), ahead, ""))
	}
	if b := blocked(t, f, login("s", "a", "x"), noon()); b != nil {
		t.Errorf("%v", b) // the probe, too
	}
	must(t, f.Failed(ctx, login("s", "a", "x"), noon(), ""))
	if b := blocked(t, f, login("s", "d", "x"), noon()); b == nil || !b.Server || b.Until.Sub(noon()) > breakMost {
		t.Errorf("%+v", b)
	}
}

func TestOldFailuresGo(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	for i := range 50 {
		must(t, f.Failed(ctx, login("s", fmt.Sprint("user", i), "x"), noon(), ""))
	}
	must(t, f.Failed(ctx, login("t", "last", "x"), noon().Add(keepLogins+time.Second), ""))
	var n int
	must(t, f.db.QueryRow(`SELECT count(*) FROM logins`).Scan(&n))
	if n != 1 {
		t.Errorf("%d logins are kept", n)
	}
}

// No credential is in the file, not even where the server repeats it; equal passwords of two accounts look
// different, and another file's key gives other digests.
func TestNoCredentialInTheFile(t *testing.T) {
	ctx, dir, secret := context.Background(), t.TempDir(), "hunter2-Zürich"
	f := openTest(t, dir)
	must(t, f.Failed(ctx, login("s", "a", secret), noon(), "LOGIN a "+secret+" refused"))
	must(t, f.Failed(ctx, login("s", "b", secret), noon(), "refused"))
	raw, err := os.ReadFile(f.Path())
	must(t, err)
	if bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte("hunter2")) {
		t.Error("the file has the password")
	}
	if b := blocked(t, f, login("s", "a", secret), noon()); b == nil || b.Text != "" || strings.Contains(b.Error(), "hunter2") {
		t.Errorf("%v", b)
	}
	digests := map[string]bool{}
	for _, g := range []*Fleet{f, openTest(t, t.TempDir())} {
		for _, l := range []Login{login("s", "a", secret), login("s", "b", secret), login("sa", "", secret), login("s", "a"+secret, "")} {
			d := g.digest(l)
			digests[hex.EncodeToString(d[:])] = true
		}
	}
	if len(digests) != 8 {
		t.Errorf("%d different digests of 8", len(digests))
	}
}

func TestWordsOfTheServerAreHarmless(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	hostile := "no\r\n\x1b[2J\u202e\xff" + strings.Repeat("ü", 2000)
	l := login("evil\n\x1b[2J", "al\x00ice\u2028", "x")
	must(t, f.Failed(ctx, l, noon(), hostile))
	b := blocked(t, f, l, noon())
	for _, text := range []string{b.Error(), b.Hint(), (&BlockedError{Server: true, Host: l.Server, User: l.User, Text: b.Text}).Error()} {
		if len(b.Text) > maxText || text == "" || strings.ContainsAny(text, "\n\r\x00\x1b\u202e\u2028") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
	}
}
