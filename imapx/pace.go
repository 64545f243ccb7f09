package imapx

import (
	"sync/atomic"
	"time"
)

const (
	// slowLine is what one connection carries of a line that is worth compressing, in bytes a second. A server
	// deflates an order of magnitude faster, so even a slow server that is mistaken for a slow line loses little.
	slowLine = 4 << 20

	sampleTime  = 2 * time.Second // waiting for mail that makes a sample,
	sampleBytes = 1 << 20         // with so many bytes: fewer may be round trips only
)

// Line is what the connections of one side learn of the way to their server; they share it (Options.Line). Its zero
// value knows nothing. Its methods may be called concurrently.
type Line struct {
	rate  atomic.Int64
	plain atomic.Bool // compressed no more: see distrust
}

// Rate is how many bytes a second one connection carried while mail was on its way; 0: not measured.
func (l *Line) Rate() int64 { return l.rate.Load() }

// Note remembers such a rate, as an earlier run measured it.
func (l *Line) Note(rate int64) { l.rate.Store(rate) }

func (l *Line) slow() bool {
	r := l.Rate()
	return r > 0 && r < slowLine
}

// pace measures a connection while commands that carry mail are in flight: the time that the reader waits for the
// line, and the bytes that go either way. Where we do not read, because the other side is the slower one, no time
// counts. It belongs to a rollingConn, under its lock.
type pace struct {
	carrying int       // commands in flight that carry mail
	since    time.Time // when the first of them was sent, or the read began that is waiting: the later of both
	waited   time.Duration
	bytes    int64
}

// carry counts the commands that carry mail up (1) or down (-1).
func (p *pace) carry(delta int, now time.Time) {
	if p.carrying == 0 {
		p.since = now
	}
	p.carrying += delta
}

// waits begins a read.
func (p *pace) waits(now time.Time) { p.since = now }

// moved counts bytes of either direction.
func (p *pace) moved(n int) {
	if p.carrying > 0 {
		p.bytes += int64(n)
	}
}

// came ends a read. It gives the rate where a sample is complete, else 0, and begins the next one.
func (p *pace) came(n int, now time.Time) (rate int64) {
	p.moved(n)
	if p.carrying == 0 {
		return 0
	}
	p.waited += now.Sub(p.since)
	if p.waited < sampleTime || p.bytes < sampleBytes {
		return 0
	}
	rate = int64(float64(p.bytes) / p.waited.Seconds())
	p.waited, p.bytes = 0, 0
	return rate
}
