package imapx_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// TestMoveAnswers: what servers leave unsaid about a move of UIDs 1 to 3, of which 1 and 2 exist.
func TestMoveAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		caps, before, after string // words around the tagged OK
		left                string // what a second SEARCH finds
		want                string
		fails               bool
	}{
		"tagged":              {"MOVE", "", "[COPYUID 9 1:2 5:6] ", "", "map[1:5 2:6]", false},
		"untagged":            {"MOVE", "* OK [COPYUID 9 1:2 5:6] x\n", "", "", "map[1:5 2:6]", false},
		"in two parts":        {"MOVE", "* OK [COPYUID 9 2 5] x\n* OK [COPYUID 9 1 6] x\n", "", "", "map[1:6 2:5]", false},
		"one vanished":        {"MOVE", "", "[COPYUID 9 2 5] ", "", "map[1:0 2:5]", false},
		"not a word":          {"MOVE", "", "", "", "map[1:0 2:0]", false},
		"kept one":            {"MOVE", "", "[COPYUID 9 2 5] ", "1", "map[2:5]", true},
		"says so, keeps one":  {"MOVE", "", "[COPYUID 9 1:2 5:6] ", "1", "map[2:6]", true},
		"uneven":              {"MOVE", "", "[COPYUID 9 1:2 5] ", "", "map[1:0 2:0]", false},
		"not asked":           {"MOVE", "", "[COPYUID 9 1,2,4 5:7] ", "", "map[1:0 2:0]", false},
		"endless":             {"MOVE", "", "[COPYUID 9 1:4294967295 1:4294967295] ", "", "map[1:0 2:0]", false},
		"zero":                {"MOVE", "", "[COPYUID 9 0:1 5:6] ", "", "map[1:0 2:0]", false},
		"copied without word": {"", "", "", "1 2", "map[]", true},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := scriptedTarget(t, func(s *scripted) {
				s.hello("UIDPLUS UNSELECT " + c.caps)
				s.send("* 2 EXISTS\n* OK [UIDVALIDITY 7] v\n%s OK open\n", s.expect("SELECT .*"))
				s.send("* SEARCH 1 2\n%s OK\n", s.expect("UID SEARCH UID 1:3"))
				verb := "UID MOVE"
				if c.caps == "" {
					verb = "UID COPY"
				}
				tag := s.expect(verb + ` 1:3 "to"`)
				s.send("%s%s OK %sdone\n", c.before, tag, c.after)
				s.send("* SEARCH %s\n%s OK\n", c.left, s.expect("UID SEARCH UID .*"))
				s.send("%s OK\n", s.expect("UNSELECT"))
				s.rest()
			})
			moved, err := tgt.Move(within(t, 10*time.Second), "F", 7, imap.UIDSet{{Start: 1, Stop: 3}}, "to")
			if got := fmt.Sprint(moved); got != c.want || (err != nil) != c.fails {
				t.Errorf("%s, %v", got, err)
			}
			if x, ok := err.(*imapx.Error); err != nil && (!ok || x.Scope != imapx.ScopeMessage || x.Kind != imapx.KindStore) {
				t.Errorf("%#v", err)
			}
		})
	}
}
