package imapx_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/provider"
)

const providerFolder = "testdata/provider"

// session is a transcript of one provider: which row it is, the folders that are no mail, those that are views of others,
// what tells messages apart, and what "not now" comes to.
func session(t *testing.T, key string) (path string, want map[string]string) {
	t.Helper()
	path = filepath.Join(providerFolder, key, "session.imap")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want = make(map[string]string)
	for line := range strings.Lines(string(b)) {
		if k, v, is := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "# ")), ": "); is && strings.HasPrefix(line, "# ") {
			want[k] = v
		}
	}
	return path, want
}

// TestProviders plays a session of each row of the table: it is recognised, and treated as the row says.
func TestProviders(t *testing.T) {
	for _, row := range provider.Rows() {
		t.Run(row.Key, func(t *testing.T) {
			path, want := session(t, row.Key)
			s := imaptest.PlayFile(t, path, imaptest.ScriptOptions{})
			e := endpoint(t, s.Addr(), "u")
			e.Address = net.JoinHostPort("127.0.0.1", strings.TrimPrefix(s.Addr(), "127.0.0.1:"))
			e.Host = want["host"]
			ctx := within(t, 20*time.Second)
			src, err := imapx.DialSource(ctx, e, imapx.Options{Trace: traceTo(t), Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			l, err := src.List(ctx)
			if err != nil || !l.Complete {
				t.Fatalf("list: %+v, %v", l, err)
			}
			got := map[string]string{"host": want["host"], "row": src.Provider().Key}
			got["no mail"], got["views"] = left(l)
			var m imapx.Message
			_, err = src.Visit(ctx, imapx.Visit{Folder: "INBOX", Reads: []imapx.Read{{UIDs: imap.UIDSetNum(1), Want: imapx.WantIdentity | imapx.WantLabels | imapx.WantGmailID}}},
				imapx.VisitHandler{Message: func(_ int, one imapx.Message) error { m = one; return nil }})
			if err != nil {
				t.Fatal(err)
			}
			got["identity"] = identity(m)
			_, err = src.Visit(ctx, imapx.Visit{Folder: "Busy", Reads: []imapx.Read{{UIDs: imap.UIDSetNum(1)}}}, imapx.VisitHandler{})
			got["pause"] = pauseOf(err)
			for k, v := range got {
				if want[k] != v {
					t.Errorf("%s: %q, want %q (%v)", k, v, want[k], err)
				}
			}
		})
	}
	if dirs, err := os.ReadDir(providerFolder); err != nil || len(dirs) != len(provider.Rows()) {
		t.Errorf("%d folders of transcripts for %d rows, %v", len(dirs), len(provider.Rows()), err)
	}
}

// left are the folders that hold no mail, and, where folders are labels, those that show what others have.
func left(l imapx.Listing) (noMail, views string) {
	var out, view []string
	for _, f := range l.Folders {
		if f.NotMail != "" {
			out = append(out, f.Name)
		}
		if l.Labels && slices.Contains([]imap.MailboxAttr{imap.MailboxAttrAll, imap.MailboxAttrImportant, imap.MailboxAttrFlagged}, f.SpecialUse) {
			view = append(view, f.Name)
		}
	}
	list := func(names []string) string {
		if len(names) == 0 {
			return "-"
		}
		return strings.Join(names, ", ")
	}
	return list(out), list(view)
}

func identity(m imapx.Message) string {
	switch {
	case m.GmailID == 1278455344230334865 && slices.Equal(m.Labels, []string{`\Inbox`, `\Important`, "Muy Importante", "work"}):
		return "X-GM-MSGID and X-GM-LABELS"
	case strings.Contains(string(m.Header), "<1@a.example>"):
		return "header fields"
	}
	return "nothing"
}

// pauseOf words when the same may be tried again.
func pauseOf(err error) string {
	var x *imapx.Error
	switch {
	case !errors.As(err, &x):
		return "no error"
	case x.Retry == imapx.RetryLater && x.Scope == imapx.ScopeAccount && x.Kind == imapx.KindUnavailable:
		if x.Delay > 0 {
			return x.Delay.String()
		}
		return "growing"
	case x.Retry == imapx.RetryReconnect && x.Kind == imapx.KindLost:
		return "reconnect"
	}
	return "never"
}
