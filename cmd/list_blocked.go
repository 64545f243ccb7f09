package cmd

import (
	"errors"
	"time"

	"mailmove/state/fleet"
)

// A server that is left alone because logins failed there in a row (state/fleet) may be open again a moment later: the next
// login that works opens it. So its accounts wait their turn and one of them, the scout, asks again.
const (
	scoutFirst = time.Second
	scoutMost  = 10 * time.Second
	// longestBlock is how long a run waits for such a server: the first time that one is left alone is shorter.
	longestBlock = 20 * time.Minute
)

// blockade is a server that the run has found left alone.
type blockade struct {
	side  int // of the account that found out
	by    *fleet.BlockedError
	scout *entry // asks just now; nil: nobody
	asked bool   // a scout came back: it was not the login of another that was waited for, and worked meanwhile
	next  time.Time
	pause time.Duration
}

// foundBlocked notes that an account could not log in because its server is left alone, and says whether it did.
func (d *dispatcher) foundBlocked(e *entry) bool {
	var by *fleet.BlockedError
	if !errors.As(e.outcome.err, &by) || !by.Server || d.intake.Err() != nil {
		return false
	}
	for side, c := range e.claims {
		if c.Server != by.Host {
			continue
		}
		b := d.blocked[c.Server]
		if b == nil {
			b = &blockade{side: side, pause: scoutFirst}
			d.blocked[c.Server] = b
			if !d.f.quiet && !d.f.json {
				d.show.Above(func() {
					d.a.warn("%s is left alone for now, for logins failed there in a row; its other accounts wait, until %s at the longest",
						c.Server, by.Until.Local().Format(time.TimeOnly))
				})
			}
		}
		if b.scout == e {
			b.scout, b.asked, b.pause = nil, true, min(2*b.pause, scoutMost)
		}
		b.by, b.next = by, time.Now().Add(b.pause)
		e.outcome.keptOut()
		return true
	}
	return false
}

// keptOut is the outcome of an account whose login nobody tried: it waits, and is no failure unless hopeless says so. So a run
// whose time is up meanwhile has told all that failed.
func (o *outcome) keptOut() {
	o.word = wordWaiting
	if o.copied > 0 { // in an earlier slice
		o.word = wordStopped
	}
	o.code, o.text, o.next, o.err = exitLater, "", nextOf(exitLater), nil
}

// passed takes note of a pass that was not kept from its servers: whoever was let in opens them.
func (d *dispatcher) passed(e *entry) {
	in := e.outcome.word != wordFailed && e.outcome.word != wordBusy
	for _, c := range e.claims {
		if in {
			d.open[c.Server] = true
			delete(d.blocked, c.Server)
		}
		if b := d.blocked[c.Server]; b != nil && b.scout == e {
			b.scout, b.next = nil, time.Now().Add(b.pause)
		}
	}
}

// mayAsk keeps accounts from a server that is left alone, but for a scout.
func (d *dispatcher) mayAsk(server string, now time.Time) bool {
	b := d.blocked[server]
	return b == nil || b.scout == nil && !now.Before(b.next)
}

// begun makes an account the scout of the servers that are left alone.
func (d *dispatcher) begun(e *entry) {
	for _, c := range e.claims {
		if b := d.blocked[c.Server]; b != nil {
			b.scout = e
		}
	}
}

// hopeless takes out the accounts whose server is left alone and will not be opened by this run: nobody is under way who
// could, and it is not worth waiting for.
func (d *dispatcher) hopeless() (out []*entry) {
	if d.running > 0 {
		return nil
	}
	var rest []*entry
	waiting := d.waitFor()
	for _, e := range d.waiting {
		if by, _ := d.withoutHope(e, waiting); by != nil {
			out = append(out, e)
			continue
		}
		rest = append(rest, e)
	}
	if d.canBegin(rest) { // one of those may be let in, and open the server for all
		return nil
	}
	for _, e := range out {
		e.failBlocked(d.withoutHope(e, waiting))
	}
	if len(out) > 0 {
		d.become(rest)
	}
	return out
}

// canBegin tells whether one of the accounts is not kept from a server.
func (d *dispatcher) canBegin(some []*entry) bool {
	for _, e := range some {
		free := true
		for _, c := range e.claims {
			free = free && d.blocked[c.Server] == nil
		}
		if free {
			return true
		}
	}
	return false
}

// withoutHope gives what keeps an account from a server that is not waited for: no login has worked there before, or its
// time is too long, or few accounts are left, or the account's own login was refused
// the last time, and it was asked again. The next run has them.
func (d *dispatcher) withoutHope(e *entry, waiting map[string]int) (*fleet.BlockedError, int) {
	for side, c := range e.claims {
		b := d.blocked[c.Server]
		if b == nil {
			continue
		}
		few := e.refused || waiting[c.Server] <= b.by.Failures
		if !d.open[c.Server] || b.asked && few || time.Until(b.by.Until) > longestBlock {
			return b.by, side
		}
	}
	return nil, 0
}

// waitFor counts the accounts that wait for a server that is left alone and were not refused there. As many as failed in a row may
// be of the same kind, and a run that has nothing else to do does not stay a quarter of an hour for them.
func (d *dispatcher) waitFor() map[string]int {
	counts := make(map[string]int, len(d.blocked))
	for _, e := range d.waiting {
		if e.refused {
			continue
		}
		for i, c := range e.claims {
			if d.blocked[c.Server] != nil && (i == 0 || c.Server != e.claims[0].Server) {
				counts[c.Server]++
			}
		}
	}
	return counts
}

// failBlocked is the outcome of an account that was kept from its server.
func (e *entry) failBlocked(by *fleet.BlockedError, side int) {
	mine := *by
	mine.User = e.claims[side].Login
	name := []string{"source", "target"}[side]
	e.outcome.word, e.outcome.code, e.outcome.err = wordFailed, authCode(name), &mine
	e.outcome.text, e.outcome.next = blockedText(name, &mine), mine.Hint()
}
