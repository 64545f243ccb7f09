package wire

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// FuzzAnswers: a list of flags that a server sends is read without a panic, \Recent never gets through, and each flag
// that may be sent on is read back as it was.
func FuzzAnswers(f *testing.F) {
	f.Add(`(\Seen a]b [x] nil NIL \Recent $Label1)`)
	f.Add(`("quoted flag" {3})`)
	f.Fuzz(func(t *testing.T, in string) {
		p := ParserFor([]byte(in))
		flags, err := p.Flags()
		if err != nil {
			return
		}
		var legal []string
		for _, fl := range flags {
			if IsRecent(fl) || fl == "" {
				t.Fatalf("%q gives %q", in, flags)
			}
			if CheckFlag(fl) == nil {
				legal = append(legal, string(fl))
			}
		}
		q := ParserFor([]byte("(" + strings.Join(legal, " ") + ")"))
		again, err := q.Flags()
		if err != nil || len(again) != len(legal) {
			t.Fatalf("%q comes back as %q, %v", legal, again, err)
		}
		for i := range again {
			if again[i] != imap.Flag(legal[i]) {
				t.Fatalf("%q comes back as %q", legal, again)
			}
		}
	})
}

// FuzzDateText: a date that a server sends is written again as the same instant, or refused.
func FuzzDateText(f *testing.F) {
	f.Add(" 7-Jul-1996 02:44:25 -0700")
	f.Add("31-Feb-2020 00:00:00 +0000")
	f.Fuzz(func(t *testing.T, in string) {
		d, err := ParseDate(in)
		if err != nil {
			return
		}
		s, err := FormatDate(d)
		if err != nil {
			return
		}
		if again, err := ParseDate(s); err != nil || !again.Equal(d) {
			t.Fatalf("%q is %v, written %q, read %v %v", in, d, s, again, err)
		}
	})
}
