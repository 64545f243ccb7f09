package state

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSoundnessIsCheckedInTime: a small file at each opening, a large one once a day and after a kill.
func TestSoundnessIsCheckedInTime(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	path := filepath.Join(dir, FileName(testAccount))
	f := openTest(t, dir)
	must(t, f.PutRows(ctx, testPair(t, f, "INBOX"), testRows(1, 20000)))
	must(t, f.Close())
	must(t, openTest(t, dir).Close()) // now it is large, and checked
	sound, err := os.ReadFile(path)
	must(t, err)
	if len(sound) <= checkUpTo {
		t.Fatalf("only %d bytes", len(sound))
	}
	holed := bytes.Clone(sound)
	copy(holed[len(holed)/2:], make([]byte, 64<<10))
	open := func() error {
		f, err := Open(ctx, testOptions(dir))
		if err == nil {
			err = f.Close()
		}
		return err
	}
	at := func(last time.Time) {
		t.Helper()
		must(t, os.WriteFile(path, sound, 0o600))
		db, err := openDB(path, readWrite, 1)
		must(t, err)
		must(t, setMeta(ctx, db, metaCheck, last.UTC().Format(time.RFC3339)))
		must(t, db.Close())
		now, err := os.ReadFile(path)
		must(t, err)
		copy(now[len(now)/2:], holed[len(holed)/2:len(holed)/2+64<<10])
		must(t, os.WriteFile(path, now, 0o600))
	}
	var damaged *DamagedError
	for _, c := range []struct {
		name  string
		last  time.Time
		log   bool
		found bool
	}{
		{"lately", time.Now().Add(-time.Hour), false, false},
		{"lately, then killed", time.Now().Add(-time.Hour), true, true},
		{"two days ago", time.Now().Add(-48 * time.Hour), false, true},
		{"in the future", time.Now().Add(48 * time.Hour), false, true},
	} {
		at(c.last)
		if c.log { // what SQLite does not recognise as frames it leaves out
			must(t, os.WriteFile(path+"-wal", make([]byte, 100), 0o600))
		}
		if err := open(); errors.As(err, &damaged) != c.found || err != nil && !c.found {
			t.Errorf("checked %s: %v", c.name, err)
		}
		_ = os.Remove(path + "-wal")
	}
	// What is not looked for is met when it is read.
	at(time.Now().Add(-time.Hour))
	f = openTest(t, dir)
	err = f.Rows(ctx, 1, 0, func(Row) error { return nil })
	if !errors.As(err, &damaged) {
		t.Errorf("reading a damaged page: %v", err)
	}
	_ = f.Close()
}
