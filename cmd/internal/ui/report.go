package ui

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	mailsync "mailmove/sync"
)

// maxProblems bounds the lines about exceptions in one pass. All are in the state, and in the JSON lines.
const maxProblems = 100

// problems prints exceptions, pauses and notices, one line each.
type problems struct {
	out     io.Writer
	colour  bool
	printed int
	left    int
}

// line gives the text of an event that is a problem, "" for all others. Known exceptions are only counted.
func problemLine(e mailsync.Event) string {
	switch e := e.(type) {
	case mailsync.Exception:
		if !e.New {
			return ""
		}
		text := "exception: "
		if e.Folder != "" { // else it is the account's
			text += Clean(e.Folder)
			if e.UID != 0 {
				text += " uid " + strconv.FormatUint(uint64(e.UID), 10)
			}
			text += ": "
		}
		text += Clean(e.Reason)
		if e.Detail != "" {
			text += " (" + Clean(e.Detail) + ")"
		}
		return text
	case mailsync.Throttled:
		return throttled(e)
	case mailsync.Notice:
		return NoticeLine(e)
	}
	return ""
}

// NoticeLine is the line of a notice. A rule that matches nothing is a warning.
func NoticeLine(n mailsync.Notice) string {
	if n.Rule != "" {
		return "warning: " + Clean(n.Text)
	}
	return Clean(n.Text)
}

// throttled says who wants a pause, why, and when it goes on. What the server said names the side already.
func throttled(e mailsync.Throttled) string {
	text := Clean(e.Why)
	if !strings.Contains(text, e.Side+" ") {
		text = Clean(e.Side) + ": " + text
	}
	if e.Delay < time.Second {
		return text + "; trying again at once"
	}
	return text + "; trying again in " + pause(e.Delay)
}

// take prints the event if it is a problem.
func (p *problems) take(e mailsync.Event) {
	text := problemLine(e)
	if text == "" {
		return
	}
	if _, is := e.(mailsync.Exception); is {
		if p.printed == maxProblems {
			p.left++
			return
		}
		p.printed++
	}
	n, notice := e.(mailsync.Notice)
	fmt.Fprintln(p.out, Paint(Yellow, text, p.colour && (!notice || n.Rule != "")))
}

// end says how many lines were left out.
func (p *problems) end() {
	if p.left > 0 {
		fmt.Fprintf(p.out, "and %s; mailmove exceptions list shows them all\n", Plural(int64(p.left), "more exception"))
		p.left = 0
	}
}

// summary is the one line about a pass.
func summary(account string, r mailsync.Report, err error) string {
	return Clean(account) + ": " + strings.Join(reportParts(r, err), ", ")
}

// nothingToTell reports a pass that failed before it saw any mail: its error line says all there is to say.
func nothingToTell(e mailsync.PassEnded) bool {
	return e.Err != nil && e.Report.SourceMessages == 0 && e.Report.Copied == 0 && e.Report.Recovered == 0
}

// reportParts are the words of a summary.
func reportParts(r mailsync.Report, err error) []string {
	copied := fmt.Sprintf("%s copied of %s (%s)", Count(r.Copied), messages(r.SourceMessages), Bytes(r.CopiedBytes))
	folder, folders := "folder made", "folders made"
	deleted := "deleted as on the source"
	if r.DryRun { // the same words for what is still to be done
		copied = fmt.Sprintf("would copy %s of %s (%s)", Count(r.ToCopy), messages(r.SourceMessages), Bytes(r.ToCopyBytes))
		folder, folders = "folder to make", "folders to make"
		deleted = "to delete as on the source"
	}
	parts := []string{copied}
	for _, p := range []struct {
		n         int64
		one, many string
	}{
		{r.Matched, "already there", "already there"},
		{r.Flags, "with changed flags", "with changed flags"},
		{r.FoldersCreated, folder, folders},
		{r.FoldersLeftOut, "folder left out", "folders left out"},
		{r.Followed, "moved as on the source", "moved as on the source"},
		{r.Deleted, deleted, deleted},
		{r.Moved, "found moved by its user", "found moved by their user"},
		{r.Gone, "gone on the target", "gone on the target"},
		{r.Recovered, "recovered", "recovered"},
		{r.Doubles, "late double removed", "late doubles removed"},
		{r.Deferred, "deferred", "deferred"},
	} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.one)
		case p.n > 1:
			parts = append(parts, Count(p.n)+" "+p.many)
		}
	}
	if r.Exceptions > 0 {
		how := Count(r.NewExceptions) + " new"
		if r.Accepted > 0 {
			how += ", " + Count(r.Accepted) + " accepted"
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", Plural(r.Exceptions, "exception"), how))
	}
	parts = append(parts, elapsed(r.Ended.Sub(r.Started)))
	switch {
	case r.Interrupted:
		parts = append(parts, "stopped before the end")
	case err != nil:
		parts = append(parts, "failed before the end")
	case r.DryRun:
		parts = append(parts, "nothing written")
	}
	return parts
}

// wrapped puts the parts of a summary on lines of at most width columns.
func wrapped(account string, parts []string, width int) string {
	var b strings.Builder
	line := Short(Clean(account), width-1) + ":"
	for i, p := range parts {
		if i < len(parts)-1 {
			p += ","
		}
		if Width(line)+1+Width(p) > width {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + p
	}
	b.WriteString(line + "\n")
	return b.String()
}

func messages(n int64) string { return Plural(n, "message") }

// Plural counts things whose name takes an s.
func Plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Count(n) + " " + thing + "s"
}

// Count writes 1234567 as 1,234,567.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes sizes in powers of 1000, as mail hosters do.
func Bytes(n int64) string {
	units := []string{"kB", "MB", "GB", "TB"}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.95 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[unit]
}

// pause writes a time that is still to come, where parts of a second say nothing.
func pause(d time.Duration) string {
	if d = d.Round(time.Second); d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return elapsed(d)
}

// Elapsed writes how long something took.
func Elapsed(d time.Duration) string { return elapsed(d) }

func elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0 s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
