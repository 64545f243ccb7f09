package sync_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// check looks at an account as the command does.
func (x transfer) check(t *testing.T, change func(*mailsync.CheckOptions)) mailsync.CheckReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := state.Open(ctx, state.Options{Dir: x.Dir, Account: "test", ReadOnly: true})
	must(t, err)
	defer st.Close()
	o := mailsync.CheckOptions{Account: "test", State: st, Mapping: x.Mapping, Reserve: 0.05, Stop: x.Stop,
		ConnectSource: func(ctx context.Context) (mailsync.CheckSource, error) {
			s, err := imapx.DialSource(ctx, endpoint("source", x.Source, x.SourceUser, x.Password, nil), imapx.Options{})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		ConnectTarget: func(ctx context.Context) (mailsync.CheckTarget, error) {
			s, err := imapx.DialTarget(ctx, endpoint("target", x.Target, x.TargetUser, x.Password, nil), imapx.Options{})
			if err != nil {
				return nil, err
			}
			return s, nil
		}}
	if change != nil {
		change(&o)
	}
	r, err := mailsync.Check(ctx, o)
	must(t, err)
	return r
}

// finding gives the only finding of a check.
func finding(t *testing.T, r mailsync.CheckReport, check string) mailsync.Finding {
	t.Helper()
	var found []mailsync.Finding
	for _, f := range r.Findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d findings of %s in %+v", len(found), check, r.Findings)
	}
	return found[0]
}

// Sizes are the same whether the server tells them or its messages are counted, and what a pass carried is not counted
// against the quota a second time.
func TestCheckKnowsWhatWasCarried(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{Quota: "*:storage=1G"})
	counting := real.Dovecot(t, real.Options{Without: []string{"STATUS=SIZE"}})
	x := s.account(t)
	first := x.check(t, nil)
	user := counting.FreshUser()
	counting.LoadMaildir(user, s.tree)
	y := x
	y.Source, y.SourceUser = counting.Addr(), user
	if c := y.check(t, nil); c.Messages != first.Messages || c.Bytes != first.Bytes || c.Bytes == 0 {
		t.Errorf("counted %d messages, %d bytes; told %d, %d", c.Messages, c.Bytes, first.Messages, first.Bytes)
	}
	if q := finding(t, first, mailsync.CheckQuota); q.Bytes != first.Bytes || q.Used != 0 || q.Limit != 1<<30 {
		t.Errorf("before the first pass: %+v", q)
	}
	report := x.pass(t)
	after := x.check(t, nil)
	q := finding(t, after, mailsync.CheckQuota)
	if q.Bytes > first.Bytes/100 || q.Used < first.Bytes*9/10 {
		t.Errorf("after a pass that carried %d bytes of %d: %+v", report.CopiedBytes, first.Bytes, q)
	}
	if first.Account != "test" || after.Bytes != first.Bytes {
		t.Errorf("first %+v, after %+v", first, after)
	}
}

// The ages of messages are those of their arrival, and the try of the line reads mail and leaves no trace.
func TestCheckReadsMail(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	before, err := imaptest.TakeSnapshot(s.src.MailDir(x.SourceUser))
	must(t, err)
	r := x.check(t, func(o *mailsync.CheckOptions) {
		o.Retention, o.Try, o.TargetQuota = time.Now(), 5*time.Second, 1
	})
	after, err := imaptest.TakeSnapshot(s.src.MailDir(x.SourceUser))
	must(t, err)
	if changes := before.Changes(after); len(changes) > 0 {
		t.Errorf("the source changed:\n%s", strings.Join(changes, "\n"))
	}
	old := finding(t, r, mailsync.CheckRetention)
	if old.Trouble != mailsync.TroubleOlder || old.Messages == 0 || old.Messages > r.Messages || old.Bytes == 0 {
		t.Errorf("retention: %+v of %d messages", old, r.Messages)
	}
	if line := finding(t, r, mailsync.CheckLine); line.Bytes < 1000 || line.Took > time.Hour {
		t.Errorf("line: %+v", line)
	}
	if q := finding(t, r, mailsync.CheckQuota); q.Trouble != mailsync.TroubleFull || q.Missing < r.Bytes {
		t.Errorf("quota: %+v", q)
	}
}

// A folder that cannot be opened is that folder's trouble; the others are looked at.
func TestCheckUnreadableFolder(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{Without: []string{"STATUS=SIZE"}}, real.Options{})
	x := s.account(t)
	c := client(t, s.src.Addr(), x)
	must(t, c.Create("Shut", nil).Wait())
	appendTo(t, c, "Shut", message("behind"))
	must(t, c.Logout().Wait())
	whole := x.check(t, nil)
	must(t, os.Chmod(filepath.Join(s.src.MailDir(x.SourceUser), ".Shut"), 0))
	r := x.check(t, nil)
	var bad []mailsync.Finding
	for _, f := range r.Findings {
		if f.Verdict == mailsync.CheckFailed {
			bad = append(bad, f)
		}
	}
	if len(bad) != 1 || bad[0].Trouble != mailsync.TroubleUnreadable || bad[0].Folder != "Shut" || bad[0].Err == nil {
		t.Errorf("got %+v", bad)
	}
	if r.Bytes == 0 || r.Bytes >= whole.Bytes {
		t.Errorf("%d bytes without it, %d with it", r.Bytes, whole.Bytes)
	}
}

// The first stop ends it, and a lost server is a finding.
func TestCheckStops(t *testing.T) {
	s := newServers(t, imaptest.Small, real.Options{}, real.Options{})
	x := s.account(t)
	st, err := state.Open(t.Context(), state.Options{Dir: x.Dir, Account: "test", ReadOnly: true})
	must(t, err)
	defer st.Close()
	stop := make(chan struct{})
	_, err = mailsync.Check(t.Context(), mailsync.CheckOptions{State: st, Stop: stop,
		ConnectSource: func(ctx context.Context) (mailsync.CheckSource, error) {
			close(stop)
			<-ctx.Done()
			return nil, fmt.Errorf("given up: %w", ctx.Err())
		},
		ConnectTarget: func(ctx context.Context) (mailsync.CheckTarget, error) { <-ctx.Done(); return nil, ctx.Err() },
	})
	if err != mailsync.ErrInterrupted {
		t.Errorf("got %v", err)
	}
	s.dst.Stop()
	r := x.check(t, nil)
	if f := finding(t, r, mailsync.CheckTargetLogin); f.Trouble != mailsync.TroubleRefused || f.Err == nil {
		t.Errorf("got %+v", f)
	}
	if f := finding(t, r, mailsync.CheckSourceLogin); f.Verdict != mailsync.CheckOK || !strings.HasSuffix(f.Text, ", Dovecot") {
		t.Errorf("got %+v", f)
	}
}
