package imapx_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

// TestDrop removes an empty folder and nothing else.
func TestDrop(t *testing.T) {
	t.Parallel()
	s := real.Dovecot(t, real.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tgt := dialTarget(t, ctx, s, s.FreshUser())
	made, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "empty", Create: true}, {Folder: "mail", Create: true, Open: true}})
	if err != nil || made[0].Err != nil || made[1].Err != nil {
		t.Fatal(err, made)
	}
	store(t, ctx, tgt, "mail", imapx.AppendMessage{Body: text("Subject: x\r\n\r\nx\r\n")})
	if err := tgt.Drop(ctx, "empty"); err != nil {
		t.Error(err)
	}
	var refused *imapx.Error
	for _, folder := range []string{"mail", "INBOX", "inbox", ""} {
		if err := tgt.Drop(ctx, folder); !errors.As(err, &refused) || refused.Scope != imapx.ScopeFolder {
			t.Errorf("%q: %v", folder, err)
		}
	}
	l, err := tgt.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range l.Folders {
		names = append(names, f.Raw)
	}
	if got := strings.Join(names, " "); strings.Contains(got, "empty") || !strings.Contains(got, "mail") || !strings.Contains(got, "INBOX") {
		t.Error(got)
	}
}
