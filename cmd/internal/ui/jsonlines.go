package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	mailsync "mailmove/sync"
)

// head opens every JSON line.
type head struct {
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Account string    `json:"account"`
}

type jsonPassStarted struct {
	head
	Pass   int64 `json:"pass"`
	First  bool  `json:"first"`
	DryRun bool  `json:"dry_run"`
}

type jsonFolderPlanned struct {
	head
	Source   string `json:"source"`
	Target   string `json:"target"`
	Create   bool   `json:"create"`
	Messages int64  `json:"messages"`
	Copy     int64  `json:"copy"`
	Opened   bool   `json:"opened"`
	Why      string `json:"why"`
	Trouble  string `json:"trouble"`
}

type jsonMessageCopied struct {
	head
	Folder string `json:"folder"`
	Bytes  int64  `json:"bytes"`
}

type jsonMessagesDeferred struct {
	head
	Folder   string `json:"folder"`
	Messages int64  `json:"messages"`
}

type jsonFolderDone struct {
	head
	Folder string `json:"folder"`
	Copied int64  `json:"copied"`
	Flags  int64  `json:"flags"`
}

type jsonMessagesDeleted struct {
	head
	Folder   string `json:"folder"`
	Target   string `json:"target"`
	Trash    string `json:"trash"`
	Messages int64  `json:"messages"`
}

type jsonException struct {
	head
	Folder string `json:"folder"`
	UID    uint32 `json:"uid"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	New    bool   `json:"new"`
}

type jsonThrottled struct {
	head
	Side    string  `json:"side"`
	Seconds float64 `json:"seconds"`
	Why     string  `json:"why"`
}

type jsonNotice struct {
	head
	Text string `json:"text"`
	Rule string `json:"rule"`
}

type jsonPassEnded struct {
	head
	Pass           int64   `json:"pass"`
	Seconds        float64 `json:"seconds"`
	Folders        int64   `json:"folders"`
	FoldersOpened  int64   `json:"folders_opened"`
	FoldersCreated int64   `json:"folders_created"`
	FoldersLeftOut int64   `json:"folders_left_out"`
	SourceMessages int64   `json:"source_messages"`
	ToCopy         int64   `json:"to_copy"`
	ToCopyBytes    int64   `json:"to_copy_bytes"`
	Copied         int64   `json:"copied"`
	CopiedBytes    int64   `json:"copied_bytes"`
	Matched        int64   `json:"matched"`
	Flags          int64   `json:"flags"`
	Followed       int64   `json:"followed"`
	Deleted        int64   `json:"deleted"`
	Moved          int64   `json:"moved"`
	Gone           int64   `json:"gone"`
	Recovered      int64   `json:"recovered"`
	Doubles        int64   `json:"doubles"`
	Deferred       int64   `json:"deferred"`
	Exceptions     int64   `json:"exceptions"`
	NewExceptions  int64   `json:"new_exceptions"`
	Accepted       int64   `json:"accepted"`
	Interrupted    bool    `json:"interrupted"`
	DryRun         bool    `json:"dry_run"`
	Error          string  `json:"error"`
}

// jsonLines prints one object a line, each written at once.
type jsonLines struct {
	out io.Writer
	now func() time.Time
}

func (j *jsonLines) Event(e mailsync.Event) {
	line, err := json.Marshal(j.object(e))
	if err != nil {
		// The objects above hold strings, numbers and times of this century; nothing else can be refused.
		line = []byte(fmt.Sprintf(`{"type":"notice","text":%q}`, err.Error()))
	}
	fmt.Fprintln(j.out, EscapeJSON(string(line)))
}

func (*jsonLines) Close() {}

func (j *jsonLines) object(e mailsync.Event) any {
	h := func(kind, account string) head { return head{kind, j.now().UTC(), account} }
	switch e := e.(type) {
	case mailsync.PassStarted:
		return jsonPassStarted{h("pass-started", e.Account), e.Pass, e.First, e.DryRun}
	case mailsync.FolderPlanned:
		return jsonFolderPlanned{h("folder-planned", e.Account), e.Source, e.Target, e.Create, e.Messages, e.Copy, e.Opened, e.Why, e.Trouble}
	case mailsync.MessageCopied:
		return jsonMessageCopied{h("message-copied", e.Account), e.Folder, e.Bytes}
	case mailsync.MessagesDeferred:
		return jsonMessagesDeferred{h("messages-deferred", e.Account), e.Folder, e.Messages}
	case mailsync.FolderDone:
		return jsonFolderDone{h("folder-done", e.Account), e.Folder, e.Copied, e.Flags}
	case mailsync.MessagesDeleted:
		return jsonMessagesDeleted{h("messages-deleted", e.Account), e.Folder, e.Target, e.Trash, e.Messages}
	case mailsync.Exception:
		return jsonException{h("exception", e.Account), e.Folder, e.UID, e.Reason, e.Detail, e.New}
	case mailsync.Throttled:
		return jsonThrottled{h("throttled", e.Account), e.Side, e.Delay.Seconds(), e.Why}
	case mailsync.Notice:
		return jsonNotice{h("notice", e.Account), e.Text, e.Rule}
	case mailsync.PassEnded:
		return passEnded(h("pass-ended", e.Account), e)
	}
	return jsonNotice{h("notice", ""), fmt.Sprintf("an event of type %T", e), ""}
}

func passEnded(h head, e mailsync.PassEnded) jsonPassEnded {
	r := e.Report
	o := jsonPassEnded{
		head: h, Pass: r.Pass, Seconds: r.Ended.Sub(r.Started).Seconds(),
		Folders: r.Folders, FoldersOpened: r.FoldersOpened, FoldersCreated: r.FoldersCreated, FoldersLeftOut: r.FoldersLeftOut,
		SourceMessages: r.SourceMessages, ToCopy: r.ToCopy, ToCopyBytes: r.ToCopyBytes, Copied: r.Copied, CopiedBytes: r.CopiedBytes, Matched: r.Matched,
		Flags: r.Flags, Followed: r.Followed, Deleted: r.Deleted, Moved: r.Moved, Gone: r.Gone, Recovered: r.Recovered, Doubles: r.Doubles, Deferred: r.Deferred,
		Exceptions: r.Exceptions, NewExceptions: r.NewExceptions, Accepted: r.Accepted, Interrupted: r.Interrupted, DryRun: r.DryRun,
	}
	if e.Err != nil {
		o.Error = e.Err.Error()
	}
	return o
}

// EscapeJSON writes characters that a terminal would act on, or not show, as JSON escapes: the value stays
// exact for a program. In a JSON text they stand in strings only.
func EscapeJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case isVisible(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
