package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
	"mailmove/state/fleet"
	mailsync "mailmove/sync"
)

// What became of an account in a run over a list.
const (
	wordDone       = "done"
	wordExceptions = "exceptions" // done, with new ones
	wordFailed     = "failed"
	wordBusy       = "busy"    // another process is working on it
	wordStopped    = "stopped" // begun, and settled before its end
	wordWaiting    = "waiting" // not begun
	wordInvalid    = "invalid"
)

// outcome is what became of an account in this run. Its zero value: it was not chosen.
type outcome struct {
	word       string
	code       int
	text, next string // the error, and what to do about it
	err        error
	isNew      bool  // nobody was told of it before
	copied     int64 // of a dry run: that would be
	bytes      int64
	exceptions int64 // that are open, and nobody agreed to
	took       time.Duration
	final      bool // a final pass is behind the account
	looked     bool // its state was asked for that
}

// staleAfter is how long a process may work on an account without any progress before it is told.
const staleAfter = time.Hour

// remindAfter is how long a failure that was told is kept to itself by --quiet: a day, less what the account's turn in a nightly
// run may come earlier than in the one before. Of a whole day every other night would say nothing.
const remindAfter = 22 * time.Hour

// errTimeUp and errSlice are why a pass of a list is settled, beside a signal.
var (
	errTimeUp = errors.New("the time is up")
	errSlice  = errors.New("others are waiting")
)

// ended judges how a pass over an account went.
func (r *listRun) ended(e *entry, report mailsync.Report, err error) {
	o := &e.outcome
	o.err = nil // of an earlier turn
	o.copied += report.Copied + report.ToCopy
	o.bytes += report.CopiedBytes + report.ToCopyBytes
	o.exceptions = report.Exceptions - report.Accepted
	if !errors.Is(err, mailsync.ErrInterrupted) {
		o.text, o.next = "", ""
	}
	var busy *state.BusyError
	switch {
	case errors.Is(err, mailsync.ErrInterrupted) && o.word == wordStopped && o.text != "": // the day's volume, said already
	case errors.Is(err, mailsync.ErrInterrupted):
		o.word, o.code, o.next = wordStopped, r.stopCode(), "run it again: it goes on where it was"
	case errors.As(err, &busy):
		r.wasBusy(o, busy)
	case err == nil && report.NewExceptions > 0:
		o.word, o.code, o.next, o.isNew = wordExceptions, exitExceptions, "mailmove exceptions list --id "+e.account, true
	case err == nil && r.f.strict && o.exceptions > 0:
		err = strictError(e.account, report)
		o.word, o.code = wordExceptions, exitExceptions
		o.text, o.next = describe(err)
	case err == nil:
		o.word, o.code, o.text, o.next = wordDone, exitDone, "", ""
	default:
		o.word, o.code, o.err = wordFailed, exitCode(err), err
		o.text, o.next = describe(err)
	}
	if o.code != exitDone && o.next == "" {
		o.next = nextOf(o.code)
	}
}

// stopCode is the code of what was stopped: the signal's, or that of a run whose time was up.
func (r *listRun) stopCode() int {
	if err := r.a.stops.interrupted(false, ""); err != nil {
		return exitCode(err)
	}
	return exitLater
}

// wasBusy: the other process does this account's work, unless it hangs.
func (r *listRun) wasBusy(o *outcome, busy *state.BusyError) {
	o.word, o.code, o.text, o.next = wordBusy, exitDone, busyText(busy), ""
	if since := lastProgress(busy); !since.IsZero() && time.Since(since) > staleAfter {
		o.code, o.err = exitBusy, busy
		o.text = fmt.Sprintf("%s, without progress since %s", o.text, stamp(since))
		o.next = "see what that process waits for, or end it: the next pass goes on where it was"
	}
}

// lastProgress is when the holder of an account last wrote to its state; zero where that cannot be known.
func lastProgress(busy *state.BusyError) (last time.Time) {
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(busy.Path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return time.Time{}
		}
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if busy.Since.After(last) {
		return busy.Since
	}
	return last
}

// nextOf is what to do about an exit code.
func nextOf(code int) string {
	for _, row := range exitTable() {
		if row.Code == code {
			return row.Next
		}
	}
	return ""
}

// seenSince reads again what is kept of an account: since the run began another one, or a pass over this account alone, may have
// made a final pass, or told a failure.
func (r *listRun) seenSince(ctx context.Context, e *entry) {
	if r.fleet == nil || r.f.dryRun || time.Now().Before(r.saveAfter) {
		return
	}
	o, known, err := r.fleet.Outcome(context.WithoutCancel(ctx), e.account)
	switch {
	case err != nil: // saving says so
		r.saveAfter = time.Now().Add(saveAgain)
	case known:
		r.before[e.account] = o
	}
}

// remember makes what the fleet keeps of an outcome, and finds out whether it is news.
func (r *listRun) remember(e *entry, now time.Time) fleet.Outcome {
	o, before := &e.outcome, r.before[e.account]
	kept := fleet.Outcome{Account: e.account, Word: o.word, Code: o.code, Text: o.text, Since: now, Last: now,
		Good: before.Good, Told: before.Told, Mail: before.Mail, Final: o.final || before.Final && !o.looked && !r.f.cutover.reopen, Exceptions: o.exceptions}
	if o.word == wordDone || o.word == wordExceptions {
		kept.Good = now
	}
	if o.copied > 0 {
		kept.Mail = now
	}
	same := before.Account != "" && before.Code == o.code && before.Word == o.word
	if same {
		kept.Since = before.Since
	}
	if o.code != exitDone && o.word != wordExceptions {
		o.isNew = !same || now.Sub(before.Told) > remindAfter || before.Told.After(now)
	}
	if o.isNew {
		kept.Told = now
	}
	if o.word == wordStopped && before.Word == wordFailed {
		// Whether it is mended nobody knows: --only failed goes on with it.
		kept.Word, kept.Code, kept.Text, kept.Since, kept.Told = before.Word, before.Code, before.Text, before.Since, before.Told
	}
	return kept
}

// note brings up to date what runs over a list know of an account, after a pass over it alone. Of an account that is in no
// list nothing is kept.
func (p *pass) note(ctx context.Context, a *app, f *fleet.Fleet, report mailsync.Report, err error) error {
	if f == nil || p.dryRun {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	before, known, lost := f.Outcome(ctx, p.account)
	if !known || lost != nil {
		return lost
	}
	r := &listRun{a: a, f: &syncFlags{strict: p.strict, cutover: p.cutover}, before: map[string]fleet.Outcome{p.account: before}}
	e := &entry{account: p.account}
	r.ended(e, report, err)
	kept := r.remember(e, time.Now())
	kept.Told = kept.Last // on the spot
	return f.Record(ctx, kept)
}

// counts tells whether an outcome decides about the exit code: with --quiet, only what is new.
func (r *listRun) counts(o outcome) bool {
	return o.code != exitDone && (!r.f.quiet || o.isNew || o.word == wordStopped || o.word == wordWaiting)
}

// gravest gives the exit code of a list: of its accounts' the one that stands first in exitOrder.
func gravest(codes []int) int {
	order := exitOrder()
	place := func(code int) int {
		if i := slices.Index(order, code); i >= 0 {
			return i
		}
		return 0 // a code without a place is a fault, and no fault may pass for less
	}
	worst := exitDone
	for _, code := range codes {
		if place(code) < place(worst) {
			worst = code
		}
	}
	return worst
}

// accountLine is the error of an account as a line.
func (r *listRun) tellFailure(e *entry) {
	if e.outcome.err == nil || r.f.quiet && !e.outcome.isNew {
		return
	}
	r.show.Above(func() { r.a.tellError(&accountFailed{e.account, e.outcome}) })
}

// accountFailed words the failure of one account among many.
type accountFailed struct {
	account string
	outcome
}

func (f *accountFailed) Error() string { return f.account + ": " + f.text }
func (f *accountFailed) Hint() string  { return f.next }

// sumOf counts the outcomes of entries, worst first.
func sumOf(entries []*entry) (words []string) {
	counts := make(map[string]int64)
	for _, e := range entries {
		counts[e.outcome.word]++
	}
	for _, word := range []string{wordFailed, wordInvalid, wordExceptions, wordStopped, wordWaiting, wordBusy, wordDone} {
		if n := counts[word]; n > 0 {
			words = append(words, ui.Count(n)+" "+word)
		}
	}
	return words
}
