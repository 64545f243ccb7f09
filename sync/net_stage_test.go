package sync_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// scene is an account just before a pass that has every kind of work to do, to be copied for each fault.
type scene struct {
	*servers
	source, target string // users whose mail is copied
	state          string // folder
	want           transfer
}

// newScene moves a tiny mailbox, lets both sides live on, and plays the pass once undisturbed.
func newScene(t *testing.T, source, target real.Options) *scene {
	t.Helper()
	source.Extra, target.Extra = manyLogins, manyLogins
	g := &scene{servers: &servers{src: real.Dovecot(t, source), dst: real.Dovecot(t, target), tree: t.TempDir()}}
	x := g.tinyAccount(t)
	g.source, g.target, g.state = x.SourceUser, x.TargetUser, x.Dir
	o := client(t, g.src.Addr(), x)
	for _, folder := range []string{"Work", "Sent", "Lists"} {
		must(t, o.Create(folder, nil).Wait())
	}
	for i := range 3 {
		for _, folder := range []string{"INBOX", "Work", "Sent", "Lists"} {
			appendTo(t, o, folder, message(fmt.Sprint(folder, i)))
		}
	}
	x.pass(t)
	for i := range 2 {
		appendTo(t, o, "INBOX", message(fmt.Sprint("new", i)))
	}
	for _, folder := range []string{"Fresh", "Empty"} {
		must(t, o.Create(folder, nil).Wait())
		must(t, o.Subscribe(folder).Wait())
	}
	appendTo(t, o, "Fresh", message("fresh"))
	must(t, o.Rename("Lists", "Mailing lists", nil).Wait())
	selected(t, o, "Sent")
	store(t, o, 1, imap.StoreFlagsAdd, imap.FlagFlagged, "$label1")
	store(t, o, 2, imap.StoreFlagsSet, imap.FlagAnswered)
	selected(t, o, "Work")
	_, err := o.Move(imap.SeqSetNum(2), "Sent").Wait()
	must(t, err)
	must(t, o.Logout().Wait())
	n := client(t, g.dst.Addr(), x)
	selected(t, n, "Sent")
	store(t, n, 3, imap.StoreFlagsAdd, imap.FlagDeleted)
	must(t, n.Expunge().Close())
	must(t, n.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the servers write their indexes when a client has left

	g.want = g.fresh(t)
	r := g.want.pass(t)
	if r.Copied != 3 || r.Followed != 1 || r.Flags < 2 || r.FoldersCreated != 2 || r.Exceptions != 0 {
		t.Fatalf("the undisturbed pass is not the one that is meant: %+v", r)
	}
	if v := sent(t, g.want); len(v) > 0 {
		t.Fatalf("undisturbed, second pass: %v", v)
	}
	return g
}

// fresh copies the scene for a user of its own.
func (g *scene) fresh(t *testing.T) transfer {
	t.Helper()
	user := g.src.FreshUser()
	g.src.LoadMaildir(user, g.src.MailDir(g.source))
	g.dst.LoadMaildir(user, g.dst.MailDir(g.target))
	x := transfer{Source: g.src.Addr(), Target: g.dst.Addr(), SourceUser: user, TargetUser: user, Password: real.Password, Dir: t.TempDir(),
		Connections: 1, Settle: 100 * time.Millisecond, LateWindow: 300 * time.Millisecond}
	must(t, os.CopyFS(x.Dir, os.DirFS(g.state)))
	must(t, os.Chmod(x.Dir, 0o700))
	return x
}

func (g *scene) wipe(x transfer) {
	g.src.Wipe(x.SourceUser)
	g.dst.Wipe(x.TargetUser)
}

// difference is what a target has other than the undisturbed pass leaves, "" for nothing.
func (g *scene) difference(t *testing.T, x transfer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	login := func(user string) imaptest.Login {
		return imaptest.Login{Addr: g.dst.Addr(), User: user, Password: real.Password}
	}
	d, err := imaptest.Compare(ctx, login(g.want.TargetUser), login(x.TargetUser), imaptest.CompareOptions{})
	must(t, err)
	if d.Equal() {
		return ""
	}
	return strings.TrimSpace(d.String())
}

// commands are how often each verb comes in the undisturbed pass, by side.
func (g *scene) commands(t *testing.T) map[string]map[string]int {
	t.Helper()
	x := g.fresh(t)
	out := make(map[string]map[string]int)
	for side, addr := range map[string]*string{"source": &x.Source, "target": &x.Target} {
		m, err := imaptest.NewMeddler(*addr)
		must(t, err)
		defer m.Close()
		*addr = m.Addr()
		out[side] = make(map[string]int)
		defer func() {
			for _, verb := range m.Commands() {
				out[side][verb]++
			}
		}()
	}
	x.pass(t)
	g.wipe(x)
	return out
}
