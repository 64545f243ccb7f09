package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
)

// Pauses of a command that reads, where a server has enough of us and names no time itself.
const (
	laterFirst = time.Second
	laterMost  = time.Minute
)

// wantsPause gives the error of a server that is down or has enough of us, nil for any other.
func wantsPause(err error) *imapx.Error {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Retry == imapx.RetryNever || ie.Kind != imapx.KindUnavailable && ie.Delay == 0 {
		return nil
	}
	return ie
}

// pausing notes that a server wanted a pause, which is no finding about the account.
type pausing struct {
	mu   sync.Mutex
	last error
}

func (p *pausing) note(err error) {
	if wantsPause(err) != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last = err
	}
}

func (p *pausing) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// heed leaves a server alone that wants it, for all accounts, and tells whether this one may ask again after that: no
// longer than --retry-for after it was begun.
func (l *listReader) heed(ctx context.Context, r *listRun, e *entry, err error) bool {
	ie := wantsPause(err)
	if ie == nil || r.a.stops.signal() != nil {
		return false
	}
	side := sideIndex(ie.Side)
	var open atomic.Int64
	open.Store(1)
	r.refused(ctx, e, side, &open, err)
	pause := ie.Delay
	if pause == 0 {
		pause = min(laterFirst<<min(e.asked, 10), laterMost)
	}
	e.asked++
	if time.Since(e.began)+pause > e.patience {
		return false
	}
	r.servers.Pause(e.claims[side].Server, time.Now().Add(pause))
	return true
}

// resumed fires when the first server that was left alone at now may be asked again, at once where that is past already; nil
// where nobody waits for one.
func (r *listRun) resumed(waiting []*entry, now time.Time) <-chan time.Time {
	first := r.servers.NextResume(now)
	if len(waiting) == 0 || first.IsZero() {
		return nil
	}
	return time.After(time.Until(first))
}

// mostUnasked bounds the names in one line.
const mostUnasked = 5

// tellUnasked says after a stop which accounts were not asked, or not to the end.
func (l *listReader) tellUnasked(ctx context.Context, r *listRun) {
	if ctx.Err() == nil && r.a.stops.signal() == nil {
		return
	}
	var names []string
	var chosen, left int
	for _, e := range r.entries {
		if !e.chosen {
			continue
		}
		chosen++
		if e.outcome.word == wordDone || e.outcome.word == wordFailed && !e.stopped {
			continue
		}
		if left++; left <= mostUnasked {
			names = append(names, ui.Clean(e.account))
		}
	}
	if left == 0 {
		return
	}
	text := strings.Join(names, ", ")
	if left > mostUnasked {
		text += fmt.Sprintf(" and %s more", ui.Count(int64(left-mostUnasked)))
	}
	fmt.Fprintf(r.a.err, "asked %s of %s; not asked, or not to the end: %s\n",
		ui.Count(int64(chosen-left)), countText(int64(chosen), "account", "accounts"), text)
}
