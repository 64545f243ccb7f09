package sync_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"mailmove/imapx"
	"mailmove/imapx/imaptest"
	"mailmove/imapx/imaptest/real"
)

// sent is one more pass, and which of the verbs that read or write messages it used.
func sent(t *testing.T, x transfer) (out []string) {
	t.Helper()
	x.Trace = filepath.Join(t.TempDir(), "trace")
	x.pass(t)
	source, target := verbs(t, x.Trace)
	for _, v := range []string{"APPEND", "STORE", "FETCH", "EXPUNGE", "CREATE", "RENAME", "MOVE", "SUBSCRIBE"} {
		if slices.Contains(source, v) || slices.Contains(target, v) {
			out = append(out, v)
		}
	}
	return out
}

// settled asks the referee, then lets two passes run: the first may look a last time for what landed late, the
// second reads and writes nothing. Where the first does not either there is nothing more to learn.
func (s *servers) settled(t *testing.T, x transfer, when string) {
	t.Helper()
	s.equal(t, x, when)
	if len(sent(t, x)) == 0 {
		return
	}
	if v := sent(t, x); len(v) > 0 {
		t.Fatalf("%s: the next pass but one sent %v", when, v)
	}
	s.equal(t, x, when+", two passes later")
}

// survives lets a fault happen in a first pass. The pass gets over it by itself, unless the server was not reached
// even once; then it says so, and the next one does the work. Not struck is a session that had said all before the
// offset: how many parts of a second Dovecot names in its answers changes from one to the next.
func (s *servers) survives(t *testing.T, direct transfer, k strike) (retried, struck bool) {
	t.Helper()
	x := direct
	p := k.through(t, &x)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := x.run(ctx)
	var ie *imapx.Error
	switch {
	case err == nil:
	case errors.As(err, &ie) && ie.Retry != imapx.RetryNever && ie.Side == k.side && p.Stats().Conns == 1:
		direct.pass(t)
		retried = true
	default:
		t.Fatalf("%v: the pass did not recover: %v", k, err)
	}
	if p.Stats().Breaks > 1 {
		t.Fatalf("%v: %d connections were cut", k, p.Stats().Breaks)
	}
	struck = p.Stats().Breaks == 1
	p.Close()
	s.settled(t, direct, k.String())
	s.src.Wipe(direct.SourceUser)
	s.dst.Wipe(direct.TargetUser)
	return retried, struck
}

// inside aims at every offset of a stretch of a stream, with an orderly end and with a reset.
func inside(side, what string, up bool, from, to int) (out []strike) {
	for at := from; at <= to; at++ {
		out = append(out, strike{side, what, up, int64(at), imaptest.BreakFIN}, strike{side, what, up, int64(at), imaptest.BreakRST})
	}
	return out
}

// alternating leaves every offset one of its two ways.
func alternating(list []strike) (out []strike) {
	for i := 0; i+1 < len(list); i += 2 {
		out = append(out, list[i+i/2%2])
	}
	return out
}

// around aims at the last byte before, the place of, and the first byte behind each frame boundary.
func around(side string, up bool, frames []frame) (out []strike) {
	for i, f := range frames[1:] {
		for d := -1; d <= 1; d++ {
			how := []imaptest.Break{imaptest.BreakFIN, imaptest.BreakRST}[(i+d+1)%2]
			out = append(out, strike{side, "frame boundary", up, int64(f.start + d), how})
		}
	}
	return out
}

// TestCutAtEveryOffset cuts the connection to either side at every offset of a message that is written or read, of
// the line that answers, and around every frame boundary of the session.
func TestCutAtEveryOffset(t *testing.T) {
	t.Parallel()
	s := tinyServers(t, real.Options{})
	source, target := s.recorded(t)
	var all []strike
	for _, side := range []struct {
		name     string
		up, down []frame
	}{{"source", framesOf(source.up), framesOf(source.down)}, {"target", framesOf(target.up), framesOf(target.down)}} {
		all = append(all, around(side.name, true, side.up)...)
		all = append(all, around(side.name, false, side.down)...)
	}
	stored := frameWith(t, framesOf(target.up), " APPEND ", true)
	all = append(all, inside("target", "APPEND literal", true, stored.literals[0][0], stored.literals[0][1])...)
	answer := frameWith(t, framesOf(target.down), `OK \[APPENDUID`, false)
	all = append(all, alternating(inside("target", "answer to APPEND", false, answer.start, answer.end))...)
	fetch := frameWith(t, framesOf(source.down), " FETCH ", true)
	all = append(all, alternating(inside("source", "FETCH with its literal", false, fetch.start, fetch.end))...)
	t.Logf("%d cuts: %d + %d bytes to and from the source, %d + %d the target", len(all), len(source.up), len(source.down), len(target.up), len(target.down))
	var unreached, unstruck atomic.Int64
	started := time.Now()
	ran := atOnce(t, all, func(t *testing.T, k strike) {
		retried, struck := s.survives(t, s.tinyAccount(t), k)
		if retried {
			unreached.Add(1)
		}
		if !struck {
			unstruck.Add(1)
		}
	})
	t.Logf("%v; %d passes never reached their server and left the work to the next; %d ended before they were to be cut",
		time.Since(started).Round(time.Millisecond), unreached.Load(), unstruck.Load())
	if unstruck.Load() > int64(ran/100) {
		t.Errorf("%d of %d were not cut", unstruck.Load(), ran)
	}
}
