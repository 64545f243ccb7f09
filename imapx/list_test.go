package imapx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// TestOddLists: names and lines that real servers send, and what a listing makes of them.
func TestOddLists(t *testing.T) {
	for name, c := range map[string]struct {
		lines    string
		want     string // raw>name, with ! where it cannot be opened
		complete bool
	}{
		"plain":           {"* LIST (\\HasNoChildren) \"/\" INBOX\n", "INBOX>INBOX", true},
		"inbox":           {"* LIST () \"/\" inbox\n* LIST () \"/\" INBOX\n", "inbox>INBOX", true},
		"quoted":          {"* LIST () \"\\\\\" \"a \\\"b\\\\c\"\n", `a "b\c>a "b\c`, true},
		"literal":         {"* LIST () \"/\" {3}\na b\n", "a b>a b", true},
		"no UTF-7":        {"* LIST () \"/\" \"R&D\"\n", "R&D>R&D", true},
		"UTF-7":           {"* LIST () \"/\" \"Entw&APw-rfe\"\n", "Entw&APw-rfe>Entwürfe", true},
		"8-bit":           {"* LIST () \"/\" \"\xe4\"\n", "\xe4>\uFFFD", true},
		"called NIL":      {"* LIST () \"/\" NIL\n", "NIL>NIL", true},
		"no separator":    {"* LIST () NIL a/b\n", "a/b>a/b", true},
		"noselect":        {"* LIST (\\NoSelect) \"/\" a\n* LIST (\\nonexistent) \"/\" b\n", "a>a! b>b!", true},
		"extended":        {"* LIST () \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\n", "a>a", true},
		"blanks":          {"* LIST  (\\Marked )  \"/\"  a \n", "a>a", true},
		"brackets":        {"* LIST () \"/\" [Gmail]/x\n", "[Gmail]/x>[Gmail]/x", true},
		"malformed":       {"* LIST () \"/\n* LIST () \"/\" a\n", "a>a", false},
		"without a name":  {"* LIST () \"/\"\n* LIST () \"/\" a\n", "a>a", false},
		"without STATUS":  {"* LIST () \"/\" gone\n", "gone>gone", false},
		"STATUS refused":  {"* LIST () \"/\" refused\n", "refused>refused", false},
		"STATUS, unasked": {"* LIST () \"/\" a\n* STATUS z (MESSAGES 1)\n", "a>a", true},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.hello("LIST-EXTENDED")
				s.send("%s%s OK listed\n", c.lines, s.expect(`LIST "" "\*" RETURN \(SUBSCRIBED CHILDREN\)`))
				for {
					line, err := s.r.ReadString('\n')
					if err != nil {
						return
					}
					f := strings.SplitN(strings.TrimSpace(line), " ", 3)
					switch {
					case f[1] != "STATUS" || strings.Contains(line, "gone"):
						s.send("%s OK\n", f[0])
					case strings.Contains(line, "refused"):
						s.send("%s NO [UNAVAILABLE] no\n", f[0])
					case strings.Contains(line, "{1}"):
						s.send("+ go\n")
						rest, _ := s.r.ReadString('\n')
						s.send("* STATUS {1}\n%s (MESSAGES 1 UIDVALIDITY 3)\n%s OK\n", rest[:1], f[0])
					default:
						s.send("* STATUS %s (MESSAGES 1 X-NEW (1 2) UIDVALIDITY 2)\n%s OK\n", f[2][:strings.LastIndex(f[2], " (")], f[0])
					}
				}
			})
			src, ctx := dialScripted(t, e, imapx.Options{})
			l, err := src.List(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range l.Folders {
				s := f.Raw + ">" + f.Name
				if !f.Selectable {
					s += "!"
				}
				if f.Selectable && (f.Mark == nil) != (f.Err != nil) {
					t.Errorf("%+v", f)
				}
				got = append(got, s)
			}
			if strings.Join(got, " ") != c.want || l.Complete != c.complete {
				t.Errorf("%q complete %v", got, l.Complete)
			}
		})
	}
}

// TestDoubtfulStatus: a folder whose STATUS says nothing that can be true is opened: it knows how much mail it holds.
func TestDoubtfulStatus(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("LIST-EXTENDED LIST-STATUS UNSELECT")
		s.send("* LIST () \"/\" sane\n* STATUS sane (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\n"+
			"* LIST () \"/\" young\n* STATUS young (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 0)\n"+
			"* LIST () \"/\" uncounted\n* STATUS uncounted (UIDNEXT 9 UIDVALIDITY 8)\n"+
			"* LIST () \"/\" shut\n* STATUS shut (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 0)\n"+
			"* LIST (\\NoSelect) \"/\" none\n%s OK listed\n", s.expect("LIST .*"))
		s.send("* 70 EXISTS\n* OK [UIDVALIDITY 9] v\n* OK [UIDNEXT 71] n\n%s OK [READ-ONLY] open\n", s.expect(`EXAMINE "young"`))
		s.send("* 8 EXISTS\n* OK [UIDVALIDITY 8] v\n* OK [UIDNEXT 9] n\n%s OK [READ-ONLY] open\n", s.expect(`EXAMINE "uncounted"`))
		s.send("%s NO [INUSE] later\n", s.expect(`EXAMINE "shut"`))
		s.rest()
	})
	src, ctx := dialScripted(t, e, imapx.Options{})
	l, err := src.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]imapx.Mark{"sane": {UIDValidity: 7, UIDNext: 4, Messages: 3}, "young": {UIDValidity: 9, UIDNext: 71, Messages: 70},
		"uncounted": {UIDValidity: 8, UIDNext: 9, Messages: 8}}
	for _, f := range l.Folders {
		if mark, known := want[f.Raw]; known && (f.Mark == nil || *f.Mark != mark || f.Err != nil) {
			t.Errorf("%s: %v, %v", f.Raw, f.Mark, f.Err)
		} else if !known && (f.Mark != nil || f.Selectable != (f.Err != nil)) {
			t.Errorf("%s: %v, %v", f.Raw, f.Mark, f.Err)
		}
	}
	if l.Complete {
		t.Error("complete although one folder said nothing")
	}
}

// TestMessageLimit: a server that cuts its answers (RFC 9738) is asked in steps until everything is there.
func TestMessageLimit(t *testing.T) {
	const limit, all = 10, 35
	e := serve(t, func(s *scripted) {
		s.hello("UNSELECT MESSAGELIMIT=10")
		for {
			line, err := s.r.ReadString('\n')
			if err != nil {
				return
			}
			f := strings.Fields(line)
			switch {
			case f[1] == "EXAMINE":
				s.send("* %d EXISTS\n* OK [UIDVALIDITY 7] v\n* OK [UIDNEXT %d] n\n%s OK open\n", all, all+1, f[0])
				continue
			case f[1] != "UID":
				s.send("%s OK\n", f[0])
				continue
			}
			var from, to, sent int
			set := f[3]
			if f[2] == "SEARCH" {
				set = f[4]
			}
			if n, _ := fmt.Sscanf(set, "%d:%d", &from, &to); n < 2 && strings.HasSuffix(set, ":*") {
				to = all
			} else if n < 2 {
				to = from
			}
			for uid := from; uid <= min(to, all) && sent < limit; uid, sent = uid+1, sent+1 {
				if f[2] == "SEARCH" {
					s.send("* SEARCH %d\n", uid)
				} else {
					s.send("* %d FETCH (UID %d FLAGS () BODY[] {2}\nhi)\n", uid, uid)
				}
			}
			code := ""
			if sent == limit && to-from+1 > limit {
				code = "[MESSAGELIMIT 10 11] "
			}
			s.send("%s OK %sdone\n", f[0], code)
		}
	})
	src, ctx := dialScripted(t, e, imapx.Options{})
	var got, known collector
	res, err := src.Visit(ctx, bodies(everything()), got.handler())
	if err != nil || len(got.messages) != all || len(res.Failed) > 0 || len(got.twice) > 0 {
		t.Errorf("%v, %d messages, failed %v", err, len(got.messages), res.Failed)
	}
	_, err = src.Visit(ctx, imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: imap.UIDSet{{Start: 4}}}}}, known.handler())
	if err != nil || known.uids.String() != "4:35" {
		t.Errorf("%v, %v", err, known.uids)
	}
}
