package imapx_test

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// TestOtherTargets stores mail, reads it and stores more, over one connection and in one folder, on servers that are no
// Dovecot. UIDs are the same at each look, also where the server's EXAMINE would give others.
func TestOtherTargets(t *testing.T) {
	for name, start := range map[string]func() *real.Isolated{
		"Cyrus":     func() *real.Isolated { return real.Cyrus(t, real.CyrusOptions{}) },
		"Classic":   func() *real.Isolated { return real.Cyrus(t, real.CyrusOptions{Classic: true}) },
		"Courier":   func() *real.Isolated { return real.Courier(t) },
		"Mailutils": func() *real.Isolated { return real.Mailutils(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start()
			ctx := within(t, time.Minute)
			tgt := dialTarget(t, ctx, s, s.FreshUser())
			folder := s.Prefix() + "Files"
			prepared, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: folder, Create: true, Subscribe: true, Open: true}, {Folder: "INBOX", Open: true}})
			if err != nil || prepared[0].Err != nil || !prepared[0].Created || prepared[1].Err != nil {
				t.Fatalf("%v %+v", err, prepared)
			}
			date := time.Date(2020, 5, 5, 5, 5, 5, 0, time.UTC)
			message := func(n string) imapx.AppendMessage {
				return imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Date: date,
					Body: text("Date: Tue, 5 May 2020 05:05:05 +0000\r\nMessage-ID: <" + n + "@x.example>\r\n\r\n" + n + "\r\n")}
			}
			for i, batch := range [][]imapx.AppendMessage{{message("one"), message("two")}, {message("three")}} {
				for k, err := range store(t, ctx, tgt, folder, batch...).Errs {
					if err != nil {
						t.Fatalf("batch %d, message %d: %v", i, k, err)
					}
				}
				first, second := readAll(t, ctx, tgt, folder), readAll(t, ctx, tgt, folder)
				if len(first.messages) != 2+i || len(second.messages) != 2+i {
					t.Fatalf("%d, then %d messages", len(first.messages), len(second.messages))
				}
				for uid, m := range first.messages {
					if again, ok := second.messages[uid]; !ok || string(first.body(t, uid)) != string(second.body(t, uid)) || !again.Date.Equal(date) {
						t.Errorf("message %d is another at the second look: %+v, %+v", uid, m, again)
					}
				}
			}
			l, err := tgt.List(ctx)
			if err != nil || !l.Complete {
				t.Fatalf("%v %+v", err, l)
			}
			for _, f := range l.Folders {
				if f.Raw == folder && (!f.Subscribed || f.Mark == nil || f.Mark.Messages != 3) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
