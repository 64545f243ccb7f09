package imapx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

const commands = "x CREATE owned1\r\ny CREATE owned2\r\n\r\nz CREATE owned3\r\n"

// TestHostileBodyBehindARefusal: the first message of a batch is refused for reasons that the probe cannot know,
// and the messages behind it are commands.
func TestHostileBodyBehindARefusal(t *testing.T) {
	big := "Subject: big\r\n\r\n" + strings.Repeat(commands, 8000)
	for name, without := range map[string][]string{"MULTIAPPEND": nil, "pipelined": {"MULTIAPPEND"}} {
		t.Run("over quota, "+name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without, Quota: "*:storage=100K"})
			hostileBatch(t, s, big, imapx.KindQuota)
		})
		t.Run("folder gone, "+name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			user := s.FreshUser()
			ctx := within(t, time.Minute)
			tgt := dialTarget(t, ctx, s, user)
			if _, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "F", Create: true, Open: true}}); err != nil {
				t.Fatal(err)
			}
			store(t, ctx, tgt, "F", imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text(commands)})
			s.Wipe(user)
			p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "F", Messages: hostiles(big)})
			if err == nil {
				_, err = p.Wait(ctx)
			}
			t.Log("append to a folder that is gone:", err)
			if got := folders(t, ctx, dialTarget(t, ctx, s, user)); strings.Contains(got, "owned") {
				t.Fatalf("folders are now %s", got)
			}
		})
	}
}

func hostiles(first string) []imapx.AppendMessage {
	messages := []imapx.AppendMessage{{Flags: []imap.Flag{imap.FlagSeen}, Body: text(first)}}
	for range 5 {
		messages = append(messages, imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text(commands)})
	}
	return messages
}

func hostileBatch(t *testing.T, s *real.Server, first string, want imapx.Kind) {
	t.Helper()
	user := s.FreshUser()
	ctx := within(t, time.Minute)
	tgt := dialTarget(t, ctx, s, user)
	store(t, ctx, tgt, "INBOX", imapx.AppendMessage{Flags: []imap.Flag{imap.FlagSeen}, Body: text(commands)})
	p, err := tgt.Append(ctx, imapx.AppendBatch{Folder: "INBOX", Messages: hostiles(first)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := a.Errs[0].(*imapx.Error)
	if !ok || x.Kind != want {
		t.Fatalf("refused with %#v", a.Errs[0])
	}
	if got := folders(t, ctx, dialTarget(t, ctx, s, user)); got != "INBOX" {
		t.Fatalf("folders are now %s", got)
	}
}
