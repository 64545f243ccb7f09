package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	mailsync "mailmove/sync"
)

// clearLine goes to the first column and empties the line.
const clearLine = "\r\x1b[K"

// terminal shows one bar over all messages that a pass is expected to copy.
type terminal struct {
	out      io.Writer
	err      io.Writer
	now      func() time.Time
	width    int
	bar      *progressbar.ProgressBar
	problems problems
	tally    tally
	label    string
	redrawn  time.Time
}

func newTerminal(o Options) *terminal {
	return &terminal{out: o.Out, err: o.Err, now: o.Now, width: o.Width, problems: problems{out: o.Err}}
}

func (t *terminal) Event(e mailsync.Event) {
	t.tally.take(e, t.now())
	switch e := e.(type) {
	case mailsync.PassStarted:
		t.label = "looking at both mailboxes"
		fmt.Fprint(t.err, clearLine, t.label)
	case mailsync.FolderPlanned, mailsync.MessageCopied:
		t.draw()
	case mailsync.Exception, mailsync.Throttled, mailsync.Notice:
		if problemLine(e) != "" {
			t.erase()
			t.problems.take(e)
			t.redrawn = time.Time{}
			t.draw()
		}
	case mailsync.PassEnded:
		t.erase()
		t.bar = nil
		t.problems.end()
		if nothingToTell(e) {
			return
		}
		fmt.Fprint(t.out, wrapped(e.Account, reportParts(e.Report, t.tally.expected, e.Err), t.width))
	}
}

// draw updates the bar, at most ten times a second: a fast pass copies thousands of messages in one.
func (t *terminal) draw() {
	now := t.now()
	// A full bar ends itself, and more folders may still be planned: the last step is the summary's.
	if t.tally.copied >= t.tally.expected || now.Sub(t.redrawn) < 100*time.Millisecond {
		return
	}
	t.redrawn = now
	if t.bar == nil {
		t.erase()
		t.bar = t.newBar()
	}
	t.bar.ChangeMax64(t.tally.expected)
	label := Short(Clean(t.tally.folder), max(8, t.width/4))
	if label != t.label {
		t.label = label
		t.bar.Describe(label)
	}
	// An error here is one of writing to the terminal, and there is nowhere to tell it.
	_ = t.bar.Set64(t.tally.copied)
}

func (t *terminal) newBar() *progressbar.ProgressBar {
	return progressbar.NewOptions64(t.tally.expected,
		progressbar.OptionSetWriter(t.err),
		progressbar.OptionSetWidth(max(10, t.width/4)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("msg"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionSetRenderBlankState(false),
	)
}

func (t *terminal) erase() { fmt.Fprint(t.err, clearLine) }

func (t *terminal) Close() {
	if t.bar != nil {
		t.erase()
		t.bar = nil
	}
}
