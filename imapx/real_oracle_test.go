package imapx_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
	"mailmove/imapx/wire"
)

// seenFolder is a folder as either client saw it. Everything is text, so that two of them compare with ==.
type seenFolder struct {
	attrs, status string
	subscribed    bool
	messages      map[imap.UID]seenMessage
}

type seenMessage struct {
	flags, date, body string
	size              int64
}

func (m seenMessage) String() string {
	return fmt.Sprintf("%s, %s, %d bytes, %.100q", m.flags, m.date, m.size, m.body)
}

func flagText(flags []imap.Flag) string {
	var words []string
	for _, f := range flags {
		if f != `\Recent` {
			words = append(words, string(f))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// attrText leaves \Subscribed to a field of its own, and makes one of the words for a folder that only holds others:
// LIST says \Noselect, LIST-EXTENDED \NonExistent.
func attrText(attrs []imap.MailboxAttr) string {
	var words []string
	for _, a := range attrs {
		if a == imap.MailboxAttrNonExistent {
			a = imap.MailboxAttrNoSelect
		}
		if a != imap.MailboxAttrSubscribed {
			words = append(words, strings.ToLower(string(a)))
		}
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

const wholeSecond = "2006-01-02 15:04:05 -0700"

// readByOracle reads an account with go-imap's client.
func readByOracle(t *testing.T, addr, user string, modSeq bool) map[string]seenFolder {
	t.Helper()
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(user, real.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnSpecialUse: true, ReturnChildren: true,
		ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, HighestModSeq: true}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]seenFolder{}
	for _, d := range list {
		f := seenFolder{attrs: attrText(d.Attrs), subscribed: slices.Contains(d.Attrs, imap.MailboxAttrSubscribed), messages: map[imap.UID]seenMessage{}}
		if s := d.Status; s != nil {
			if !modSeq {
				s.HighestModSeq = 0
			}
			f.status = fmt.Sprint(s.UIDValidity, s.UIDNext, *s.NumMessages, s.HighestModSeq)
			f.messages = fetchByOracle(t, c, d.Mailbox)
		}
		seen[d.Mailbox] = f
	}
	return seen
}

func fetchByOracle(t *testing.T, c *imapclient.Client, folder string) map[imap.UID]seenMessage {
	t.Helper()
	if _, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	whole := &imap.FetchItemBodySection{Peek: true}
	got, err := c.Fetch(everything(), &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true,
		BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[imap.UID]seenMessage{}
	for _, m := range got {
		seen[m.UID] = seenMessage{flagText(m.Flags), m.InternalDate.Format(wholeSecond), string(m.FindBodySection(whole)), m.RFC822Size}
	}
	return seen
}

// readByUs reads the same with a Source.
func readByUs(t *testing.T, addr, user string) map[string]seenFolder {
	t.Helper()
	ctx := within(t, time.Minute)
	src, err := imapx.DialSource(ctx, endpoint(t, addr, user), imapx.Options{Trace: traceTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	list, err := src.List(ctx)
	if err != nil || !list.Complete {
		t.Fatal(list, err)
	}
	seen := map[string]seenFolder{}
	for _, d := range list.Folders {
		f := seenFolder{attrs: attrText(d.Attrs), subscribed: d.Subscribed, messages: map[imap.UID]seenMessage{}}
		if s := d.Mark; s != nil {
			f.status = fmt.Sprint(s.UIDValidity, s.UIDNext, s.Messages, s.HighestModSeq)
			var c collector
			_, err := src.Visit(ctx, imapx.Visit{Folder: d.Raw, UIDValidity: s.UIDValidity, Reads: []imapx.Read{{UIDs: everything(),
				Want: imapx.WantFlags | imapx.WantDate | imapx.WantSize | imapx.WantBody}}}, c.handler())
			if err != nil {
				t.Fatal(err)
			}
			for uid, m := range c.messages {
				f.messages[uid] = seenMessage{flagText(m.Flags), m.Date.Format(wholeSecond), string(c.body(t, uid)), m.Size}
			}
		}
		seen[d.Name] = f
	}
	return seen
}

// oracleMail is mail whose flags, dates and bytes a parser could get wrong.
func oracleMail() (batch []imapx.AppendMessage, want []seenMessage) {
	bodies := []string{
		"Subject: plain\r\n\r\nbody\r\n",
		"no header\r\n",
		"Subject: no end of line\r\n\r\nend",
		"Subject: 8 bit\r\n\r\n\xff\xfe\x80 Gr\xc3\xbc\xc3\x9fe \"quoted\" \\ back\r\n",
		"Subject: looks like IMAP\r\n\r\n)\r\n* 1 FETCH (UID 9 BODY[] {3}\r\nabc)\r\nm1 OK [UIDNEXT 1] done {5}\r\n",
		"Subject: long lines\r\n\r\n" + strings.Repeat("0123456789", 20000) + "\r\n",
		"Subject: dots\r\n\r\n.\r\n..\r\n\r\n\r\n",
		"\r\nonly a body\r\n",
	}
	flags := [][]imap.Flag{nil, {imap.FlagSeen}, {imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft},
		{"$Forwarded", "Junk", "NonJunk"}, {"a[b", "x+y/z.1", "CaseKept"}, {"nil", "OK"}}
	zones := []int{0, -8 * 3600, 5*3600 + 45*60, 14 * 3600}
	for i, body := range bodies {
		date := time.Date(1995+4*i, time.Month(1+i), 1+3*i, i, 59, 59-i, 0, time.FixedZone("", zones[i%len(zones)]))
		f := flags[i%len(flags)]
		batch = append(batch, imapx.AppendMessage{Flags: f, Date: date, Body: text(body)})
		want = append(want, seenMessage{flagText(f), date.UTC().Format(wholeSecond), body, int64(len(body))})
	}
	return batch, want
}

// TestOracle: what a Target stored is what go-imap's client, which shares no code with our engine, reads back; and
// what a Source reads of that account is what go-imap's client reads.
func TestOracle(t *testing.T) {
	for name, without := range servers {
		t.Run(name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			ctx := within(t, time.Minute)
			user := s.FreshUser()
			tgt := dialTarget(t, ctx, s, user)
			names := []string{"INBOX", "Entwürfe", "R&D", "日本語/😀", `a "b\c`, "100%*", "a b", "NIL", "INBOX/x"}
			batch, want := oracleMail()
			for i, name := range names {
				raw := wire.EncodeUTF7(name)
				p, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: raw, Create: i > 0, Subscribe: i%2 == 1, Open: true}})
				if err != nil || p[0].Err != nil {
					t.Fatal(name, err, p)
				}
				a := store(t, ctx, tgt, raw, batch...)
				for j, e := range a.Errs {
					if e != nil || a.UIDs[j] != imap.UID(j+1) {
						t.Fatalf("%s: %+v", name, a)
					}
				}
			}
			if err := tgt.Close(); err != nil {
				t.Fatal(err)
			}
			oracle := readByOracle(t, s.Addr(), user, !slices.Contains(without, "CONDSTORE"))
			for i, name := range names {
				f, ok := oracle[name]
				if !ok || f.subscribed != (i%2 == 1) || len(f.messages) != len(want) {
					t.Errorf("%q: there %v, subscribed %v, %d messages", name, ok, f.subscribed, len(f.messages))
				}
				for j, w := range want {
					if got := f.messages[imap.UID(j+1)]; got != w {
						t.Errorf("%q uid %d:\nsent %s\nread %s", name, j+1, w, got)
					}
				}
			}
			sameAccount(t, oracle, readByUs(t, s.Addr(), user))
		})
	}
}

func sameAccount(t *testing.T, oracle, ours map[string]seenFolder) {
	t.Helper()
	if a, b := slices.Sorted(maps.Keys(oracle)), slices.Sorted(maps.Keys(ours)); !slices.Equal(a, b) {
		t.Errorf("imapclient lists %q\nwe list %q", a, b)
	}
	for name, a := range oracle {
		b := ours[name]
		if a.attrs != b.attrs || a.status != b.status || a.subscribed != b.subscribed {
			t.Errorf("%q: imapclient sees %s, %s, subscribed %v\nwe see %s, %s, subscribed %v", name, a.attrs, a.status, a.subscribed, b.attrs, b.status, b.subscribed)
		}
		if len(a.messages) != len(b.messages) {
			t.Errorf("%q: imapclient reads %d messages, we read %d", name, len(a.messages), len(b.messages))
		}
		for uid, m := range a.messages {
			if b.messages[uid] != m {
				t.Errorf("%q uid %d:\nimapclient %s\nwe         %s", name, uid, m, b.messages[uid])
			}
		}
	}
}
