package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mailmove/cmd/internal/ui"
	"mailmove/imapx"
	"mailmove/imapx/provider"
	mailsync "mailmove/sync"
)

// errDaily is why a pass is settled that has copied as much as may be copied of its account in a day.
var errDaily = errors.New("the day's volume is used up")

// daily is how much may be copied of an account in a day, in bytes, as the flag says or the provider is known to allow (Gmail
// locks a mailbox for a day that was read or written for more); 0: any amount.
func (r *listRun) daily(p *pass) int64 {
	if r.f.list.perDay > 0 {
		return int64(r.f.list.perDay)
	}
	at := func(ep imapx.Endpoint) provider.Limits {
		return provider.Recognise(provider.Seen{Host: ep.Host}).Limits
	}
	return cmp.Or(at(p.target).Upload, at(p.source).Download)
}

// volumeStep is after how many bytes what was copied is remembered: a run that is killed forgets no more than that.
const volumeStep = 64 << 20

// meter counts what is copied of an account against its day. A pass that goes on past midnight begins a new one.
type meter struct {
	most int64 // 0: any amount
	end  context.CancelCauseFunc
	keep func(at time.Time, bytes int64) error

	mu     sync.Mutex
	at     time.Time // of the latest message, or when the pass began: a time of the day that is counted
	before int64     // on that day, and remembered
	fresh  int64     // on that day, and not yet remembered
}

// dayOf is the day of this machine's zone.
func dayOf(t time.Time) string { return t.Format(time.DateOnly) }

// count takes an event, and ends intake when the day's volume is used up. What is in flight then still arrives.
func (m *meter) count(e mailsync.Event, now time.Time) {
	c, is := e.(mailsync.MessageCopied)
	if !is || m.most <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if dayOf(now) != dayOf(m.at) {
		m.before, m.fresh = 0, 0
	}
	m.at = now
	if m.fresh += c.Bytes; m.fresh >= volumeStep {
		_ = m.remember() // what cannot be kept now is tried again when the pass ends, and told then
	}
	if m.before+m.fresh >= m.most {
		m.end(errDaily)
	}
}

// remember keeps what was not yet. The lock is held.
func (m *meter) remember() error {
	if m.fresh == 0 {
		return nil
	}
	if err := m.keep(m.at, m.fresh); err != nil {
		return err
	}
	m.before, m.fresh = m.before+m.fresh, 0
	return nil
}

// close keeps what is left, for the next pass.
func (m *meter) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.remember()
}

// copied is how much it was on the day.
func (m *meter) copied() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.before + m.fresh
}

// full says whether nothing more is to be begun today.
func (m *meter) full() bool { return m.most > 0 && m.copied() >= m.most }

// usedUp is the outcome of an account that goes on tomorrow.
func (o *outcome) usedUp(m *meter) {
	o.word, o.code = wordStopped, exitLater
	o.text = fmt.Sprintf("%s were copied today, of %s a day", ui.Bytes(m.copied()), ui.Bytes(m.most))
	o.next = "run it again tomorrow: it goes on where it was"
}

// meterOf makes an account's meter.
func (r *listRun) meterOf(ctx context.Context, e *entry, p *pass, now time.Time, end context.CancelCauseFunc) *meter {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turnDay(dayOf(now))
	return &meter{most: r.daily(p), at: now, before: r.volumes[e.account], end: end, keep: func(at time.Time, n int64) error {
		return r.keepVolume(ctx, e, at, n)
	}}
}

// turnDay forgets the volumes of an earlier day. The lock is held.
func (r *listRun) turnDay(day string) {
	if day > r.volumeDay {
		r.volumes, r.volumeDay = make(map[string]int64), day
	}
}

// keepVolume remembers what was copied of an account on the day of a time.
func (r *listRun) keepVolume(ctx context.Context, e *entry, at time.Time, n int64) error {
	if r.fleet == nil || r.f.dryRun {
		return nil
	}
	r.mu.Lock()
	r.turnDay(dayOf(at))
	if dayOf(at) == r.volumeDay {
		r.volumes[e.account] += n
	}
	r.mu.Unlock()
	return r.fleet.AddVolume(context.WithoutCancel(ctx), e.account, at, n)
}
