package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailmove/imapx"
)

// breaker ends connections at some messages of the source, by their number, as a server or a line does it.
type breaker struct {
	at   []int
	end  func(n int) *imapx.Ending // n-th end, from 1
	ends int
}

func (k *breaker) breaks(messages []*fakeMessage) func(*fakeMessage, imapx.Read) *imapx.Ending {
	return func(m *fakeMessage, r imapx.Read) *imapx.Ending {
		i := slices.Index(messages, m)
		if r.Want&imapx.WantBody == 0 || !slices.ContainsFunc(k.at, func(n int) bool { return n == i }) {
			return nil
		}
		k.ends++
		return k.end(k.ends)
	}
}

func same(int) *imapx.Ending { return &imapx.Ending{Orderly: true, Partial: 40, Words: "FETCH failed"} }

// TestIsolate: what ends every connection at the same byte, in good order, is isolated and the rest is carried.
func TestIsolate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill("INBOX", 0, 700)
	b.fill("A", 1000, 1010)
	k := &breaker{at: []int{0, 1, 350, 351, 699}, end: same}
	b.src.breaks = k.breaks(b.src.folders["INBOX"].messages)
	r := b.pass()
	if r.Copied != 705 || r.NewExceptions != 5 {
		t.Errorf("%+v", r)
	}
	for _, e := range b.events {
		if x, ok := e.(Exception); ok && (x.Reason != reasonUnreadable || x.Folder != "INBOX" || !strings.Contains(x.Detail, "FETCH failed")) {
			t.Errorf("%+v", x)
		}
	}
	// Two that end the connection where nothing else comes, then three strikes each.
	if most := 5 * (2 + strikes + 1); k.ends > most {
		t.Errorf("%d connections ended, %d would do", k.ends, most)
	}
	for range 3 { // each later pass asks at a bounded cost
		k.ends = 0
		if r := b.pass(); r.Copied+r.NewExceptions != 0 || r.Exceptions != 5 || k.ends != againCuts {
			t.Errorf("%d ends, %+v", k.ends, r)
		}
	}
	k.at = []int{351} // the others are repaired
	for range 2 {     // of five that are asked for in turn three may fail
		b.pass()
	}
	if r := b.pass(); r.Exceptions != 1 || len(b.dst.content("INBOX")) != 699 {
		t.Errorf("repaired: %+v", r)
	}
	k.at = nil
	b.pass()
	b.equal("all repaired")
	b.quiet("after that")
}

// TestDoubtIsALostConnection: what a line may have done leaves nothing behind.
func TestDoubtIsALostConnection(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n int) *imapx.Ending{
		"another byte each time": func(n int) *imapx.Ending { return &imapx.Ending{Orderly: true, Partial: uint64(100 - n)} },
		"reset":                  func(int) *imapx.Ending { return &imapx.Ending{Partial: 40} },
		"within a TLS record":    func(n int) *imapx.Ending { return &imapx.Ending{Orderly: n%4 != 0, Partial: 40} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.fill("INBOX", 0, 10)
			k := &breaker{at: []int{4}, end: end}
			b.src.breaks = k.breaks(b.src.folders["INBOX"].messages)
			r, err := b.run(func(o *Options) { o.RetryFor = 4e9 })
			if err == nil || r.Exceptions != 0 || k.ends < 4 {
				t.Errorf("%v after %d ends: %+v", err, k.ends, r)
			}
			k.at = nil
			b.pass()
			b.equal("over a good line")
		})
	}
}

// TestIsolateBehindSoundMessages: a server that loses what it had not flushed ends the connection before messages that
// are sound; only the one that is damaged is told.
func TestIsolateBehindSoundMessages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fill("INBOX", 0, 60)
	bad := b.src.folders["INBOX"].messages[41]
	b.src.breaks = func(m *fakeMessage, r imapx.Read) *imapx.Ending {
		if r.Want&imapx.WantBody != 0 && covers(r.UIDs, bad.uid) && !covers(r.Except, bad.uid) {
			return same(0)
		}
		return nil
	}
	r := b.pass()
	if got := fmt.Sprint(b.exceptionUIDs()); r.Copied != 59 || r.NewExceptions != 1 || got != fmt.Sprint([]uint32{bad.uid}) {
		t.Errorf("told %s: %+v", got, r)
	}
}

// exceptionUIDs are those that events told.
func (b *bench) exceptionUIDs() (out []uint32) {
	for _, e := range b.events {
		if x, ok := e.(Exception); ok {
			out = append(out, x.UID)
		}
	}
	return out
}
