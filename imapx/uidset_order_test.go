package imapx

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestOrderedIsFast: a million UIDs from the highest down, none beside another, are one sort.
func TestOrderedIsFast(t *testing.T) {
	var s imap.UIDSet
	for u := imap.UID(2_000_000); u > 0; u -= 2 {
		s = append(s, imap.UIDRange{Start: u, Stop: u})
	}
	started := time.Now()
	got := ordered(s)
	if took := time.Since(started); took > 30*time.Second || len(got) != 1_000_000 || got[0].Start != 2 {
		t.Errorf("%d ranges after %v", len(got), took)
	}
}

// TestSorted joins what touches or overlaps, up to the largest UID.
func TestSorted(t *testing.T) {
	for want, s := range map[string]imap.UIDSet{
		"1:5":                     {{Start: 4, Stop: 5}, {Start: 1, Stop: 3}},
		"1:9":                     {{Start: 9, Stop: 2}, {Start: 1, Stop: 4}},
		"3,5":                     {{Start: 5, Stop: 5}, {Start: 3, Stop: 3}, {Start: 5, Stop: 5}},
		"1,4294967294:4294967295": {{Start: 4294967294}, {Start: 1, Stop: 1}, {Start: 4294967295, Stop: 4294967295}},
	} {
		if got := sorted(s).String(); got != want {
			t.Errorf("%v: %s, not %s", s, got, want)
		}
	}
}

// TestCutSetFitsACommand: what a command takes is never more than fits into one, or the question becomes one for all between.
func TestCutSetFitsACommand(t *testing.T) {
	for first := imap.UID(1); first < 4_000_000_000; first = first*7 + 3 {
		var s imap.UIDSet
		for u := first; u < first+10_000; u += 4 {
			s = append(s, imap.UIDRange{Start: u, Stop: u + 1})
		}
		for rest := s; len(rest) > 0; {
			var head imap.UIDSet
			head, rest = cutSet(rest, storeUIDs)
			if text := head.String(); len(text) > maxSetText || len(head) == 0 {
				t.Fatalf("%d bytes from %v on", len(text), head[0])
			}
		}
	}
}
