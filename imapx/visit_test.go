package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"go.uber.org/goleak"

	"mailmove/imapx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func bodies(set imap.UIDSet) imapx.Visit {
	return imapx.Visit{Folder: "F", Reads: []imapx.Read{{UIDs: set, Want: imapx.WantFlags | imapx.WantDate | imapx.WantBody}}}
}

// TestOddFetches: what real servers do to a FETCH, and what must come of it.
func TestOddFetches(t *testing.T) {
	const date = ` INTERNALDATE " 1-Jan-2020 00:00:00 +0000"`
	for name, c := range map[string]struct {
		found  string
		answer string   // to the first FETCH
		then   []string // SEARCH results and FETCH answers that follow, in turn
		want   string   // uid=body flags
		failed string
	}{
		"plain":              {"1", "* 1 FETCH (UID 1 FLAGS (\\Seen)" + date + " BODY[] {2}\nhi)\n", nil, `1=hi[\Seen]`, ""},
		"body before uid":    {"1", "* 1 FETCH (BODY[] {2}\nhi UID 1 FLAGS ()" + date + ")\n", nil, "1=hi[]", ""},
		"two answers":        {"1", "* 1 FETCH (UID 1 FLAGS (a]b))\n* 1 FETCH (UID 1 BODY[] {2}\nhi" + date + ")\n", nil, "1=hi[a]b]", ""},
		"date NIL":           {"1", "* 1 FETCH (UID 1 FLAGS () INTERNALDATE NIL BODY[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"no date at all":     {"1", "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"trailing blanks":    {"1 ", "* 1 FETCH (UID 1 FLAGS (\\Seen ) BODY[] {2}\nhi )\n", nil, `1=hi[\Seen]`, ""},
		"lower case":         {"1", "* 1 fetch (uid 1 flags () body[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"unknown items":      {"1", "* 1 FETCH (UID 1 X-A (1 (2 \"x\")) FLAGS () X-B {3}\nabc BODY[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"quoted body":        {"1", "* 1 FETCH (UID 1 FLAGS () BODY[] \"hi\")\n", nil, "1=hi[]", ""},
		"empty body":         {"1", "* 1 FETCH (UID 1 FLAGS () BODY[] {0}\n)\n", nil, "1=[]", ""},
		"unasked":            {"1", "* 9 FETCH (FLAGS (x))\n* 9 FETCH (UID 9 FLAGS () BODY[] {1}\nx)\n* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"without uid":        {"1", "* 1 FETCH (FLAGS () BODY[] {1}\nx)\n* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n", nil, "1=hi[]", ""},
		"twice":              {"1", strings.Repeat("* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n", 2), nil, "1=hi[]", ""},
		"expunged meanwhile": {"1 2", "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n", []string{"", ""}, "1=hi[]", ""},
		"left out, then there": {"1 2", "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n",
			[]string{"* 2 FETCH (UID 2 FLAGS () BODY[] {2}\nho)\n"}, "1=hi[] 2=ho[]", ""},
		"never sent": {"1 2", "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n",
			[]string{"", "* SEARCH 2\n", "", "* SEARCH 2\n"}, "1=hi[]", "2"},
		"malformed": {"1 2", "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n* 2 FETCH (UID 2 FLAGS (\\Seen BODY[] {2}\nho\n",
			[]string{"* 2 FETCH (UID 2 FLAGS () BODY[] {2}\nho)\n"}, "1=hi[] 2=ho[]", ""},
		"body NIL": {"1", "* 1 FETCH (UID 1 FLAGS () BODY[] NIL)\n", []string{"* 1 FETCH (UID 1 FLAGS () BODY[] NIL)\n", "* SEARCH 1\n", "", "* SEARCH 1\n"}, "", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.hello("UNSELECT")
				tag := s.examined(2, c.found)
				s.send("%s%s OK fetched\n", c.answer, tag)
				for _, a := range c.then {
					tag := s.expect("UID (SEARCH|FETCH) .*")
					s.send("%s%s OK next\n", a, tag)
				}
				s.rest()
			})
			src, ctx := dialScripted(t, e, imapx.Options{})
			var got collector
			set := everything()
			if name == "unasked" {
				set = imap.UIDSetNum(1, 2)
			}
			res, err := src.Visit(ctx, bodies(set), got.handler())
			if err != nil {
				t.Fatal(err)
			}
			var words, failed []string
			for uid := imap.UID(1); uid < 10; uid++ {
				if m, ok := got.messages[uid]; ok {
					words = append(words, fmt.Sprintf("%d=%s%v", uid, got.body(t, uid), m.Flags))
				}
				if res.Failed[uid] != nil {
					failed = append(failed, fmt.Sprint(uid))
				}
			}
			if strings.Join(words, " ") != c.want || strings.Join(failed, " ") != c.failed || len(got.twice) > 0 {
				t.Errorf("got %s, failed %v, twice %v", words, res.Failed, got.twice)
			}
			if got.alive-got.freed != len(got.messages) {
				t.Errorf("%d bodies made, %d released, %d given away", got.alive, got.freed, len(got.messages))
			}
		})
	}
}

// TestAnotherUIDValidity: what was fetched blindly from a folder that is another one now reaches nobody.
func TestAnotherUIDValidity(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("UNSELECT")
		tag := s.examined(1, "1")
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n%s OK fetched\n", tag)
		s.rest()
	})
	src, ctx := dialScripted(t, e, imapx.Options{})
	var got collector
	v := bodies(everything())
	v.UIDValidity = 8
	_, err := src.Visit(ctx, v, got.handler())
	var x *imapx.Error
	if !errors.Is(err, imapx.ErrUIDValidity) || !errors.As(err, &x) || x.Scope != imapx.ScopeFolder || len(got.messages)+got.alive+len(got.opened) > 0 {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestCutLiteral: a body that ends before its length is a lost connection, never a message.
func TestCutLiteral(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("")
		s.examined(1, "1")
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {20}\nonly ten..")
	})
	src, ctx := dialScripted(t, e, imapx.Options{})
	var got collector
	_, err := src.Visit(ctx, bodies(everything()), got.handler())
	var x *imapx.Error
	if !errors.As(err, &x) || x.Kind != imapx.KindLost || x.Retry != imapx.RetryReconnect || len(got.messages) > 0 || got.freed != 1 {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestSilence: a server that says nothing ends the visit after Timeout; one that sends a byte now and then, or
// that waits for us, does not.
func TestSilence(t *testing.T) {
	const patience = 300 * time.Millisecond
	t.Run("silent", func(t *testing.T) {
		e := serve(t, func(s *scripted) {
			s.hello("")
			s.examined(1, "1")
			s.r.ReadString('\n')
		})
		src, ctx := dialScripted(t, e, imapx.Options{Timeout: patience})
		var got collector
		start := time.Now()
		_, err := src.Visit(ctx, bodies(everything()), got.handler())
		var x *imapx.Error
		if !errors.As(err, &x) || x.Kind != imapx.KindLost || time.Since(start) > 10*patience || !strings.Contains(x.Text, "UID FETCH") {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
	t.Run("slow on both sides", func(t *testing.T) {
		e := serve(t, func(s *scripted) {
			s.hello("")
			tag := s.examined(1, "1")
			for _, b := range "* 1 FETCH (UID 1 FLAGS () BODY[] {2}\nhi)\n" {
				time.Sleep(patience / 10)
				s.send("%c", b)
			}
			s.send("%s OK\n", tag)
			s.rest()
		})
		src, ctx := dialScripted(t, e, imapx.Options{Timeout: patience})
		var got collector
		h := got.handler()
		alloc := h.Alloc
		h.Alloc = func(ctx context.Context, n int64) (imapx.Body, error) {
			time.Sleep(3 * patience)
			return alloc(ctx, n)
		}
		if _, err := src.Visit(ctx, bodies(everything()), h); err != nil || len(got.messages) != 1 {
			t.Errorf("%v %v", err, got.messages)
		}
		time.Sleep(2 * patience) // idle is no silence
		if _, err := src.List(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestEndings: every waiter learns why, with the server's last words.
func TestEndings(t *testing.T) {
	for name, c := range map[string]struct {
		end  string
		kind imapx.Kind
		text string
	}{
		"closed":  {"", imapx.KindLost, "closed the connection"},
		"bye":     {"* BYE shutting down\n", imapx.KindLost, "shutting down"},
		"busy":    {"* BYE [UNAVAILABLE] later\n", imapx.KindUnavailable, "later"},
		"alert":   {"* OK [ALERT] disk\x1b[2J is dying\n", imapx.KindLost, `disk\x1b[2J is dying`},
		"absurd":  {"* 1 FETCH (BODY[] {99999999999999999999}\n", imapx.KindProtocol, "99999999999999999999"},
		"garbage": {"\x00\x01\x02\n", imapx.KindLost, "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, func(s *scripted) {
				s.hello("")
				s.examined(1, "1")
				s.send("%s", c.end)
			})
			src, ctx := dialScripted(t, e, imapx.Options{})
			var got collector
			_, err := src.Visit(ctx, bodies(everything()), got.handler())
			var x *imapx.Error
			if !errors.As(err, &x) || x.Kind != c.kind || !strings.Contains(x.Text, c.text) || x.Scope != imapx.ScopeAccount {
				t.Fatalf("%v", err)
			}
			if _, err := src.List(ctx); err == nil {
				t.Error("a dead connection lists folders")
			}
		})
	}
}

func TestCancelClosesAndFrees(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("")
		s.examined(1, "1")
		s.send("* 1 FETCH (UID 1 FLAGS () BODY[] {20}\nonly ten..")
		s.r.ReadString('\n')
	})
	src, _ := dialScripted(t, e, imapx.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	var got collector
	_, err := src.Visit(ctx, bodies(everything()), got.handler())
	if !errors.Is(err, context.Canceled) || got.alive != got.freed {
		t.Errorf("%v, %d made, %d released", err, got.alive, got.freed)
	}
}

// TestHandlerEndsVisit: its error comes back, nothing is leaked, and the connection lives.
func TestHandlerEndsVisit(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("")
		tag := s.examined(3, "1 2 3")
		for i := 1; i <= 3; i++ {
			s.send("* %d FETCH (UID %d FLAGS () BODY[] {2}\nhi)\n", i, i)
		}
		s.send("%s OK\n", tag)
		s.send("* LIST () \"/\" F\n")
		s.rest()
	})
	full := errors.New("full")
	src, ctx := dialScripted(t, e, imapx.Options{})
	var got collector
	h := got.handler()
	h.Message = func(_ int, m imapx.Message) error { m.Body.Release(); return full }
	_, err := src.Visit(ctx, bodies(everything()), h)
	if !errors.Is(err, full) || got.alive == 0 || got.freed != got.alive {
		t.Errorf("%v, %d made, %d released", err, got.alive, got.freed)
	}
	if _, err := src.List(ctx); err != nil {
		t.Error(err)
	}
}

// TestStrayBody: imap4d answers a FETCH of UIDs behind the last message with that message, while another FETCH asks for its
// flags alone. Its body is not the answer to that.
func TestStrayBody(t *testing.T) {
	e := serve(t, func(s *scripted) {
		s.hello("UNSELECT")
		first := s.examined(4, "")
		search, second := s.expect("UID SEARCH UID 4"), s.expect("UID FETCH 4 .*")
		s.send("* 4 FETCH (UID 4 FLAGS () INTERNALDATE \" 1-Jan-2020 00:00:00 +0000\" BODY[] {2}\nhi)\n%s OK fetched\n", first)
		s.send("* SEARCH 4\n%s OK found\n* 4 FETCH (UID 4 FLAGS (\\Seen))\n%s OK fetched\n", search, second)
		s.rest()
	})
	src, ctx := dialScripted(t, e, imapx.Options{})
	var got collector
	v := bodies(imap.UIDSet{{Start: 5, Stop: 20}})
	v.Reads = append(v.Reads, imapx.Read{UIDs: imap.UIDSetNum(4), Want: imapx.WantFlags})
	if _, err := src.Visit(ctx, v, got.handler()); err != nil {
		t.Fatal(err)
	}
	if m := got.messages[4]; m.Body != nil || len(got.messages) != 1 || len(got.twice) > 0 {
		t.Errorf("%+v, twice %v", got.messages, got.twice)
	}
}
