package fleet

import (
	"context"
	"testing"
	"time"
)

func TestForgetMailboxes(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	now := noon()
	for _, l := range []Login{
		login("old.example", "Alice@Old.example", "x"), login("old.example:1993", "admin for alice@old.example", "x"),
		login("old.example", "malice@old.example", "x"), login("new.example", "alice@old.example", "x"),
	} {
		must(t, f.Failed(ctx, l, now, "no"))
		now = now.Add(time.Second)
	}
	n, err := f.ForgetMailboxes(ctx, []Mailbox{{"OLD.example", "alice@old.example"}, {"new.example", "bob"}})
	must(t, err)
	if n != 2 {
		t.Errorf("%d forgotten", n)
	}
	for _, c := range []struct {
		l    Login
		free bool
	}{
		{login("old.example", "Alice@Old.example", "x"), true}, {login("old.example:1993", "admin for alice@old.example", "x"), true},
		{login("old.example", "malice@old.example", "x"), false}, {login("new.example", "alice@old.example", "x"), false},
	} {
		if b := blocked(t, f, c.l, now); (b == nil) != c.free {
			t.Errorf("%+v: %v", c.l, b)
		}
	}
	if n, err := f.ForgetMailboxes(ctx, []Mailbox{{"old.example", "alice@old.example"}}); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
}

// A server that was left alone for three mailboxes is tried again when none of them is left, and not before.
func TestForgetMailboxesOpensServer(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	open3(t, f, "s")
	for i, user := range []string{"a", "b", "c"} {
		if b := blocked(t, f, login("s", "new", "x"), noon().Add(time.Second)); b == nil || !b.Server {
			t.Fatalf("after %d: %v", i, b)
		}
		_, err := f.ForgetMailboxes(ctx, []Mailbox{{"s", user}})
		must(t, err)
	}
	if b := blocked(t, f, login("s", "new", "x"), noon().Add(time.Second)); b != nil {
		t.Error(b)
	}
}
