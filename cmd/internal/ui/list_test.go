package ui

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	mailsync "mailmove/sync"
)

// watch plays a run over two accounts into a renderer of a mode.
func watch(o Options) (out, problems string) {
	var a, b bytes.Buffer
	o.Out, o.Err = &a, &b
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o.Now = func() time.Time { now = now.Add(time.Second); return now }
	l := NewList(o, 3)
	l.Event(mailsync.PassStarted{Account: "a"})
	l.Event(mailsync.PassStarted{Account: "b\x1b"})
	l.Event(mailsync.MessageCopied{Account: "a", Folder: "INBOX", Bytes: 1000})
	l.Event(mailsync.Exception{Account: "b\x1b", Folder: "INBOX", UID: 7, Reason: "refused", New: true})
	l.Event(mailsync.Exception{Account: "b\x1b", Folder: "INBOX", UID: 8, Reason: "refused"})
	l.Event(mailsync.Notice{Account: "a", Text: "a rule", Rule: "x"})
	l.Event(mailsync.PassEnded{Account: "a", Report: mailsync.Report{Copied: 1, CopiedBytes: 1000, SourceMessages: 1}})
	l.Done()
	l.Event(mailsync.PassEnded{Account: "b\x1b", Report: mailsync.Report{SourceMessages: 9, NewExceptions: 1, Exceptions: 2}})
	l.Done()
	l.Event(mailsync.PassEnded{Account: "c", Report: mailsync.Report{SourceMessages: 9}})
	l.Event(mailsync.PassEnded{Account: "d", Report: mailsync.Report{SourceMessages: 9, Copied: 5, Interrupted: true}})
	l.Above(func() { b.WriteString("mailmove: c: failed\n") })
	l.Done()
	l.Close()
	return a.String(), b.String()
}

func TestAListNamesItsAccounts(t *testing.T) {
	out, problems := watch(Options{Mode: Plain})
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], "a: 1 copied of 1 message") ||
		!strings.HasPrefix(lines[1], `b\x1b: 0 copied of 9 messages`) {
		t.Errorf("%q", out)
	}
	if want := "b\\x1b: exception: INBOX uid 7: refused\na: warning: a rule\nmailmove: c: failed\n"; problems != want {
		t.Errorf("%q", problems)
	}
	out, problems = watch(Options{Mode: Quiet})
	if !strings.HasPrefix(out, `b\x1b: 0 copied`) || strings.Count(out, "\n") != 1 || strings.Contains(problems, "rule") {
		t.Errorf("quiet: %q, %q", out, problems)
	}
}

// One bar over all, never as wide as the screen, and gone in the end.
func TestAListHasOneBar(t *testing.T) {
	for _, width := range []int{21, 40, 80, 200} {
		_, problems := watch(Options{Mode: Terminal, Width: width})
		if strings.Contains(problems, "b\x1b") {
			t.Errorf("an account's name reached the screen as it is: %q", problems)
		}
		for _, part := range strings.Split(problems, clearLine) {
			line, _, whole := strings.Cut(part, "\n")
			if !whole && Width(line) >= width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		if !strings.Contains(problems, "of 3 account") && width > 40 {
			t.Errorf("no bar: %q", problems)
		}
		if !strings.HasSuffix(problems, clearLine) {
			t.Errorf("the bar stays: %q", problems)
		}
	}
}

// Events come from many passes at once; no line is torn.
func TestAListIsShared(t *testing.T) {
	var out bytes.Buffer
	l := NewList(Options{Mode: JSON, Out: &out, Err: &out}, 10)
	var passes sync.WaitGroup
	for range 10 {
		passes.Go(func() {
			for range 100 {
				l.Event(mailsync.MessageCopied{Account: "a", Folder: "INBOX", Bytes: 1})
			}
			l.Done()
		})
	}
	passes.Wait()
	l.Close()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1000 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, `{"type":"message-copied",`) || !strings.HasSuffix(line, "}") {
			t.Fatalf("%q", line)
		}
	}
}
