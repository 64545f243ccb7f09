package ui

import (
	"fmt"
	"strings"
	"sync"
	"time"

	mailsync "mailmove/sync"
)

// List renders a run over many accounts: their events come from all of them at once, so its methods may be called
// concurrently. What is told of an account names it.
type List struct {
	o     Options
	json  jsonLines
	total int // accounts

	mu       sync.Mutex
	done     int
	copied   int64
	bytes    int64
	started  time.Time
	first    time.Time // when the first message was copied
	printed  map[string]int
	drawn    bool
	redrawn  time.Time
	stop     chan struct{}
	beat     sync.WaitGroup
	finished bool
}

// NewList makes the renderer for so many accounts. Close ends it.
func NewList(o Options, accounts int) *List {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	l := &List{o: o, json: jsonLines{out: o.Out, now: o.Now}, total: accounts, started: o.Now(), printed: make(map[string]int), stop: make(chan struct{})}
	if every := o.Heartbeat; o.Mode == Plain && every > 0 {
		l.beat.Go(func() { l.heartbeat(every) })
	}
	return l
}

func (l *List) heartbeat(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.mu.Lock()
			fmt.Fprintln(l.o.Err, l.o.Now().Format("15:04:05")+" "+l.progress())
			l.mu.Unlock()
		}
	}
}

// Event takes one of any account.
func (l *List) Event(e mailsync.Event) {
	if t, is := e.(mailsync.Throttled); is && t.Err != nil && l.o.Words != nil {
		t.Why = l.o.Words(t.Err)
		e = t
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.Mode == JSON {
		l.json.Event(e)
		return
	}
	switch e := e.(type) {
	case mailsync.MessageCopied:
		if l.first.IsZero() {
			l.first = l.o.Now()
		}
		l.copied++
		l.bytes += e.Bytes
		l.draw(false)
	case mailsync.Exception:
		if e.New {
			l.problem(e.Account, e)
		}
	case mailsync.Throttled:
		l.problem(e.Account, e)
	case mailsync.Notice:
		l.problem(e.Account, e)
	case mailsync.PassEnded:
		l.passEnded(e)
	}
}

// problem prints one line of an account, up to a bound for each.
func (l *List) problem(account string, e mailsync.Event) {
	if _, is := e.(mailsync.Exception); l.o.Mode == Quiet && !is {
		return
	}
	text := problemLine(e)
	if text == "" {
		return
	}
	if l.printed[account]++; l.printed[account] > maxProblems {
		return
	}
	n, notice := e.(mailsync.Notice)
	l.erase()
	fmt.Fprintln(l.o.Err, Paint(Yellow, Clean(account)+": "+text, l.o.Colour && (!notice || n.Rule != "")))
	l.draw(true)
}

// passEnded tells a pass in which something happened. One that was interrupted goes on, now or later.
func (l *List) passEnded(e mailsync.PassEnded) {
	if left := l.printed[e.Account] - maxProblems; left > 0 {
		l.erase()
		fmt.Fprintf(l.o.Err, "%s: and %d more; mailmove exceptions list shows all exceptions\n", Clean(e.Account), left)
	}
	delete(l.printed, e.Account)
	r := e.Report
	changed := r.Copied+r.Matched+r.Flags+r.FoldersCreated+r.Followed+r.Deleted+r.Moved+r.Gone+r.Recovered+r.Doubles+r.NewExceptions > 0
	if l.o.Mode == Quiet {
		changed = r.NewExceptions > 0
	}
	if (changed || r.DryRun) && !r.Interrupted && !nothingToTell(e) {
		l.erase()
		fmt.Fprintln(l.o.Out, summary(e.Account, r, e.Err))
	}
	l.draw(true)
}

// Done counts an account that is over.
func (l *List) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	l.draw(true)
}

// Above lets something print where the bar is; the bar moves below it.
func (l *List) Above(print func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	print()
	l.draw(true)
}

// progress is what the bar and the heartbeat say.
func (l *List) progress() string {
	now := l.o.Now()
	text := fmt.Sprintf("%s of %s, %s copied, %s", Count(int64(l.done)), Plural(int64(l.total), "account"), messages(l.copied), Bytes(l.bytes))
	if d := now.Sub(l.first); l.copied > 0 && d >= rateAfter {
		text += fmt.Sprintf(", %s/s", Bytes(int64(float64(l.bytes)/d.Seconds())))
	}
	if d := now.Sub(l.started); l.done > 0 && l.done < l.total && d >= rateAfter {
		text += ", " + pause(time.Duration(min(float64(d)/float64(l.done)*float64(l.total-l.done), float64(99*time.Hour)))) + " left"
	}
	return text
}

// draw updates the bar, at most ten times a second unless something else was printed.
func (l *List) draw(now bool) {
	if l.o.Mode != Terminal || l.finished || !now && l.o.Now().Sub(l.redrawn) < 100*time.Millisecond {
		return
	}
	l.redrawn, l.drawn = l.o.Now(), true
	text := l.progress()
	line := text
	if room := l.o.Width - 1 - Width(text) - len("[] "); room >= smallestBar {
		full := min(room, 20)
		part := 0
		if l.total > 0 {
			part = full * l.done / l.total
		}
		line = "[" + strings.Repeat("=", part) + strings.Repeat(" ", full-part) + "] " + text
	}
	fmt.Fprint(l.o.Err, clearLine, Short(line, l.o.Width-1))
}

func (l *List) erase() {
	if l.drawn {
		fmt.Fprint(l.o.Err, clearLine)
		l.drawn = false
	}
}

// Close takes the bar away and ends the heartbeat.
func (l *List) Close() {
	close(l.stop)
	l.beat.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.finished = true
}
