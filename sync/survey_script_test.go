package sync_test

import (
	"path/filepath"
	"testing"
	"time"

	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// TestTellsNothingButUID: a source that says of a message that it is there, and nothing more, must not have it passed
// over: neither where a first pass finds mail on the target (adopt), nor where the source's UIDs change (rekey).
func TestTellsNothingButUID(t *testing.T) {
	s := imaptest.PlayFile(t, filepath.Join("testdata", "tells-nothing-but-uid.imap"), imaptest.ScriptOptions{})
	dst := real.Dovecot(t, real.Options{})
	x := transfer{Source: s.Addr(), Target: dst.Addr(), SourceUser: "u", TargetUser: dst.FreshUser(), Password: real.Password,
		Dir: t.TempDir(), Connections: 1, Settle: 100 * time.Millisecond, LateWindow: 300 * time.Millisecond}
	c := client(t, dst.Addr(), x)
	appendTo(t, c, "INBOX", message("known"))

	r := x.pass(t)
	if r.Matched != 1 || r.Copied != 0 || r.NewExceptions != 1 {
		t.Errorf("mail on both sides: %+v", r)
	}
	unreadable(t, x, 2)

	r = x.pass(t) // other UIDs
	if r.Matched != 1 || r.Copied != 0 || r.NewExceptions != 1 || r.Exceptions != 1 {
		t.Errorf("other UIDs: %+v", r)
	}
	unreadable(t, x, 12)
}
