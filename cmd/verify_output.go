package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/sync/verify"
)

// verifyOutput renders a comparison: lines of JSON as they come, or a table at the end.
type verifyOutput struct {
	*app
	account string
	json    bool
	shown   map[verify.Word][]verify.Difference // the first of each word
}

// mostShown is how many differences of a word are listed for people; --json has them all.
const mostShown = 50

func (o *verifyOutput) difference(d verify.Difference) {
	if o.json {
		o.line(jsonDifference{"difference", now(), o.account, string(d.Word), d.Word.Explained(), d.Source, d.Target,
			d.SourceUID, d.TargetUID, d.Messages, d.Detail})
	} else if len(o.shown[d.Word]) < mostShown {
		o.shown[d.Word] = append(o.shown[d.Word], d)
	}
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// line prints a value as JSON. Standard output remembers a write that fails (output.go).
func (o *verifyOutput) line(v any) {
	text, err := json.Marshal(v)
	if err == nil {
		fmt.Fprintln(o.out, ui.EscapeJSON(string(text)))
	}
}

// report prints what was found. The lines of JSON are described in docs/verify.md.
func (o *verifyOutput) report(r verify.Report) error {
	if o.json {
		for _, f := range r.Folders {
			o.line(jsonFolderVerified{"folder-verified", now(), o.account, f.Sources, f.Target, f.Source.Messages, f.Source.Bytes,
				f.There.Messages, f.There.Bytes, told(f.Equal), f.Words, f.Unexplained()})
		}
		o.line(jsonVerifyEnded{"verify-ended", now(), o.account, r.Level.String(), r.Sample, r.State, r.Ended.Sub(r.Started).Round(time.Millisecond).Seconds(),
			int64(len(r.Folders)), r.LeftOut, r.Source.Messages, r.Source.Bytes, r.Target.Messages, r.Target.Bytes, told(r.Equal), r.Read,
			r.Words, r.Unexplained(), r.TooMany, r.Verified()})
		return nil
	}
	rows := [][]string{{"SOURCE", "MESSAGES", "TARGET", "MESSAGES", "EQUAL", "DIFFERENCES"}}
	for _, f := range r.Folders {
		rows = append(rows, []string{ui.Clean(strings.Join(f.Sources, ", ")), ui.Count(f.Source.Messages), ui.Clean(f.Target),
			ui.Count(f.There.Messages), known(f.Equal, ui.Count), wordsText(f.Words, "-")})
	}
	text := columns(rows, []bool{false, true, false, true, true, false})
	for _, w := range verify.Words() {
		text += o.listed(w, r.Words[w])
	}
	_, err := io.WriteString(o.out, text+verifySum(r))
	return err
}

// listed are the differences of one word.
func (o *verifyOutput) listed(w verify.Word, all int64) string {
	var b strings.Builder
	told := int64(0)
	for _, d := range o.shown[w] {
		line := ui.Clean(differenceText(d)) + "\n"
		if o.screen { // elsewhere a line each, for grep
			line = hanging("", line, max(o.width, 40))
		}
		b.WriteString(line)
		told += max(d.Messages, 1)
	}
	if more := all - told; more > 0 {
		fmt.Fprintf(&b, "%s: %s more; --json lists them\n", w, ui.Count(more))
	}
	return b.String()
}

// differenceText is one line: the word, where, which message, and what is known.
func differenceText(d verify.Difference) string {
	var b strings.Builder
	b.WriteString(string(d.Word) + ": ")
	switch {
	case d.Source == "" || d.Source == d.Target:
		b.WriteString(d.Target)
	default:
		b.WriteString(d.Source + " -> " + d.Target)
	}
	var uids []string
	if d.SourceUID != 0 {
		uids = append(uids, fmt.Sprintf("uid %d on the source", d.SourceUID))
	}
	if d.TargetUID != 0 {
		uids = append(uids, fmt.Sprintf("uid %d on the target", d.TargetUID))
	}
	if len(uids) > 0 {
		b.WriteString(", " + strings.Join(uids, ", "))
	} else if d.Messages > 0 {
		b.WriteString(", " + countText(d.Messages, "message", "messages"))
	}
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	return b.String()
}

// wordsText counts by word, none where there is nothing.
func wordsText(words map[verify.Word]int64, none string) string {
	var parts []string
	for _, w := range verify.Words() {
		if n := words[w]; n > 0 {
			parts = append(parts, ui.Count(n)+" "+string(w))
		}
	}
	if len(parts) == 0 {
		return none
	}
	return strings.Join(parts, ", ")
}

// verifySum is the last line.
func verifySum(r verify.Report) string {
	said := fmt.Sprintf("%s messages on the source, %s on the target", ui.Count(r.Source.Messages), ui.Count(r.Target.Messages))
	if r.Equal >= 0 {
		said = fmt.Sprintf("%s of %s messages equal (%s)", ui.Count(r.Equal), ui.Count(r.Source.Messages), r.Level)
	}
	if r.Level == verify.Content && r.Sample < 1 {
		said = fmt.Sprintf("%s of %s messages equal (identity, and %s of them by content)", ui.Count(r.Equal), ui.Count(r.Source.Messages),
			percentText(r.Sample))
	}
	said += "; " + wordsText(r.Words, "no differences")
	if r.LeftOut > 0 {
		said += "; " + countText(r.LeftOut, "source folder left out", "source folders left out")
	}
	if len(r.Words) > 0 && r.Verified() {
		said += "; all explained"
	}
	return said + "\n"
}

// columns lines up rows, the first of which names them. What is wider than maxAligned shifts its own line only.
func columns(rows [][]string, right []bool) string {
	widths := make([]int, len(right))
	for _, row := range rows {
		for i, cell := range row {
			if n := ui.Width(cell); n <= maxAligned {
				widths[i] = max(widths[i], n)
			}
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, widths[i]-ui.Width(cell)))
			switch {
			case right[i]:
				b.WriteString(pad + cell + "  ")
			case i == len(row)-1:
				b.WriteString(cell + "\n")
			default:
				b.WriteString(cell + pad + "  ")
			}
		}
	}
	return b.String()
}

// held holds a side against a receipt, and gives how many folders differ.
func (o *verifyOutput) held(ctx context.Context, connect func(context.Context) (verify.Side, error), c *verify.Receipt, against string) (differ int64, err error) {
	rows := [][]string{{"FOLDER", "THEN", "NOW", "NEW SINCE", "DIFFERENCE"}}
	folders := int64(0)
	err = verify.Against(ctx, connect, c, against == "source", func(h verify.Held) {
		folders++
		if h.Why != "" {
			differ++
		}
		if o.json {
			o.line(jsonFolderHeld{"folder-held", now(), c.Account, h.Folder, h.Was.Messages, h.Was.Bytes, h.Is.Messages, h.Is.Bytes, h.Arrived, h.Why})
			return
		}
		rows = append(rows, []string{ui.Clean(h.Folder), ui.Count(h.Was.Messages), ui.Count(h.Is.Messages), ui.Count(h.Arrived),
			orElse(ui.Clean(h.Why), "-")})
	})
	if err != nil {
		return differ, err
	}
	if o.json {
		o.line(jsonReceiptHeld{"receipt-held", now(), c.Account, against, c.Level, c.Sample, c.Time.Format(time.RFC3339), folders, differ})
		return differ, nil
	}
	said := "all as it was"
	if differ > 0 {
		said = countText(differ, "differs", "differ")
	}
	_, err = fmt.Fprintf(o.out, "%s%s of the %s as of %s (%s): %s\n", columns(rows, []bool{false, true, true, true, false}),
		countText(folders, "folder", "folders"), against, stamp(c.Time), c.Level, said)
	return differ, err
}
