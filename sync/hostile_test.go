package sync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	mailsync "mailmove/sync"
)

// TestHostileSources: a whole pass from a source that does something odd ends in what its transcript's head says, never in
// silence: what was not carried is an exception or the pass's error. docs/hostile-servers.md has more of them.
func TestHostileSources(t *testing.T) {
	files, err := filepath.Glob("testdata/hostile/*.imap")
	must(t, err)
	dst := real.Dovecot(t, real.Options{})
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".imap"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			must(t, err)
			s := imaptest.PlayFile(t, name, imaptest.ScriptOptions{})
			x := transfer{Source: s.Addr(), Target: dst.Addr(), SourceUser: "u", TargetUser: dst.FreshUser(), Password: real.Password, Dir: t.TempDir(),
				Connections: 1, Timeout: 5 * time.Second, Settle: 100 * time.Millisecond, LateWindow: 300 * time.Millisecond}
			if got := passEnds(t, x); !strings.Contains(string(text), "\n# ends: "+got+"\n") {
				t.Errorf("it ends: %s", got)
			}
		})
	}
}

// passEnds words the end of one pass.
func passEnds(t *testing.T, x transfer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var said []string
	x.Events = func(e mailsync.Event) {
		if e, ok := e.(mailsync.Exception); ok {
			where := fmt.Sprintf("%q", e.Folder)
			if e.UID > 0 {
				where += fmt.Sprintf(" %d", e.UID)
			}
			said = append(said, "exception "+e.Reason+" "+where)
		}
	}
	r, err := x.run(ctx)
	slices.Sort(said)
	if int64(len(said)) != r.Exceptions && err == nil {
		t.Errorf("%d exceptions told, %d counted", len(said), r.Exceptions)
	}
	words := append([]string{fmt.Sprintf("%d copied", r.Copied)}, said...)
	if ie := new(imapx.Error); errors.As(err, &ie) {
		words = append(words, "error: "+ie.Text)
	} else if err != nil {
		words = append(words, "error: "+err.Error())
	}
	return strings.Join(words, "; ")
}
