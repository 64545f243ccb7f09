package sync_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// stage is an account just before the pass under test: both mailboxes and the state, to be copied for each death.
type stage struct {
	*servers
	transfer
	source, target, state string // folders to copy
	follows               int64  // messages that the pass moves on the target
}

// newStage moves a small mailbox and then lets both sides live on: new mail, a new folder, flags, a message moved
// and a folder renamed on the source, a folder renamed and a message deleted on the target.
func newStage(t *testing.T, target real.Options) *stage {
	t.Helper()
	g := &stage{servers: newServers(t, imaptest.Small, real.Options{}, target), follows: 1}
	if slices.Contains(target.Without, "UIDPLUS") {
		g.follows = 0
	}
	g.tree = t.TempDir()
	g.transfer = g.account(t)
	g.Settle, g.LateWindow = 60*time.Millisecond, 120*time.Millisecond
	o := client(t, g.src.Addr(), g.transfer)
	for _, folder := range []string{"Work", "Plans", "Sent", "Lists"} {
		must(t, o.Create(folder, nil).Wait())
		for i := range 4 {
			appendTo(t, o, folder, message(fmt.Sprint(folder, i)))
		}
	}
	appendTo(t, o, "INBOX", message("first"))
	g.pass(t)

	for i := range 3 {
		appendTo(t, o, "INBOX", message(fmt.Sprint("new", i)))
		appendTo(t, o, "Plans", message(fmt.Sprint("plan", i)))
	}
	must(t, o.Create("Fresh", nil).Wait())
	must(t, o.Subscribe("Fresh").Wait())
	appendTo(t, o, "Fresh", message("fresh"))
	must(t, o.Create("Empty", nil).Wait())
	must(t, o.Rename("Lists", "Mailing lists", nil).Wait())
	selected(t, o, "Sent")
	store(t, o, 1, imap.StoreFlagsAdd, imap.FlagFlagged, "$label1")
	store(t, o, 2, imap.StoreFlagsSet, imap.FlagAnswered)
	selected(t, o, "Work")
	_, err := o.Move(imap.SeqSetNum(2), "Sent").Wait()
	must(t, err)
	must(t, o.Logout().Wait())
	n := client(t, g.dst.Addr(), g.transfer)
	must(t, n.Rename("Plans", "Ideas", nil).Wait())
	selected(t, n, "Sent")
	store(t, n, 4, imap.StoreFlagsAdd, imap.FlagDeleted)
	must(t, n.Expunge().Close())
	must(t, n.Logout().Wait())
	time.Sleep(50 * time.Millisecond) // the servers write their indexes when a client has left

	g.source, g.target, g.state = t.TempDir(), t.TempDir(), g.Dir
	copyTree(t, g.src.MailDir(g.SourceUser), g.source)
	copyTree(t, g.dst.MailDir(g.TargetUser), g.target)
	return g
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(dst, data, 0o644); err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(dst, st.ModTime(), st.ModTime())
	}))
}

// fresh copies the stage for a user of its own.
func (g *stage) fresh(t *testing.T) transfer {
	t.Helper()
	x := g.transfer
	x.SourceUser, x.TargetUser, x.Dir = g.src.FreshUser(), "", t.TempDir()
	x.TargetUser = x.SourceUser
	g.src.LoadMaildir(x.SourceUser, g.source)
	g.dst.LoadMaildir(x.TargetUser, g.target)
	copyTree(t, g.state, x.Dir)
	must(t, os.Chmod(x.Dir, 0o700))
	return x
}

// undisturbed runs the pass and counts its steps.
func (g *stage) undisturbed(t *testing.T) (x transfer, steps int64) {
	t.Helper()
	x = g.fresh(t)
	var n atomic.Int64
	x.Step = func(string) { n.Add(1) }
	r := x.pass(t)
	x.Step = nil
	if r.Copied+r.Followed != 8 || r.Followed != g.follows || r.Flags < 2 || r.FoldersCreated != 2 || r.Exceptions != 0 {
		t.Fatalf("the undisturbed pass is not the one that is meant: %+v", r)
	}
	x.pass(t)
	writesNothing(t, x, "undisturbed, third pass")
	return x, n.Load()
}

// writesNothing is a pass that changes nothing on the target; a last look at an interrupted window may be due.
func writesNothing(t *testing.T, x transfer, when string) {
	t.Helper()
	x.Trace = filepath.Join(t.TempDir(), "trace")
	r := x.pass(t)
	_, target := verbs(t, x.Trace)
	for _, v := range []string{"APPEND", "STORE", "EXPUNGE", "CREATE", "RENAME", "MOVE", "COPY", "SUBSCRIBE"} {
		if slices.Contains(target, v) {
			t.Fatalf("%s: the third pass sent %s: %v, %+v", when, v, target, r)
		}
	}
}

// sameTarget compares what two users of the target have.
func (g *stage) sameTarget(t *testing.T, a, b transfer, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := imaptest.Compare(ctx, imaptest.Login{Addr: g.dst.Addr(), User: a.TargetUser, Password: a.Password},
		imaptest.Login{Addr: g.dst.Addr(), User: b.TargetUser, Password: b.Password}, imaptest.CompareOptions{})
	if err != nil {
		t.Fatalf("%s: referee: %v", when, err)
	}
	if !d.Equal() {
		t.Fatalf("%s: not what an undisturbed pass leaves:\n%s", when, d)
	}
}

// die kills the pass at step k, resumes it, and looks at the end.
func (g *stage) die(t *testing.T, want transfer, k int64) {
	x := g.fresh(t)
	child := x
	child.KillAt = k
	err := child.start(t).Wait()
	when := fmt.Sprintf("died at step %d (%v)", k, err)
	x.pass(t)
	g.sameTarget(t, want, x, when)
	writesNothing(t, x, when)
	g.sameTarget(t, want, x, when+", third pass")
	g.src.Wipe(x.SourceUser)
	g.dst.Wipe(x.TargetUser)
}

// TestDieAtEveryStep kills a pass that holds every kind of work at each of its durable steps and wire effects. One
// pass later the target is what an undisturbed pass leaves, and the pass after that writes nothing.
func TestDieAtEveryStep(t *testing.T) {
	t.Parallel()
	targets := map[string]real.Options{
		"plain":               {},
		"without UIDPLUS":     {Without: []string{"UIDPLUS"}},
		"without MULTIAPPEND": {Without: []string{"MULTIAPPEND"}},
	}
	for name, o := range targets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, o)
			want, n := g.undisturbed(t)
			t.Logf("%s: N = %d steps", name, n)
			step := int64(1)
			if name != "plain" {
				step = sparse()
			}
			every(t, n, step, func(t *testing.T, k int64) { g.die(t, want, k) })
		})
	}
}

// sparse is the distance between two deaths in the variants: all of them only in the long tests.
func sparse() int64 {
	switch {
	case long():
		return 1
	case raced:
		return 30
	}
	return 9
}

// sampled is the distance between two deaths where each counts: with the race detector a child process takes its time, and
// what dies is the same.
func sampled() int64 {
	if raced && !long() {
		return 8
	}
	return 1
}

// every runs f for 1 to n in steps, some at a time, and stops at the first failure.
func every(t *testing.T, n, step int64, f func(t *testing.T, k int64)) {
	const atOnce = 4
	var next atomic.Int64
	next.Store(1 - step)
	t.Run("deaths", func(t *testing.T) {
		for w := range atOnce {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				for k := next.Add(step); k <= n && !t.Failed(); k = next.Add(step) {
					f(t, k)
				}
			})
		}
	})
}

// TestDieInFirstPass does the same to a first pass.
func TestDieInFirstPass(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	count := func(x transfer) int64 {
		var n atomic.Int64
		x.Step = func(string) { n.Add(1) }
		x.pass(t)
		return n.Load()
	}
	n := count(s.account(t))
	t.Logf("N = %d steps", n)
	every(t, n, sparse(), func(t *testing.T, k int64) {
		x := s.account(t)
		x.Settle, x.LateWindow = 60*time.Millisecond, 120*time.Millisecond
		child := x
		child.KillAt = k
		err := child.start(t).Wait()
		x.pass(t)
		s.equal(t, x, fmt.Sprintf("died at step %d (%v)", k, err))
		writesNothing(t, x, fmt.Sprintf("died at step %d", k))
		s.src.Wipe(x.SourceUser)
		s.dst.Wipe(x.TargetUser)
	})
}
