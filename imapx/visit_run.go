package imapx

import (
	"context"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"
)

const (
	windowUIDs  = 500  // of one FETCH with bodies or headers
	windowFlags = 2000 // of one FETCH without
	maxWindows  = 4    // FETCHes of one visit in flight
	singleFrom  = 32   // so few missing messages are asked for singly at once
	maxSingle   = 1000 // so many are not asked for singly where not one came and none was refused
)

// visit is one Visit at work. Flights follow one another; each holds the selection only while it sends, so that
// other visits' commands fill the line meanwhile, and opens the folder again if one did.
type visit struct {
	c      *conn
	v      Visit
	h      VisitHandler
	life   context.Context // ends with the connection too: handlers must not outlive it
	result VisitResult
	in     *opening // the last one of this visit
	works  []*work
	flight []*fetch   // in flight, oldest first
	sent   []*command // that may still call the handler
	cut    uint64     // the server's MESSAGELIMIT, 0: none known

	refused int  // FETCHes
	starved bool // answers came in an order in which they cannot be kept; the reader's while commands are in flight

	mu  sync.Mutex
	end error // of the handler; the visit is over
}

// work is one Read.
type work struct {
	read   Read
	index  int
	set    imap.UIDSet // asked, without Except; ordered, closed
	search *search
	since  *fetch      // with ChangedSince
	got    imap.UIDSet // delivered
	wanted imap.UIDSet
	why    map[imap.UID]error // refused when asked for singly
}

func (c *conn) visit(ctx context.Context, want Visit, h VisitHandler) (VisitResult, error) {
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	v := &visit{c: c, v: want, h: h, life: life}
	err := v.run(ctx)
	// Whatever happened, no answer may reach the handler after this.
	if err != nil {
		v.abort(err)
	}
	for _, h := range v.sent {
		if lost := c.await(ctx, h); lost != nil && err == nil {
			err = lost
		}
		<-h.done
	}
	for _, f := range v.flight {
		f.release()
	}
	return v.result, err
}

// track remembers a command until it has ended.
func (v *visit) track(h *command) {
	v.sent = append(slices.DeleteFunc(v.sent, (*command).ended), h)
}

func (v *visit) run(ctx context.Context) error {
	reads := v.v.Reads
	if v.v.Plan != nil {
		in, err := v.lockIn(ctx)
		if err != nil {
			return err
		}
		v.c.unlockSelection()
		if err := v.settle(ctx, in); err != nil {
			return err
		}
		if reads, err = v.v.Plan(v.result.Opened); err != nil {
			return err
		}
	}
	for i, r := range reads {
		w := &work{read: r, index: i, set: ordered(subtract(ordered(r.UIDs), r.Except)), why: map[imap.UID]error{}}
		w.read.Want = v.c.askable(r.Want)
		if !v.c.has(imap.CapCondStore) {
			w.read.ChangedSince = 0
		}
		if len(w.set) > 0 {
			v.works = append(v.works, w)
		}
	}
	if v.in != nil && len(v.works) == 0 {
		return nil
	}
	if err := v.first(ctx); err != nil {
		return err
	}
	return v.rounds(ctx)
}

// lockIn takes the selection and opens the folder unless it is still open from this visit's last flight. The
// caller unlocks if there is no error.
func (v *visit) lockIn(ctx context.Context) (*opening, error) {
	if err := v.c.lockSelection(ctx); err != nil {
		return nil, err
	}
	if v.in != nil && v.in.state == openYes && v.in.serial == v.c.sel.serial {
		return v.in, nil
	}
	planned, again := v.v.UIDValidity, v.in != nil
	if again {
		planned = v.result.Opened.UIDValidity
	}
	in, err := v.c.open(ctx, v.v.Folder, v.c.selects, planned, func(o Opened) error {
		if again || v.stopped() {
			return v.failure()
		}
		v.result.Opened = o
		if v.h.Opened == nil {
			return nil
		}
		return v.h.Opened(o)
	})
	if err != nil {
		v.c.unlockSelection()
		return nil, err
	}
	v.track(in.cmd)
	v.in = in
	return in, nil
}

// settle waits for the folder to be open, and remembers whether blind sending is wise: each command behind an
// EXAMINE that fails is one that the server counts as a client's mistake.
func (v *visit) settle(ctx context.Context, in *opening) error {
	err := v.c.settle(ctx, in)
	v.c.cautious.Store(err != nil)
	return err
}

// first asks everything that can be asked without knowing the folder, in the same flight as EXAMINE: what
// exists, what changed, and the first window of messages.
func (v *visit) first(ctx context.Context) error {
	in, err := v.lockIn(ctx)
	if err != nil {
		return err
	}
	if v.c.cautious.Load() {
		err = v.settle(ctx, in)
	}
	searches := 0
	for _, w := range v.works {
		if w.read.ChangedSince == 0 || w.read.Want == 0 {
			searches++
		}
		if searches > 1 && err == nil && !v.c.has(imap.CapESearch) {
			// Two SEARCHes in flight cannot be told apart without a tag in the answer (RFC 3501 section 5.5). A search that
			// has to be repeated needs the selection for itself.
			v.c.unlockSelection()
			if err = v.searched(ctx, in); err == nil {
				in, err = v.lockIn(ctx)
			}
			if err != nil {
				return err
			}
		}
		if err == nil {
			err = v.askFirst(ctx, in, w)
		}
	}
	v.c.unlockSelection()
	if err == nil {
		err = v.searched(ctx, in)
	}
	if err != nil {
		return err
	}
	return v.land(ctx, 0)
}

// searched waits for the SEARCHes that were sent.
func (v *visit) searched(ctx context.Context, in *opening) error {
	if err := v.settle(ctx, in); err != nil {
		return err
	}
	for _, w := range v.works {
		if w.search == nil {
			continue
		}
		if err := v.c.wait(ctx, w.search.cmd); err != nil {
			return err
		}
		if err := v.found(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// found judges the answer to a SEARCH.
func (v *visit) found(ctx context.Context, w *work) error {
	err := v.check(w.search)
	if err == nil && w.search.blind() {
		err = v.searchAgain(ctx, w)
	}
	if err == nil {
		err = v.notNone(w)
	}
	return err
}

func (v *visit) askFirst(ctx context.Context, in *opening, w *work) (err error) {
	if w.read.ChangedSince > 0 && w.read.Want != 0 {
		w.since, err = v.sendFetch(ctx, w, in, brief(reopened(w.set)), w.read.ChangedSince)
		return err
	}
	w.search, err = v.sendSearch(ctx, in, reopened(w.set), func(s *search) {
		if w.read.Want == 0 && v.h.UIDs != nil && limitOf(s.cmd.status) == 0 && !s.blind() {
			if err := v.h.UIDs(w.index, intersect(s.found, w.set)); err != nil {
				v.abort(err)
			}
		}
	})
	if err != nil || w.read.Want == 0 {
		return err
	}
	head, _ := cutSet(w.set, v.window(w))
	_, err = v.sendFetch(ctx, w, in, head, 0)
	return err
}

func (v *visit) window(w *work) uint64 {
	n := uint64(windowUIDs)
	if w.read.Want&(WantBody|WantIdentity) == 0 {
		n = windowFlags
	}
	if v.cut > 0 {
		n = min(n, v.cut)
	}
	return n
}

func (v *visit) limit(n uint64) {
	if v.cut == 0 || n < v.cut {
		v.cut = n
	}
}

// land waits until at most keep FETCHes are in flight.
func (v *visit) land(ctx context.Context, keep int) error {
	for len(v.flight) > keep {
		f := v.flight[0]
		if err := v.c.await(ctx, f.cmd); err != nil {
			return err
		}
		f.release()
		v.flight = v.flight[1:]
		if err := v.judge(f); err != nil {
			return err
		}
	}
	return v.failure()
}

// judge decides what a refused FETCH means. One bad message makes some servers refuse a whole window (Dovecot: NO
// [SERVERBUG] where its file is damaged): its messages are then asked for again, in the end singly.
func (v *visit) judge(f *fetch) error {
	if n := limitOf(f.cmd.status); n > 0 {
		v.limit(n)
	}
	if f.cmd.status.name == "OK" || f.in.state != openYes {
		return nil
	}
	v.refused++
	e := v.c.refused(f.cmd, f.cmd.status)
	switch {
	case e.Kind == KindUnavailable || e.Scope == ScopeAccount:
		return e
	case f == f.work.since:
		return nil
	case size(f.set) == 1:
		e.UID, e.Scope = f.set[0].Start, ScopeMessage
		f.work.why[e.UID] = e
	case f.cmd.status.name == "BAD":
		return e
	}
	return nil
}

func (v *visit) abort(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.end == nil {
		v.end = err
	}
}

func (v *visit) failure() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.end
}

func (v *visit) stopped() bool { return v.failure() != nil }

// reopened writes a set that goes up to the largest UID with `*`.
func reopened(s imap.UIDSet) imap.UIDSet {
	return reopen(append(imap.UIDSet(nil), s...), imap.UIDSet{{Start: 1}})
}
