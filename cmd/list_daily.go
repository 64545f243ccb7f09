package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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

// meter counts what is copied of an account against its day.
type meter struct {
	most   int64 // 0: any amount
	before int64 // earlier today
	now    atomic.Int64
	end    context.CancelCauseFunc
}

// count takes an event, and ends intake when the day's volume is used up. What is in flight then still arrives.
func (m *meter) count(e mailsync.Event) {
	if c, is := e.(mailsync.MessageCopied); is && m.most > 0 && m.before+m.now.Add(c.Bytes) >= m.most {
		m.end(errDaily)
	}
}

// full says whether nothing more is to be begun today.
func (m *meter) full() bool { return m.most > 0 && m.before >= m.most }

// usedUp is the outcome of an account that goes on tomorrow.
func (o *outcome) usedUp(m *meter) {
	o.word, o.code = wordStopped, exitLater
	o.text = fmt.Sprintf("%s were copied today, of %s a day", ui.Bytes(m.before+m.now.Load()), ui.Bytes(m.most))
	o.next = "run it again tomorrow: it goes on where it was"
}

// keepVolume remembers what a pass copied today, for the next one.
func (r *listRun) keepVolume(ctx context.Context, e *entry, m *meter, day time.Time) error {
	n := m.now.Load()
	if n == 0 || r.fleet == nil || r.f.dryRun {
		return nil
	}
	r.mu.Lock()
	r.volumes[e.account] += n
	r.mu.Unlock()
	return r.fleet.AddVolume(context.WithoutCancel(ctx), e.account, day, n)
}

// meterOf makes an account's meter.
func (r *listRun) meterOf(e *entry, p *pass, end context.CancelCauseFunc) *meter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &meter{most: r.daily(p), before: r.volumes[e.account], end: end}
}
