package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestErrorsAreOneLineWithAHint(t *testing.T) {
	cause := errors.New("first\n\tsecond\x1b[2J")
	path := "/state/evil\n\x1b[2J\u202e.db"
	for _, err := range []hinted{
		&BusyError{Path: path}, &BusyError{Path: path, PID: 7, Since: time.Unix(0, 0)}, &NewerError{Path: path}, &OlderError{Path: path},
		&DamagedError{Path: path, Err: cause}, &DamagedError{Path: path}, &OtherAccountError{Path: path, Found: path, Want: path},
		&UnwritableError{Path: path, Err: cause}, &UnwritableError{Path: path, Err: cause, Full: true}, &NetworkFSError{Path: path, Type: path},
	} {
		for _, text := range []string{err.Error(), err.Hint()} {
			if text == "" || strings.ContainsAny(text, "\n\r\x1b\u202e") {
				t.Errorf("%T: %q", err, text)
			}
		}
	}
	if s := (&BusyError{Path: "/päth with blank", PID: 7}).Error(); s != "state /päth with blank: in use by process 7" {
		t.Errorf("%q", s)
	}
}

func TestClassify(t *testing.T) {
	wrapped := fmt.Errorf("x: %w", &BusyError{PID: 3})
	if classify("p", "op", nil) != nil || classify("p", "op", wrapped) != wrapped {
		t.Error("what is classified was changed")
	}
	var u *UnwritableError
	if err := classify("p", "op", &fs.PathError{Op: "write", Err: syscall.ENOSPC}); !errors.As(err, &u) || !u.Full {
		t.Errorf("%v", err)
	}
	if err := classify("p", "op", &fs.PathError{Op: "open", Err: syscall.EROFS}); !errors.As(err, &u) || u.Full {
		t.Errorf("%v", err)
	}
	if err := classify("p", "op", context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// The views are what docs/state.md shows to admins.
func TestViews(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	pass, err := f.BeginPass(ctx, time.Now().Add(-time.Second))
	must(t, err)
	must(t, f.PutRows(ctx, pair, testRows(1, 3)))
	must(t, f.Intend(ctx, &Window{Pair: pair, Pass: pass, Floor: 9, Rows: maybe(testRows(4, 6))}))
	must(t, f.EndPass(ctx, pass, PassRecord{Result: ResultDone}))
	var row string
	for query, want := range map[string]string{
		`SELECT folder || ' ' || source_uid || ' ' || status || ' ' || date || ' ' || flags FROM messages WHERE source_uid = 2`: `INBOX 2 stored 1995-05-09 06:13:22 \Answered \Seen`,
		`SELECT folder || ' ' || state || ' ' || floor || ' ' || source_uids FROM intents`:                                      `INBOX open 9 4:6`,
		`SELECT pass || ' ' || result || ' ' || (seconds BETWEEN 0.9 AND 30) FROM history`:                                      `1 done 1`,
	} {
		must(t, f.reader.QueryRow(query).Scan(&row))
		if row != want {
			t.Errorf("%q, want %q", row, want)
		}
	}
}

// Every status and state has its word in the views, also where older steps of the schema made them.
func TestWords(t *testing.T) {
	f := openTest(t, t.TempDir())
	view := func(name string) (text string) {
		t.Helper()
		must(t, f.reader.QueryRow(`SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?`, name).Scan(&text))
		return text
	}
	for i, word := range []string{Stored.String(), Gone.String(), Refused.String(), SourceGone.String(), Moved.String(), Deferred.String()} {
		if !strings.Contains(view("messages"), fmt.Sprintf("WHEN %d THEN '%s'", i, word)) {
			t.Errorf("status %d, %s", i, word)
		}
	}
	if Status(6).String() != "unknown" {
		t.Error("a status has no test")
	}
	for i, word := range []string{WindowOpen.String(), WindowWatched.String()} {
		if !strings.Contains(view("intents"), fmt.Sprintf("WHEN %d THEN '%s'", i, word)) {
			t.Errorf("state %d, %s", i, word)
		}
	}
}
