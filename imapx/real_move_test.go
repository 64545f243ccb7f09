package imapx_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest/real"
)

func TestMove(t *testing.T) {
	for name, without := range map[string][]string{"MOVE": nil, "no MOVE": {"MOVE"}, "old": {"MOVE", "ESEARCH", "UNSELECT"}, "no UNSELECT": {"UNSELECT"}} {
		t.Run(name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			ctx := within(t, time.Minute)
			tgt := dialTarget(t, ctx, s, s.FreshUser())
			if _, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "to", Create: true}}); err != nil {
				t.Fatal(err)
			}
			store(t, ctx, tgt, "to", imapx.AppendMessage{Body: text("a: b\r\n\r\nold")})
			a := store(t, ctx, tgt, "INBOX", imapx.AppendMessage{Body: text("a: b\r\n\r\n1"), Flags: []imap.Flag{"$Kept"}}, imapx.AppendMessage{Body: text("a: b\r\n\r\n2"), Flags: []imap.Flag{imap.FlagDeleted}},
				imapx.AppendMessage{Body: text("a: b\r\n\r\n3")}, imapx.AppendMessage{Body: text("a: b\r\n\r\n4")})
			if !tgt.CanMove() {
				t.Fatal("cannot move")
			}
			_, err := tgt.Move(ctx, "INBOX", a.UIDValidity+1, imap.UIDSetNum(1), "to")
			if !errors.Is(err, imapx.ErrUIDValidity) {
				t.Fatalf("another UIDVALIDITY: %v", err)
			}
			moved, err := tgt.Move(ctx, "INBOX", a.UIDValidity, imap.UIDSetNum(4, 1, 77), "to")
			if err != nil || len(moved) != 2 || moved[1] != 2 || moved[4] != 3 {
				t.Fatalf("%v %v", moved, err)
			}
			moved, err = tgt.Move(ctx, "INBOX", a.UIDValidity, imap.UIDSetNum(1, 4), "to")
			if err != nil || len(moved) != 0 {
				t.Fatalf("again: %v %v", moved, err)
			}
			_, err = tgt.Move(ctx, "INBOX", a.UIDValidity, imap.UIDSetNum(3), "nowhere")
			var x *imapx.Error
			if !errors.As(err, &x) || x.Code != imap.ResponseCodeTryCreate || x.Scope != imapx.ScopeFolder || x.Retry != imapx.RetryNever {
				t.Fatalf("to a folder that is not there: %#v", err)
			}
			here, there := readAll(t, ctx, tgt, "INBOX"), readAll(t, ctx, tgt, "to")
			if len(here.messages) != 2 || string(here.body(t, 2)) != "a: b\r\n\r\n2" || string(here.body(t, 3)) != "a: b\r\n\r\n3" {
				t.Errorf("here: %v", here.messages)
			}
			if len(there.messages) != 3 || string(there.body(t, 2)) != "a: b\r\n\r\n1" || string(there.body(t, 3)) != "a: b\r\n\r\n4" ||
				!slices.Equal(there.messages[2].Flags, []imap.Flag{"$Kept"}) || len(there.messages[3].Flags) != 0 {
				t.Errorf("there: %v", there.messages)
			}
		})
	}
}

func TestMoveOfManyAndWithoutUIDPlus(t *testing.T) {
	ctx := within(t, time.Minute)
	s := real.Dovecot(t, real.Options{})
	tgt := dialTarget(t, ctx, s, s.FreshUser())
	if _, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "to", Create: true}}); err != nil {
		t.Fatal(err)
	}
	a := store(t, ctx, tgt, "INBOX", messages(2500)...)
	moved, err := tgt.Move(ctx, "INBOX", a.UIDValidity, imap.UIDSet{{Start: 1, Stop: 2500}}, "to")
	if err != nil || len(moved) != 2500 || moved[1] != 1 || moved[2500] != 2500 {
		t.Errorf("%d moved, %v", len(moved), err)
	}
	less := real.Dovecot(t, real.Options{Without: []string{"UIDPLUS"}})
	tgt = dialTarget(t, ctx, less, less.FreshUser())
	_, err = tgt.Move(ctx, "INBOX", 1, imap.UIDSetNum(1), "to")
	var x *imapx.Error
	if tgt.CanMove() || !errors.As(err, &x) || x.Scope != imapx.ScopeMessage || x.Retry != imapx.RetryNever {
		t.Errorf("without UIDPLUS: %v", err)
	}
}

func TestRename(t *testing.T) {
	for name, without := range map[string][]string{"all": nil, "old": {"LIST-EXTENDED", "LIST-STATUS", "UNSELECT", "SPECIAL-USE"}} {
		t.Run(name, func(t *testing.T) {
			s := real.Dovecot(t, real.Options{Without: without})
			ctx := within(t, time.Minute)
			tgt := dialTarget(t, ctx, s, s.FreshUser())
			if _, err := tgt.Prepare(ctx, []imapx.Prepare{{Folder: "R&-D*", Create: true, Subscribe: true, Open: true}, {Folder: "R&-D*/Entw&APw-rfe", Create: true, Subscribe: true},
				{Folder: "R&-D*/quiet", Create: true}, {Folder: "R&-D*x", Create: true, Subscribe: true}}); err != nil {
				t.Fatal(err)
			}
			before := store(t, ctx, tgt, "R&-D*", messages(2)...)
			if err := tgt.Rename(ctx, "R&-D*", "new/&ZeVnLA-"); err != nil {
				t.Fatal(err)
			}
			l, err := tgt.List(ctx)
			if err != nil || !l.Complete {
				t.Fatal(l, err)
			}
			want := map[string]bool{"INBOX": false, "new/日本": true, "new/日本/Entwürfe": true, "new/日本/quiet": false, "R&D*x": true}
			for _, f := range l.Folders {
				if !f.Selectable {
					continue
				}
				if subscribed, ok := want[f.Name]; !ok || f.Subscribed != subscribed {
					t.Errorf("%s, subscribed %v", f.Name, f.Subscribed)
				}
				delete(want, f.Name)
			}
			if len(want) > 0 {
				t.Errorf("not there: %v", want)
			}
			after := store(t, ctx, tgt, "new/&ZeVnLA-", messages(1)...)
			if after.UIDValidity != before.UIDValidity || after.UIDs[0] != 3 {
				t.Errorf("stored %+v, then %+v", before, after)
			}
			for _, pair := range [][2]string{{"inbox", "x"}, {"R&-D*x", "INBOX"}, {"none", "x"}, {"R&-D*x", "new/&ZeVnLA-"}, {"", "x"}, {"a\r\nb", "x"}, {"R&-D*x", "a\r\nb"}} {
				err := tgt.Rename(ctx, pair[0], pair[1])
				var x *imapx.Error
				if !errors.As(err, &x) || x.Scope != imapx.ScopeFolder || x.Kind != imapx.KindFolder || x.Retry != imapx.RetryNever {
					t.Errorf("%q: %#v", pair, err)
				}
			}
		})
	}
}
