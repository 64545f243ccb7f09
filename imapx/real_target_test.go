package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/auth"
	"mailmove/imapx/imaptest/real"
)

// text is a body of a string.
func text(s string) imapx.Body {
	freed := 0
	m := &memory{size: int64(len(s)), released: &freed}
	m.WriteString(s)
	return m
}

func dialTarget(t testing.TB, ctx context.Context, s interface{ Addr() string }, user string) *imapx.Target {
	t.Helper()
	e := endpoint(t, s.Addr(), user)
	e.Side = "target"
	if n, is := s.(interface{ Name() string }); is && n.Name() == "Mailutils" {
		e.Auth = auth.Plain // imap4d offers SCRAM and has no passwords for it
	}
	tgt, err := imapx.DialTarget(ctx, e, imapx.Options{Trace: traceTo(t), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tgt.Close() })
	return tgt
}

// store appends a batch and waits.
func store(t testing.TB, ctx context.Context, tgt *imapx.Target, folder string, messages ...imapx.AppendMessage) imapx.Appended {
	t.Helper()
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: folder, Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// readAll visits a folder and gives all there is.
func readAll(t testing.TB, ctx context.Context, tgt *imapx.Target, folder string) *collector {
	t.Helper()
	var c collector
	_, err := tgt.Visit(ctx, imapx.Visit{Folder: folder, Reads: []imapx.Read{{UIDs: everything(),
		Want: imapx.WantFlags | imapx.WantDate | imapx.WantBody}}}, c.handler())
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func folders(t testing.TB, ctx context.Context, tgt *imapx.Target) string {
	t.Helper()
	l, err := tgt.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range l.Folders {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

// servers are Dovecots with and without what APPEND can make use of.
var servers = map[string][]string{
	"all":                 nil,
	"no MULTIAPPEND":      {"MULTIAPPEND"},
	"no LITERAL+":         {"LITERAL+"},
	"neither":             {"LITERAL+", "MULTIAPPEND"},
	"old":                 {"LITERAL+", "MULTIAPPEND", "LIST-STATUS", "LIST-EXTENDED", "CONDSTORE", "QRESYNC", "ESEARCH", "UNSELECT", "SPECIAL-USE", "SASL-IR", "NAMESPACE"},
	"no UNSELECT":         {"UNSELECT"},
	"MULTIAPPEND, slow":   {"LITERAL+", "UIDPLUS"},
	"no LIST-STATUS":      {"LIST-STATUS"},
	"ESEARCH, no QRESYNC": {"QRESYNC", "CONDSTORE"},
}

func TestTargetOnEveryKindOfServer(t *testing.T) {
	for name, without := range servers {
		t.Run(name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			ctx := within(t, time.Minute)
			tgt := dialTarget(t, ctx, s, s.FreshUser())
			prepared, err := tgt.Prepare(ctx, []imapx.Prepare{
				{Folder: "Sent", Create: true, SpecialUse: imap.MailboxAttrSent, Subscribe: true, Open: true},
				{Folder: "Entw&APw-rfe", Create: true, Subscribe: true, Open: true},
				{Folder: "INBOX", Open: true},
				{Folder: "Sent", Create: true, Open: true},
				{Folder: "Sent", Create: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range prepared {
				if p.Err != nil || i < 4 && p.Opened.UIDValidity == 0 || p.Created != (i < 2) {
					t.Fatalf("%d: %+v", i, p)
				}
			}
			roundTrip(t, ctx, tgt, prepared[1].Opened.UIDValidity)
			l, err := tgt.List(ctx)
			if err != nil || !l.Complete {
				t.Fatalf("%v %+v", err, l)
			}
			for _, f := range l.Folders {
				if f.Name == "Entwürfe" && (f.Mark == nil || f.Mark.Messages != 502 || !f.Subscribed) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// roundTrip stores messages of all sizes and reads them back.
func roundTrip(t *testing.T, ctx context.Context, tgt *imapx.Target, validity uint32) {
	folder := "Entw&APw-rfe"
	date := time.Date(1995, 2, 3, 4, 5, 6, 0, time.FixedZone("", -8*3600))
	var batch []imapx.AppendMessage
	want := map[int]string{}
	for i := range 500 {
		body := fmt.Sprintf("Subject: %d\r\n\r\nbody\r\n", i)
		want[i] = body
		batch = append(batch, imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen, "$Label" + imap.Flag(fmt.Sprint(i%3)), `\Recent`},
			Date: date.Add(time.Duration(i) * time.Hour), Body: text(body)})
	}
	a := store(t, ctx, tgt, folder, batch...)
	if a.UIDValidity != validity || a.UIDs[0] != 1 || a.UIDs[499] != 500 || errors.Join(a.Errs...) != nil {
		t.Fatalf("%+v", a)
	}
	medium := "Subject: 8 KB\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 512)
	large := "Subject: 9 MB\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 512<<10)
	a = store(t, ctx, tgt, folder, imapx.AppendMessage{Body: text(medium)}, imapx.AppendMessage{Body: text(large)})
	if a.UIDs[0] != 501 || a.UIDs[1] != 502 {
		t.Fatalf("%+v", a)
	}
	got := readAll(t, ctx, tgt, folder)
	if len(got.messages) != 502 || string(got.body(t, 501)) != medium || string(got.body(t, 502)) != large {
		t.Fatalf("%d messages, or others", len(got.messages))
	}
	for i, body := range want {
		uid := imap.UID(i + 1)
		m := got.messages[uid]
		if string(got.body(t, uid)) != body || !m.Date.Equal(batch[i].Date) || len(m.Flags) != 2 {
			t.Fatalf("uid %d: %v %v %q", uid, m.Date, m.Flags, got.body(t, uid))
		}
	}
	err := tgt.Store(ctx, folder, validity, []imapx.FlagChange{{UIDs: imap.UIDSetNum(1, 2), Add: []imap.Flag{imap.FlagFlagged}, Remove: []imap.Flag{imap.FlagSeen}}})
	if err != nil {
		t.Fatal(err)
	}
	err = tgt.Store(ctx, folder, validity+1, []imapx.FlagChange{{UIDs: imap.UIDSetNum(3), Add: []imap.Flag{imap.FlagFlagged}}})
	if !errors.Is(err, imapx.ErrUIDValidity) {
		t.Fatalf("another UIDVALIDITY: %v", err)
	}
	got = readAll(t, ctx, tgt, folder)
	for uid, n := range map[imap.UID]string{1: `[\Flagged $Label0]`, 2: `[\Flagged $Label1]`, 3: `[\Seen $Label2]`} {
		if fmt.Sprint(got.messages[uid].Flags) != n {
			t.Errorf("uid %d has %v", uid, got.messages[uid].Flags)
		}
	}
}

func TestRemove(t *testing.T) {
	s := real.Dovecot(t, real.Options{})
	ctx := within(t, time.Minute)
	tgt := dialTarget(t, ctx, s, s.FreshUser())
	a := store(t, ctx, tgt, "INBOX", imapx.AppendMessage{Body: text("a: b\r\n\r\n1")}, imapx.AppendMessage{Body: text("a: b\r\n\r\n2"), Flags: []imap.Flag{imap.FlagDeleted}},
		imapx.AppendMessage{Body: text("a: b\r\n\r\n3")})
	if err := tgt.Remove(ctx, "INBOX", a.UIDValidity, imap.UIDSetNum(1)); err != nil {
		t.Fatal(err)
	}
	if err := tgt.Remove(ctx, "INBOX", a.UIDValidity+1, imap.UIDSetNum(3)); !errors.Is(err, imapx.ErrUIDValidity) {
		t.Fatal(err)
	}
	got := readAll(t, ctx, tgt, "INBOX")
	if _, there := got.messages[2]; len(got.messages) != 2 || !there {
		t.Fatalf("left: %v", got.messages)
	}
}

// TestHostileBody sends mail whose lines are commands, with flags and dates that servers refuse: nothing of it
// may be carried out, whatever the server can do.
func TestHostileBody(t *testing.T) {
	hostile := "x CREATE owned1\r\ny CREATE owned2\r\n\r\nz CREATE owned3\r\nx DELETE victim\r\n"
	flags := [][]imap.Flag{nil, {imap.FlagSeen}, {"$Good"}, {`\Foo`}, {"bad]flag"}, {"b\xc3\xa4d"}, {"a b"}, {"("}, {""}, {`\`}, {`\*`}, {"x\r\nq CREATE owned4"},
		{imap.Flag(strings.Repeat("k", 200))}, {imap.FlagWildcard}, {`\Recent`}, {"NIL"}, {"{5}"}}
	dates := []time.Time{{}, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("", 90*3600)), time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", 1))}
	for name, without := range servers {
		t.Run(name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			user := s.FreshUser()
			ctx := within(t, 2*time.Minute)
			tgt := dialTarget(t, ctx, s, user)
			if _, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "victim", Create: true}}); err != nil {
				t.Fatal(err)
			}
			stored := 0
			for _, f := range flags {
				for _, d := range dates {
					bad := imapx.AppendMessage{Flags: f, Date: d, Body: text(hostile)}
					good := imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text(hostile)}
					for _, batch := range [][]imapx.AppendMessage{{bad}, {good, bad}, {bad, good}} {
						p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "victim", Messages: batch})
						var a imapx.Appended
						if err == nil {
							a, err = p.Wait(ctx)
						}
						if err != nil { // closed to be safe: go on with a new one
							t.Logf("flags %q date %v: %v", f, d, err)
							tgt.Close()
							tgt = dialTarget(t, ctx, s, user)
							continue
						}
						for _, e := range a.Errs {
							if e == nil {
								stored++
							}
						}
					}
				}
			}
			if got := folders(t, ctx, dialTarget(t, ctx, s, user)); got != "victim INBOX" && got != "INBOX victim" {
				t.Fatalf("folders are now %s", got)
			}
			c := readAll(t, ctx, dialTarget(t, ctx, s, user), "victim")
			if len(c.messages) != stored || stored == 0 {
				t.Errorf("%d messages are there, %d were acknowledged", len(c.messages), stored)
			}
			for uid := range c.messages {
				if string(c.body(t, uid)) != hostile {
					t.Errorf("uid %d: %q", uid, c.body(t, uid))
				}
			}
		})
	}
}
