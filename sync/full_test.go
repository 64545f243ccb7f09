package sync_test

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// TestTargetDiskFull: the disk under the target's store is full. The account stops with the server's own words, and
// once room is made the next pass ends equal. Dovecot's control files lie elsewhere: where their disk is full, Dovecot
// says OK to messages and forgets which keywords they have (docs/guarantees.md).
func TestTargetDiskFull(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("NOT RUN: mounting a small file system for the target needs root")
	}
	var dirs [2]string
	for i := range dirs {
		d, err := os.MkdirTemp("", "mailmove-full-")
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(d) })
		must(t, os.Chmod(d, 0o777))
		dirs[i] = d
	}
	dir, control := dirs[0], dirs[1]
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=0777"); err != nil {
		t.Skipf("NOT RUN: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	must(t, os.Chmod(dir, 0o777))

	s := newServers(t, imaptest.S, real.Options{}, real.Options{MailRoot: dir, Extra: "mail_location = maildir:~/Maildir:CONTROL=" + control + "/%u"})
	x := s.account(t)
	x.Settle, x.LateWindow, x.RetryFor = 300*time.Millisecond, 600*time.Millisecond, 10*time.Second
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var said string
	x.Events = func(e mailsync.Event) {
		if x, ok := e.(mailsync.Exception); ok {
			said = x.Detail
		}
	}
	r, err := x.run(ctx)
	x.Events = nil
	if err != nil {
		said = err.Error()
	}
	// Dovecot calls it a fault of its own, which is tried again some times and then told folder by folder.
	if r.Copied >= 2000 || err == nil && r.NewExceptions == 0 || !strings.Contains(said, "SERVERBUG") && !strings.Contains(said, "OVERQUOTA") {
		t.Fatalf("said %q, error %v, report %+v", said, err, r)
	}
	t.Logf("full: %d copied, %s", r.Copied, said)
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=200m"))
	x.pass(t)
	s.equal(t, x, "after room was made")
	x.pass(t)
	quiet(t, x, "and then")
}
