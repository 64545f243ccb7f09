package verify_test

import (
	"context"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
	"mailmove/sync/verify"
)

// asGmail makes a Dovecot's folder Sent look like Gmail's All Mail: its messages with an even UID have the label of INBOX,
// and are in it.
type asGmail struct{ verify.Side }

func (g asGmail) List(ctx context.Context) (imapx.Listing, error) {
	l, err := g.Side.List(ctx)
	l.Labels = true
	for i := range l.Folders {
		if f := &l.Folders[i]; f.Name == "Sent" {
			f.SpecialUse = imap.MailboxAttrAll
		}
	}
	return l, err
}

func (g asGmail) Visit(ctx context.Context, v imapx.Visit, h imapx.VisitHandler) (imapx.VisitResult, error) {
	given := h.Message
	h.Message = func(read int, m imapx.Message) error {
		if m.GmailID = uint64(m.UID) % 2; v.Folder == "Sent" && m.GmailID == 0 {
			m.GmailID, m.Labels = 9, []string{`\Inbox`}
		} else if v.Folder == "INBOX" {
			m.GmailID = 9
		}
		return given(read, m)
	}
	return g.Side.Visit(ctx, v, h)
}

// TestAllMail: what lies in another folder too was not carried from Gmail's All Mail, and is not missing.
func TestAllMail(t *testing.T) {
	a := fresh(t, imaptest.Small, real.Options{})
	a.wrap = func(s verify.Side) verify.Side { return asGmail{s} }
	a.pass()
	var first int64
	for _, level := range []verify.Level{verify.Counts, verify.Identity} {
		r := a.verify(level, 0, a.dir)
		n := int64(0)
		for _, d := range r.diffs {
			if d.Source == "Sent" && d.Word == verify.KnownException && strings.Contains(d.Detail, "Gmail") {
				n += max(d.Messages, 1)
			}
		}
		if !r.Verified() || n == 0 || first != 0 && n != first || r.Words[verify.Missing] != 0 {
			t.Errorf("%v: %d of All Mail are elsewhere, %+v", level, n, r.Report)
		}
		first = n
	}
	if have := a.verify(verify.Identity, 0, "").Words[verify.Missing]; have != first {
		t.Errorf("without the state %d are missing, not %d", have, first)
	}
}
