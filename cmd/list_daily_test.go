package cmd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailmove/cmd/internal/accounts"
	"mailmove/imapx"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// A day's volume is that of the day on which it was copied, and is remembered while a pass goes on.
func TestDailyVolumes(t *testing.T) {
	f, err := fleet.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	evening := time.Date(2026, 11, 22, 23, 50, 0, 0, time.Local)
	night := evening.Add(time.Hour)
	r := &listRun{f: newSyncFlags(), fleet: f, started: evening, volumeDay: dayOf(evening), volumes: map[string]int64{"a": 10 << 20}}
	r.f.list.perDay = 500 << 20
	e := &entry{account: "a"}
	p := &pass{source: imapx.Endpoint{Host: "old.example"}, target: imapx.Endpoint{Host: "new.example"}}
	ended := false
	m := r.meterOf(t.Context(), e, p, evening, func(err error) { ended = errors.Is(err, errDaily) })
	remembered := func(day time.Time) int64 {
		all, err := f.Volumes(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		return all["a"]
	}
	m.count(mailsync.MessageCopied{Bytes: 100 << 20}, evening)
	if n := remembered(evening); n != 100<<20 {
		t.Errorf("a run that is killed now forgets %d bytes", 100<<20-n)
	}
	m.count(mailsync.MessageCopied{Bytes: 380 << 20}, evening)
	m.count(mailsync.MessageCopied{Bytes: 20 << 20}, night)
	if ended {
		t.Error("what was copied yesterday counts today")
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	if n := remembered(night); n != 20<<20 {
		t.Errorf("of today %d bytes", n)
	}
	m = r.meterOf(t.Context(), e, p, night, func(err error) { ended = errors.Is(err, errDaily) })
	if m.full() || m.copied() != 20<<20 {
		t.Errorf("%d bytes of today, full is %v", m.copied(), m.full())
	}
	m.count(mailsync.MessageCopied{Bytes: 480 << 20}, night)
	if !ended || !m.full() {
		t.Error("the day's volume ends nothing")
	}
}

// A password that cannot be had is in the account's log too.
func TestAFailedPasswordIsLogged(t *testing.T) {
	r := &listRun{a: &app{out: io.Discard, err: io.Discard, width: 80}, f: newSyncFlags(), dir: t.TempDir(), given: []given{{"source", []string{"old.example"}}, {"target", []string{"new.example"}}}}
	r.f.list.logDir = t.TempDir()
	e := &entry{account: "alice", row: &accounts.Row{ID: "alice", Fields: map[string]string{"source_user": "a", "target_user": "a", "source_password_command": "exit 3"}}}
	if _, err := r.account(t.Context(), e, nil, t.Context(), func(error) {}); err == nil {
		t.Fatal("there is a password")
	}
	names, err := filepath.Glob(filepath.Join(r.f.list.logDir, "*.log"))
	if err != nil || len(names) != 1 {
		t.Fatalf("logs: %v, %v", names, err)
	}
	if said, err := os.ReadFile(names[0]); err != nil || !strings.Contains(string(said), "level=ERROR msg=failed account=alice") {
		t.Errorf("%s, %v", said, err)
	}
}
