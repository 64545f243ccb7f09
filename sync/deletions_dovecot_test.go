package sync_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// deletionStage is an account whose mail was carried, and some of it deleted on the source since.
func deletionStage(t *testing.T, target real.Options) *stage {
	t.Helper()
	g := &stage{servers: newServers(t, imaptest.Small, real.Options{}, target)}
	g.tree = t.TempDir()
	g.transfer = g.account(t)
	g.Settle, g.LateWindow, g.MaxDeletions = 60*time.Millisecond, 120*time.Millisecond, mailsync.Ceiling{Percent: 100}
	o, n := client(t, g.src.Addr(), g.transfer), client(t, g.dst.Addr(), g.transfer)
	must(t, n.Create("Trash", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrTrash}}).Wait())
	must(t, n.Logout().Wait())
	must(t, o.Create("Work", nil).Wait())
	for _, folder := range []string{"INBOX", "Work"} {
		for i := range 6 {
			appendTo(t, o, folder, message(fmt.Sprint(folder, i)))
		}
	}
	g.pass(t)
	removed(t, o, "INBOX", 2, 3, 5)
	removed(t, o, "Work", 1)
	must(t, o.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the servers write their indexes when a client has left
	g.source, g.target, g.state = t.TempDir(), t.TempDir(), g.Dir
	copyTree(t, g.src.MailDir(g.SourceUser), g.source)
	copyTree(t, g.dst.MailDir(g.TargetUser), g.target)
	return g
}

// removed deletes messages of a folder for good.
func removed(t *testing.T, c *imapclient.Client, folder string, uids ...imap.UID) {
	t.Helper()
	selected(t, c, folder)
	set := imap.UIDSetNum(uids...)
	must(t, c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}, Silent: true}, nil).Close())
	must(t, c.UIDExpunge(set).Close())
}

// subjects are those of a folder's messages, each with its flags.
func subjects(t *testing.T, addr string, x transfer, folder string) (out []string) {
	t.Helper()
	c := client(t, addr, x)
	defer c.Close()
	data, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	must(t, err)
	if data.NumMessages == 0 {
		return nil
	}
	list, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Envelope: true, Flags: true}).Collect()
	must(t, err)
	for _, m := range list {
		flags := slices.DeleteFunc(m.Flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), `\Recent`) })
		slices.Sort(flags)
		out = append(out, fmt.Sprint(m.Envelope.Subject, " ", flags))
	}
	slices.Sort(out)
	return out
}

// TestDieWhileDeleting kills a pass that deletes at each of its durable steps and wire effects: one pass later the target
// is what an undisturbed pass leaves, and the one after that writes nothing.
func TestDieWhileDeleting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target real.Options
		how    mailsync.Deletions
	}{
		"expunge":            {real.Options{}, mailsync.ExpungeDeleted},
		"trash":              {real.Options{}, mailsync.TrashDeleted},
		"trash without MOVE": {real.Options{Without: []string{"MOVE"}}, mailsync.TrashDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := deletionStage(t, c.target)
			g.Deletions = c.how
			want := g.fresh(t)
			var n atomic.Int64
			want.Step = func(string) { n.Add(1) }
			if r := want.pass(t); r.Deleted != 4 || r.Exceptions != 0 {
				t.Fatalf("the undisturbed pass is not the one that is meant: %+v", r)
			}
			want.Step = nil
			if got := subjects(t, g.dst.Addr(), want, "INBOX"); len(got) != 3 {
				t.Fatalf("INBOX: %q", got)
			}
			if got := subjects(t, g.dst.Addr(), want, "Trash"); len(got) != 4*int(2-c.how) {
				t.Fatalf("Trash: %q", got)
			}
			writesNothing(t, want, "undisturbed, next pass")
			t.Logf("N = %d steps", n.Load())
			every(t, n.Load(), sparse(), func(t *testing.T, k int64) { g.die(t, want, k) })
		})
	}
}

// TestDeletionsBesideAnotherSession: somebody has the target folder open. What is reported as deleted is gone, and what is
// not reported is there, unmarked.
func TestDeletionsBesideAnotherSession(t *testing.T) {
	t.Parallel()
	for _, how := range []mailsync.Deletions{mailsync.TrashDeleted, mailsync.ExpungeDeleted} {
		t.Run(fmt.Sprint(how), func(t *testing.T) {
			t.Parallel()
			g := deletionStage(t, real.Options{})
			x := g.fresh(t)
			x.Deletions = how
			other := client(t, g.dst.Addr(), x)
			selected(t, other, "INBOX")
			idle, err := client(t, g.dst.Addr(), x), error(nil)
			selected(t, idle, "INBOX")
			wait, err := idle.Idle()
			must(t, err)
			before := len(subjects(t, g.dst.Addr(), x, "INBOX")) + len(subjects(t, g.dst.Addr(), x, "Work"))
			var told int64
			x.Events = func(e mailsync.Event) {
				if d, ok := e.(mailsync.MessagesDeleted); ok {
					told += d.Messages
				}
			}
			r := x.pass(t)
			here := slices.Concat(subjects(t, g.dst.Addr(), x, "INBOX"), subjects(t, g.dst.Addr(), x, "Work"))
			if r.Deleted != told || int64(before-len(here)) != told || told == 0 {
				t.Errorf("reported %d, told %d, gone %d", r.Deleted, told, before-len(here))
			}
			for _, s := range here {
				if strings.Contains(s, `\Deleted`) {
					t.Errorf("left, and marked: %s", s)
				}
			}
			t.Logf("%d of 4 deleted with two other sessions open", told)
			must(t, other.Noop().Wait()) // they live
			must(t, wait.Close())
			must(t, wait.Wait())
			must(t, other.Logout().Wait())
			must(t, idle.Logout().Wait())
			if again := x.pass(t); r.Deleted+again.Deleted != 4 {
				t.Errorf("%d and %d deleted, not 4", r.Deleted, again.Deleted)
			}
			if got := subjects(t, g.dst.Addr(), x, "INBOX"); len(got) != 3 {
				t.Errorf("INBOX: %q", got)
			}
		})
	}
}

// TestDeletionsOfAnEmptySource: the source suddenly answers every folder with 0 messages, as one does whose mail store is
// not mounted. Nothing is deleted, and that is told.
func TestDeletionsOfAnEmptySource(t *testing.T) {
	t.Parallel()
	g := deletionStage(t, real.Options{})
	for _, how := range []mailsync.Deletions{mailsync.TrashDeleted, mailsync.ExpungeDeleted} {
		x := g.fresh(t)
		x.Deletions = how
		must(t, filepath.WalkDir(g.src.MailDir(x.SourceUser), func(path string, d os.DirEntry, err error) error {
			if in := filepath.Base(filepath.Dir(path)); err == nil && !d.IsDir() && (in == "cur" || in == "new") {
				return os.Remove(path)
			}
			return err
		}))
		if n := len(subjects(t, g.src.Addr(), x, "INBOX")) + len(subjects(t, g.src.Addr(), x, "Work")); n != 0 {
			t.Fatalf("%d messages on the source", n)
		}
		var why []string
		x.Events = func(e mailsync.Event) {
			if e, ok := e.(mailsync.Exception); ok {
				why = append(why, e.Reason+" "+e.Folder+": "+e.Detail)
			}
		}
		for n := range 2 {
			r := x.pass(t)
			if r.Deleted != 0 || (r.NewExceptions == 2) != (n == 0) || len(why) != 2*(n+1) || !strings.Contains(why[0], "no messages any more") {
				t.Errorf("%+v, %q", r, why)
			}
		}
		if a, b := subjects(t, g.dst.Addr(), x, "INBOX"), subjects(t, g.dst.Addr(), x, "Work"); len(a) != 6 || len(b) != 6 {
			t.Errorf("%q %q", a, b)
		}
	}
}
