package imapx_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// TestExpungeAnswers: UIDs 1 to 3 are to be deleted, if they did not change since.
func TestExpungeAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		store string   // the answer to STORE
		asks  string   // what is expunged, "": nothing
		left  []string // what each look finds after it
		undo  string   // what loses its mark again
		gone  string
		fails bool
	}{
		"all":                {"OK", "1:3", []string{""}, "", "1:3", false},
		"changed":            {"OK [MODIFIED 2] x", "1,3", []string{""}, "", "1,3", false},
		"changed, with NO":   {"NO [MODIFIED 1:2] x", "3", []string{""}, "", "3", false},
		"all changed":        {"OK [MODIFIED 1:3] x", "", nil, "", "", false},
		"MODIFIED of what":   {"OK [MODIFIED what] x", "", nil, "", "", true},
		"refused":            {"NO no", "", nil, "", "", true},
		"kept once":          {"OK", "1:3", []string{"2", ""}, "", "1:3", false},
		"kept":               {"OK", "1:3", []string{"2:3", "2:3"}, "2", "1", false}, // 3 had its mark before
		"found what is gone": {"OK", "1:3", []string{"9", ""}, "", "1:3", false},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello("UIDPLUS UNSELECT CONDSTORE ESEARCH")
				s.send("* 3 EXISTS\n* OK [UIDVALIDITY 7] v\n%s OK open\n", s.expect("SELECT .*"))
				s.send("%s %s\n", s.expect(`UID STORE 1:3 \(UNCHANGEDSINCE 44\) \+FLAGS.SILENT \(\\Deleted\)`), c.store)
				asks := c.asks
				for _, left := range c.left {
					s.send("%s OK done\n", s.expect("UID EXPUNGE "+asks))
					tag := s.expect("UID SEARCH RETURN \\(ALL\\) UID .*")
					if left != "" {
						s.send("* ESEARCH (TAG %q) UID ALL %s\n", tag, left)
						asks = left
					}
					s.send("%s OK\n", tag)
					if left == "9" {
						break
					}
				}
				if c.undo != "" {
					s.send("%s OK\n", s.expect("UID STORE "+c.undo+` -FLAGS.SILENT \(\\Deleted\)`))
				}
				s.send("%s OK\n", s.expect("UNSELECT"))
				s.rest()
			})
			gone, err := tgt.Expunge(within(t, 10*time.Second), "F", 7, imapx.Removal{
				UIDs: imap.UIDSet{{Start: 1, Stop: 3}}, Marked: imap.UIDSetNum(3), UnchangedSince: 44})
			if gone.String() != c.gone || (err != nil) != c.fails {
				t.Errorf("%s, %v", gone, err)
			}
		})
	}
}

// TestExpungeUnclearLooks: a look that cannot be read to its end proves nothing, and one that was cut is asked for in pieces.
func TestExpungeUnclearLooks(t *testing.T) {
	for name, c := range map[string]struct {
		looks [][2]string // what each asks for, and its answer
		gone  string
		fails bool
	}{
		"unreadable":      {[][2]string{{"1:3", "* SEARCH 1 x 3\n%s OK\n"}}, "", true},
		"unreadable once": {[][2]string{{"1:3", "* SEARCH x\n* SEARCH 2\n%s OK\n"}}, "", true},
		"cut": {[][2]string{{"1:3", "* SEARCH\n%s OK [MESSAGELIMIT 2 3] part\n"}, {"1:2", "* SEARCH\n%s OK\n"}, {"3", "* SEARCH 3\n%s OK\n"},
			{"3", "* SEARCH 3\n%s OK\n"}}, "1:2", false}, // the fourth is after the second try
		"cut for nothing": {[][2]string{{"1:3", "* SEARCH\n%s OK [MESSAGELIMIT 3 3] part\n"}}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello("UIDPLUS UNSELECT")
				s.send("* 3 EXISTS\n* OK [UIDVALIDITY 7] v\n%s OK open\n", s.expect("SELECT .*"))
				s.send("%s OK\n", s.expect(`UID STORE 1:3 \+FLAGS.SILENT \(\\Deleted\)`))
				s.send("%s OK done\n", s.expect("UID EXPUNGE 1:3"))
				for i, look := range c.looks {
					if name == "cut" && i == 3 {
						s.send("%s OK done\n", s.expect("UID EXPUNGE 3"))
					}
					s.send(look[1], s.expect("UID SEARCH UID "+look[0]))
				}
				if name == "cut" {
					s.send("%s OK\n", s.expect(`UID STORE 3 -FLAGS.SILENT \(\\Deleted\)`))
				}
				s.send("%s OK\n", s.expect("UNSELECT"))
				s.rest()
			})
			gone, err := tgt.Expunge(within(t, 10*time.Second), "F", 7, imapx.Removal{UIDs: imap.UIDSet{{Start: 1, Stop: 3}}})
			if gone.String() != c.gone || (err != nil) != c.fails {
				t.Errorf("%s, %v", gone, err)
			}
		})
	}
}

// What Expunge refuses before anything is sent.
func TestExpungeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		caps  string
		uids  imap.UIDSet
		scope imapx.Scope
	}{
		"no UIDPLUS": {"UNSELECT", imap.UIDSetNum(1), imapx.ScopeAccount},
		"open set":   {"UIDPLUS", imap.UIDSet{{Start: 1, Stop: 0}}, imapx.ScopeFolder},
		"empty set":  {"UIDPLUS", nil, imapx.ScopeFolder},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello(c.caps)
				s.rest()
			})
			gone, err := tgt.Expunge(within(t, 10*time.Second), "F", 7, imapx.Removal{UIDs: c.uids})
			var x *imapx.Error
			if len(gone) != 0 || !errors.As(err, &x) || x.Scope != c.scope {
				t.Errorf("%v, %s", gone, fmt.Sprint(err))
			}
		})
	}
}
