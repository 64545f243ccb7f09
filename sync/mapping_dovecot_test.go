package sync_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// peoplesFolders are as people have them, with "|" between the levels. On a server with "." as separator.
func peoplesFolders() []string {
	return []string{"Sent", "Gesendet", "Gesendete Elemente", "Entwürfe", "Papierkorb", "Spam", "Archiv", "Archiv|2019", "R&D", "a/b",
		strings.Repeat("l", 250), strings.Repeat("ü", 80), "1|2|3|4|5|6|7|8|9|10", "inbox|Sub", "Projekt", "projekt", "Projekt|x", "projekt|x",
		"Rechnung ", "Rechnung", "100%", "日本語"}
}

// people makes those folders with mail; Gesendet has the most of its kind, and one message that Sent has too.
func people(t *testing.T, addr, user, delim, prefix string) {
	t.Helper()
	c := client(t, addr, transfer{TargetUser: user, Password: real.Password})
	for i, name := range peoplesFolders() {
		name = prefix + strings.ReplaceAll(name, "|", delim)
		if err := c.Create(name, nil).Wait(); err != nil && !strings.Contains(err.Error(), "ALREADYEXISTS") {
			t.Fatalf("create %q: %v", name, err)
		}
		must(t, c.Subscribe(name).Wait())
		appendTo(t, c, name, message(fmt.Sprintf("m%d", i)))
		if strings.HasSuffix(name, "Gesendet") {
			appendTo(t, c, name, message("m0"))
			appendTo(t, c, name, message("g1"))
		}
	}
	appendTo(t, c, "INBOX", message("in"))
	must(t, c.Logout().Wait())
}

// preview asks where everything would go, without a state of its own.
func (x transfer) preview(t *testing.T) []mailsync.FolderPlan {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := state.Open(ctx, state.Options{Dir: x.Dir, Account: "test", ReadOnly: true})
	must(t, err)
	defer st.Close()
	plans, err := mailsync.Preview(ctx, x.options(st, imapx.Options{}, imapx.Options{}))
	must(t, err)
	return plans
}

// under is the plan as a function of names whose levels are separated by "/", for the referee.
func under(t *testing.T, plans []mailsync.FolderPlan, from, to string) func(string) string {
	t.Helper()
	table := make(map[string]string)
	for _, p := range plans {
		if p.LeftOut == "" {
			table[strings.ReplaceAll(p.Source, from, "/")] = strings.ReplaceAll(p.Target, to, "/")
		}
	}
	return func(name string) string { return table[name] }
}

// goes checks single lines of a plan.
func goes(t *testing.T, plans []mailsync.FolderPlan, want map[string]string) {
	t.Helper()
	for _, p := range plans {
		if w, ok := want[p.Source]; ok && p.Target+" "+p.Why != w {
			t.Errorf("%s goes to %q because of %q, want %q", p.Source, p.Target, p.Why, w)
		}
		delete(want, p.Source)
	}
	if len(want) > 0 {
		t.Errorf("not in the plan: %v", want)
	}
}

// TestPeoplesFolders: from Maildir++ with a prefix to a server without, and back again. The preview is what happens;
// three passes and a changed rule carry nothing twice.
func TestPeoplesFolders(t *testing.T) {
	t.Parallel()
	dot := real.Options{Separator: ".", Prefix: "INBOX.", Extra: "protocol imap {\n mail_plugins = $mail_plugins listescape\n}"}
	a, b, c := real.Dovecot(t, dot), real.Dovecot(t, real.Options{Format: "sdbox"}), real.Dovecot(t, real.Options{Separator: ".", Prefix: "INBOX."})
	there := &servers{src: a, dst: b}
	x := transfer{Source: a.Addr(), Target: b.Addr(), SourceUser: a.FreshUser(), TargetUser: b.FreshUser(), Password: real.Password, Dir: t.TempDir(),
		Settle: 200 * time.Millisecond, LateWindow: 300 * time.Millisecond}
	people(t, a.Addr(), x.SourceUser, ".", "INBOX.")
	u := client(t, b.Addr(), x)
	must(t, u.Create("Sent", nil).Wait()) // \Sent by its configuration
	must(t, u.Create("Archive", nil).Wait())

	plan := x.preview(t)
	goes(t, plan, map[string]string{"INBOX": "INBOX INBOX", "INBOX.Sent": "Sent special use", "INBOX.Gesendet": "Gesendet name",
		"INBOX.Entwürfe": "Entwürfe known name", "INBOX.Archiv": "Archive known name", "INBOX.Archiv.2019": "Archive/2019 parent",
		"INBOX.R&D": "R&D name", "INBOX.a/b": "a_b name", "INBOX.inbox.Sub": "INBOX/Sub name", "INBOX.projekt": "projekt (2) name",
		"INBOX.projekt.x": "projekt (2)/x parent", "INBOX.Rechnung ": "Rechnung (2) name", "INBOX.100%": "100_ name"})
	r := x.pass(t)
	there.equalUnder(t, x, "there", under(t, plan, ".", "/"))
	if r.Exceptions != 0 || r.SourceMessages != r.Copied {
		t.Errorf("there: %+v", r)
	}
	x.Mapping.Maps = []mailsync.MapRule{{Source: "Gesendet", Target: "Sent"}}
	goes(t, x.preview(t), map[string]string{"INBOX.Gesendet": "Gesendet earlier pass"})
	for range 2 {
		if r := x.pass(t); r.Copied+r.Matched+r.FoldersCreated != 0 {
			t.Errorf("again, with a changed rule: %+v", r)
		}
	}
	there.equalUnder(t, x, "there again", under(t, plan, ".", "/"))

	back := &servers{src: b, dst: c}
	y := transfer{Source: b.Addr(), Target: c.Addr(), SourceUser: x.TargetUser, TargetUser: c.FreshUser(), Password: real.Password, Dir: t.TempDir(),
		Settle: x.Settle, LateWindow: x.LateWindow, Mapping: mailsync.Mapping{Merge: true}}
	plan = y.preview(t)
	goes(t, plan, map[string]string{"Sent": "INBOX.Sent special use", "Gesendet": "INBOX.Sent merged", "Gesendete Elemente": "INBOX.Sent merged",
		"Archive/2019": "INBOX.Archive.2019 name", "INBOX/Sub": "INBOX.Sub name"})
	first := y.pass(t)
	if first.Exceptions != 0 || first.Copied != r.SourceMessages {
		t.Errorf("back: %+v", first)
	}
	back.equalUnder(t, y, "back", under(t, plan, "/", "."))
	quiet(t, y, "back again")
	y.Dir = t.TempDir() // without state everything is found again, of merged folders too
	if r := y.pass(t); r.Copied != 0 || r.Matched != first.Copied {
		t.Errorf("without state: %+v", r)
	}
	back.equalUnder(t, y, "without state", under(t, plan, "/", "."))
}

// TestMaildirNames: what Maildir++ cannot hold is shortened before anything moves.
func TestMaildirNames(t *testing.T) {
	a, b := real.Dovecot(t, real.Options{Format: "sdbox"}), real.Dovecot(t, real.Options{Separator: ".", Prefix: "INBOX."})
	s := &servers{src: a, dst: b}
	x := transfer{Source: a.Addr(), Target: b.Addr(), SourceUser: a.FreshUser(), TargetUser: b.FreshUser(), Password: real.Password, Dir: t.TempDir(),
		Settle: 200 * time.Millisecond, LateWindow: 300 * time.Millisecond}
	c := client(t, a.Addr(), x.as(x.SourceUser))
	names := []string{strings.Repeat("l", 255), strings.Repeat("ü", 88), strings.TrimSuffix(strings.Repeat(strings.Repeat("m", 60)+"/", 6), "/"),
		strings.TrimSuffix(strings.Repeat("level/", 60), "/"), "a.b", "x/~y", "\u0085c", "*"}
	for i, name := range names {
		must(t, c.Create(name, nil).Wait())
		appendTo(t, c, name, message(fmt.Sprint("m", i)))
	}
	plan := x.preview(t)
	trouble := make(map[string]string)
	for _, p := range plan {
		if p.Trouble != "" {
			trouble[p.Source] = p.Trouble
		}
		if p.Bytes < 0 || p.Source != "INBOX" && p.Messages == 1 && p.Bytes == 0 {
			t.Errorf("%s: %d bytes", p.Source, p.Bytes)
		}
	}
	if len(trouble) != 6 || !strings.Contains(trouble["a.b"], `"." is written _`) || !strings.Contains(trouble[names[0]], "shortened") {
		t.Errorf("trouble: %v", maps.Keys(trouble))
	}
	if r := x.pass(t); r.Exceptions != 0 || r.Copied != int64(len(names)) {
		t.Errorf("%+v", r)
	}
	s.equalUnder(t, x, "shortened", func(name string) string {
		for _, p := range plan {
			if p.Source == name {
				return strings.ReplaceAll(p.Target, ".", "/")
			}
		}
		return ""
	})
	quiet(t, x, "again")
}

// as is the transfer with another user for client.
func (x transfer) as(user string) transfer { x.TargetUser = user; return x }
