package sync_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// forgetUIDs removes a server's own records of a mailbox, as a restore from a backup of the messages does: every
// folder gets another UIDVALIDITY and counts its messages anew.
func forgetUIDs(t *testing.T, dir string) {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasPrefix(d.Name(), "dovecot-uid") || strings.HasPrefix(d.Name(), "dovecot.index") ||
			strings.HasPrefix(d.Name(), "dovecot.list")) {
			n++
			return os.Remove(path)
		}
		return err
	}))
	if n == 0 {
		t.Fatal("the server kept no records to remove")
	}
}

// TestStateAndUIDsLost is the worst that happens to a mailbox between two passes, one after the other: the state is
// deleted, then the source's UIDs change, then the target's. Nothing is appended, and what its user deleted on the
// target stays deleted as long as a ledger knows of it.
func TestStateAndUIDsLost(t *testing.T) {
	t.Parallel()
	s := newServers(t, imaptest.S, real.Options{}, real.Options{})
	x := s.account(t)
	x.pass(t)

	x.Dir = t.TempDir()
	if r := x.pass(t); r.Copied != 0 || r.Matched != 2000 {
		t.Fatalf("without state: %+v", r)
	}
	s.equal(t, x, "without state")
	quiet(t, x, "the pass after")

	c := client(t, s.dst.Addr(), x)
	selected(t, c, "INBOX")
	for range 3 {
		store(t, c, 1, imap.StoreFlagsAdd, imap.FlagDeleted)
		must(t, c.Expunge().Close())
	}
	must(t, c.Logout().Wait())
	if r := x.pass(t); r.Gone != 3 {
		t.Fatalf("three deletions: %+v", r)
	}

	time.Sleep(1100 * time.Millisecond) // UIDVALIDITY is a time in seconds
	forgetUIDs(t, s.src.MailDir(x.SourceUser))
	if r := x.pass(t); r.Copied != 0 {
		t.Fatalf("another UIDVALIDITY on the source: %+v", r)
	}
	quiet(t, x, "the pass after the source's")

	forgetUIDs(t, s.dst.MailDir(x.TargetUser))
	if r := x.pass(t); r.Copied != 0 || r.Gone > 0 {
		t.Fatalf("another UIDVALIDITY on the target: %+v", r)
	}
	quiet(t, x, "the pass after the target's")
	o := client(t, s.src.Addr(), x)
	selected(t, o, "Sent")
	store(t, o, 1, imap.StoreFlagsAdd, "after-all-that")
	if r := x.pass(t); r.Flags != 1 || r.Copied != 0 {
		t.Fatalf("a flag after all that: %+v", r)
	}
}
