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
	digits   int  // of the number of messages that the bar was made for
	paced    bool // there is room for pace and time left
	redrawn  time.Time
}

func newTerminal(o Options) *terminal {
	return &terminal{out: o.Out, err: o.Err, now: o.Now, width: o.Width, problems: problems{out: o.Err, colour: o.Colour}}
}

func (t *terminal) Event(e mailsync.Event) {
	t.tally.take(e, t.now())
	switch e := e.(type) {
	case mailsync.PassStarted:
		t.label = "looking at both mailboxes"
		fmt.Fprint(t.err, clearLine, Short(t.label, t.width-1))
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
		fmt.Fprint(t.out, wrapped(e.Account, reportParts(e.Report, e.Err), t.width))
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
	// The library's count is as wide as the numbers in it, so more digits need another bar.
	if digits := len(fmt.Sprint(t.tally.expected)); t.bar == nil || digits != t.digits {
		t.erase()
		t.digits, t.label, t.bar = digits, "", t.newBar(digits)
	}
	if t.bar.GetMax64() != t.tally.expected {
		t.bar.ChangeMax64(t.tally.expected)
	}
	if label := t.describe(now); label != t.label {
		t.label = label
		t.bar.Describe(label)
	}
	// An error here is one of writing to the terminal, and there is nowhere to tell it.
	_ = t.bar.Set64(t.tally.copied)
}

// Columns of the line: " 100% |", the bar, "| (", count "/" count, ")  ", the folder, pace and time left. It never
// fills the last column, where some terminals wrap.
const (
	paceWidth   = 24 // "1234/s, 59 min 59 s left"
	paceFrom    = 60 // columns: below, there is no room for pace and time left
	frameWidth  = len(" 100% || (/)  ")
	smallestBar = 4
)

func (t *terminal) folderWidth() int {
	if t.width < 45 {
		return 0
	}
	return t.width / 5
}

// describe is what stands behind the bar.
func (t *terminal) describe(now time.Time) string {
	label := Short(Clean(t.tally.folder), t.folderWidth())
	pace := t.tally.pace(now)
	if !t.paced || pace == "" {
		return label
	}
	return label + " " + Short(pace+", "+t.tally.left(now), paceWidth)
}

func (t *terminal) newBar(digits int) *progressbar.ProgressBar {
	used := t.folderWidth() + frameWidth + 2*digits + 1
	if t.paced = t.width >= max(paceFrom, used+1+paceWidth+smallestBar); t.paced {
		used += 1 + paceWidth
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(t.err),
		progressbar.OptionSetWidth(max(smallestBar, t.width-used)),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionSetRenderBlankState(false),
	}
	if t.width-used >= smallestBar {
		options = append(options, progressbar.OptionShowCount())
	}
	return progressbar.NewOptions64(t.tally.expected, options...)
}

func (t *terminal) erase() { fmt.Fprint(t.err, clearLine) }

func (t *terminal) Close() {
	if t.bar != nil {
		t.erase()
		t.bar = nil
	}
}
