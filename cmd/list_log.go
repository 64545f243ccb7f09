package cmd

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"mailmove/state"
	mailsync "mailmove/sync"
)

// logFormat is how a log's lines are written: slog's text unless something was given.
type logFormat string

func (f *logFormat) Set(text string) error {
	if text != "text" && text != "json" {
		return errors.New("write text or json")
	}
	*f = logFormat(text)
	return nil
}

func (f *logFormat) String() string { return string(*f) }
func (*logFormat) Type() string     { return "FORMAT" }

// handler writes a record a line.
func (f logFormat) handler(w io.Writer) slog.Handler {
	if f == "json" {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: jsonAttr})
	}
	return slog.NewTextHandler(w, nil)
}

// jsonAttr writes a duration as seconds, as the events of --json have it: slog's own is nanoseconds without a unit.
func jsonAttr(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	}
	return a
}

// accountLog is the log of one account, lines that are added to what is there.
type accountLog struct {
	logger *slog.Logger // discards where no log is wanted
	file   *os.File     // nil: none
}

// openLog opens it, readable by its owner only: it names folders.
func (r *listRun) openLog(e *entry) (*accountLog, error) {
	if r.f.list.logDir == "" {
		return &accountLog{logger: slog.New(slog.DiscardHandler)}, nil
	}
	name := strings.TrimSuffix(state.FileName(e.account), ".db") + ".log"
	file, err := os.OpenFile(filepath.Join(r.f.list.logDir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, noInput("--log-dir", err)
	}
	return &accountLog{slog.New(r.f.list.logFormat.handler(file)).With("account", e.account), file}, nil
}

func (l *accountLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// event logs what happened. Single messages are in the state.
func (l *accountLog) event(e mailsync.Event) {
	switch e := e.(type) {
	case mailsync.PassStarted:
		l.logger.Info("pass started", "pass", e.Pass, "first", e.First, "dry_run", e.DryRun)
	case mailsync.FolderPlanned:
		if e.Opened {
			l.logger.Info("folder planned", "folder", e.Source, "target", e.Target, "messages", e.Messages, "copy", e.Copy)
		}
	case mailsync.MessagesDeferred:
		l.logger.Info("messages deferred", "folder", e.Folder, "messages", e.Messages)
	case mailsync.MessagesDeleted:
		l.logger.Info("messages deleted", "folder", e.Folder, "target", e.Target, "trash", e.Trash, "messages", e.Messages)
	case mailsync.FolderDone:
		l.logger.Info("folder done", "folder", e.Folder, "copied", e.Copied, "flags", e.Flags)
	case mailsync.Exception:
		l.logger.Warn("exception", "folder", e.Folder, "uid", e.UID, "reason", e.Reason, "detail", e.Detail, "new", e.New)
	case mailsync.Throttled:
		why := e.Why
		if e.Err != nil {
			why = errorWords(e.Err)
		}
		l.logger.Warn("pause", "side", e.Side, "delay", e.Delay, "why", why)
	case mailsync.Notice:
		l.logger.Info("notice", "text", e.Text)
	case mailsync.PassEnded:
		r := e.Report
		l.logger.Info("pass ended", "pass", r.Pass, "copied", r.Copied, "bytes", r.CopiedBytes, "flags", r.Flags, "deleted", r.Deleted,
			"exceptions", r.Exceptions, "new_exceptions", r.NewExceptions, "interrupted", r.Interrupted)
	}
}

// end logs how it ended, where it failed.
func (l *accountLog) end(err error) {
	if err != nil && !errors.Is(err, mailsync.ErrInterrupted) {
		l.logger.Error("failed", "error", errorWords(err), "exit_code", exitCode(err))
	}
}
