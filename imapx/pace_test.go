package imapx

import (
	"testing"
	"time"
)

// TestPace: only the time that the line is waited for while mail is on its way counts, and small talk is no sample.
func TestPace(t *testing.T) {
	now := time.Unix(1e9, 0)
	var p pace
	read := func(d time.Duration, n int) int64 {
		p.waits(now)
		now = now.Add(d)
		return p.came(n, now)
	}
	check := func(what string, got, want int64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d bytes a second, want %d", what, got, want)
		}
	}
	check("idle for an hour", read(time.Hour, 100), 0)
	p.waits(now)
	now = now.Add(time.Hour)
	p.carry(1, now) // a command is sent while the reader waits
	now = now.Add(time.Second)
	check("one second of mail", p.came(1<<20, now), 0)
	now = now.Add(time.Hour) // we did not read: the other side is slow
	check("two seconds of mail", read(time.Second, 1<<20), 1<<20)
	check("the next sample begins anew", read(time.Second, 8<<20), 0)
	check("and may be another one", read(time.Second, 8<<20), 8<<20)
	check("round trips", read(time.Minute, 1000), 0)
	p.moved(4<<20 - 1000)
	check("sent counts like received", read(4*time.Second, 0), (4<<20)/64)
	p.carry(1, now)
	p.carry(-1, now)
	check("one of two has ended", read(2*time.Second, 4<<20), 2<<20)
	p.carry(-1, now)
	p.moved(1 << 30)
	check("no mail any more", read(time.Hour, 1<<30), 0)
	p.carry(1, now)
	check("nothing was kept of it", read(4*time.Second, 1<<20), 1<<18)
}

// TestLine: what is not known is not slow.
func TestLine(t *testing.T) {
	var l Line
	for _, c := range []struct {
		rate int64
		slow bool
	}{{0, false}, {1, true}, {slowLine - 1, true}, {slowLine, false}, {1 << 40, false}} {
		l.Note(c.rate)
		if l.slow() != c.slow {
			t.Errorf("%d bytes a second: slow %v", c.rate, l.slow())
		}
	}
}
