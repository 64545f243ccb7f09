package sync

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// Messages with more flags than text fill a window by those.
func TestWindowsCountFlags(t *testing.T) {
	b := newBench(t)
	for i := range 1200 {
		b.src.add("INBOX", day.Add(time.Duration(i)*time.Minute), letterOf(i, "x"), imap.Flag("k"+strings.Repeat("y", 15<<10)))
	}
	b.dst.folders["INBOX"].permanent = systemFlags
	b.pass()
	if n := b.dst.count("APPEND"); n < 4 {
		t.Errorf("%d batches for 18 MiB of flags", n)
	}
}

// A folder in which every message has other flags, and many of them, is an exception and no gigabyte.
func TestSurveyBoundsFlags(t *testing.T) {
	b := newBench(t)
	for i := range 1200 {
		b.src.add("INBOX", day.Add(time.Duration(i)*time.Minute), letterOf(i, "x"), imap.Flag("k"+strings.Repeat("y", 15<<10+i)))
	}
	src, err := b.src.source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ie *imapx.Error
	if _, _, err := survey(t.Context(), src, "INBOX", 0, from(1)); !errors.As(err, &ie) || ie.Scope != imapx.ScopeFolder {
		t.Errorf("%v", err)
	}
	for _, m := range b.src.folders["INBOX"].messages {
		m.flags = []imap.Flag{imap.Flag("k" + strings.Repeat("y", 15<<10))}
	}
	if list, _, err := survey(t.Context(), src, "INBOX", 0, from(1)); err != nil || len(list) != 1200 {
		t.Errorf("the same flags in each: %d messages, %v", len(list), err)
	}
}
