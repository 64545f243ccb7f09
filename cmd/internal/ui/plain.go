package ui

import (
	"fmt"
	"io"
	"sync"
	"time"

	mailsync "mailmove/sync"
)

// tally is what is known of a running pass.
type tally struct {
	account  string
	expected int64 // messages to copy, as far as planned
	copied   int64
	bytes    int64
	folder   string
	first    time.Time // when the first message was copied
}

func (t *tally) take(e mailsync.Event, now time.Time) {
	switch e := e.(type) {
	case mailsync.PassStarted:
		*t = tally{account: e.Account}
	case mailsync.FolderPlanned:
		t.expected += e.Copy
	case mailsync.MessagesDeferred:
		t.expected -= e.Messages
	case mailsync.MessageCopied:
		if t.first.IsZero() {
			t.first = now
		}
		t.copied++
		t.bytes += e.Bytes
		t.folder = e.Folder
	}
	// What was planned is an estimate until a folder is read.
	t.expected = max(t.expected, t.copied)
}

// rateAfter is how long a rate takes to mean something: the first window arrives at once.
const rateAfter = 3 * time.Second

// rate is the average since the first message, in messages a second; 0: not known yet.
func (t *tally) rate(now time.Time) float64 {
	if d := now.Sub(t.first); t.copied > 0 && d >= rateAfter {
		return float64(t.copied) / d.Seconds()
	}
	return 0
}

// pace says how fast it goes, "" as long as nobody knows.
func (t *tally) pace(now time.Time) string {
	switch r := t.rate(now); {
	case r <= 0:
		return ""
	case r < 1:
		return fmt.Sprintf("%.0f/min", r*60)
	default:
		return fmt.Sprintf("%.0f/s", r)
	}
}

// left says how long the rest takes at that pace, "" as long as nobody knows.
func (t *tally) left(now time.Time) string {
	r := t.rate(now)
	if r <= 0 {
		return ""
	}
	return pause(time.Duration(min(float64(t.expected-t.copied)/r, 99*3600)*float64(time.Second))) + " left"
}

// plain prints lines, for logs and pipes.
type plain struct {
	mu       sync.Mutex // the heartbeat has its own goroutine
	out      io.Writer
	err      io.Writer
	now      func() time.Time
	problems problems
	tally    tally
	stop     chan struct{}
	beat     sync.WaitGroup
}

func newPlain(o Options) *plain {
	p := &plain{out: o.Out, err: o.Err, now: o.Now, problems: problems{out: o.Err}, stop: make(chan struct{})}
	if o.Heartbeat > 0 {
		p.beat.Go(func() { p.heartbeat(o.Heartbeat) })
	}
	return p
}

func (p *plain) heartbeat(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if p.tally.account != "" {
				fmt.Fprintln(p.err, p.progress())
			}
			p.mu.Unlock()
		}
	}
}

// progress is the line of the heartbeat.
func (p *plain) progress() string {
	t, now := &p.tally, p.now()
	line := fmt.Sprintf("%s %s of %s copied, %s", now.Format("15:04:05"), Count(t.copied), messages(t.expected), Bytes(t.bytes))
	if pace := t.pace(now); pace != "" {
		line += ", " + pace
	}
	if t.folder != "" {
		line += ", " + Short(Clean(t.folder), max(10, 78-len(line)))
	}
	return line
}

func (p *plain) Event(e mailsync.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.take(e, p.now())
	p.problems.take(e)
	if end, is := e.(mailsync.PassEnded); is {
		p.problems.end()
		if !nothingToTell(end) {
			fmt.Fprintln(p.out, summary(end.Account, end.Report, end.Err))
		}
		p.tally = tally{}
	}
}

func (p *plain) Close() {
	close(p.stop)
	p.beat.Wait()
}

// quiet prints what is new and nothing else: cron mails whatever a job prints.
type quiet struct {
	out      io.Writer
	problems problems
}

func (q *quiet) Event(e mailsync.Event) {
	switch e := e.(type) {
	case mailsync.Exception:
		q.problems.take(e)
	case mailsync.PassEnded:
		q.problems.end()
		if e.Report.NewExceptions > 0 {
			fmt.Fprintln(q.out, summary(e.Account, e.Report, e.Err))
		}
	}
}

func (*quiet) Close() {}
