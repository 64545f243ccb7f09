package imapx

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// rounds asks for what the first flight could not know of, and again for what did not come: OK to a FETCH does
// not prove that every message was sent (RFC 9051 section 6.4.5, RFC 9738). What exists and does not come when
// asked for singly has failed.
func (v *visit) rounds(ctx context.Context) error {
	if err := v.plan(ctx); err != nil {
		return err
	}
	single := false
	for v.left() > 0 {
		before := v.left()
		if err := v.windows(ctx, single); err != nil {
			return err
		}
		for _, w := range v.works {
			w.wanted = subtract(w.wanted, w.got)
		}
		if v.left() == 0 {
			return nil
		}
		if err := v.exist(ctx); err != nil { // messages that vanished meanwhile are no loss
			return err
		}
		if single {
			return v.giveUp()
		}
		if v.left() > maxSingle && v.left() == before && v.refused == 0 && !v.starved {
			return v.nothing()
		}
		// A round that brought next to nothing is the last of its kind: a server that gives one message in each would be asked
		// for all the others as often.
		single = v.left() <= singleFrom || before-v.left() < max(before/16, 1) || v.starved
	}
	return nil
}

// plan turns the SEARCH answers into what is still to be fetched.
func (v *visit) plan(ctx context.Context) error {
	for _, w := range v.works {
		if w.since != nil {
			if err := v.sinceOrAll(ctx, w); err != nil {
				return err
			}
		}
		if w.search == nil {
			continue
		}
		if n := limitOf(w.search.cmd.status); n > 0 {
			if err := v.searchInSteps(ctx, w, n); err != nil {
				return err
			}
		}
		if w.read.Want != 0 {
			w.wanted = subtract(intersect(w.search.found, w.set), w.got)
		}
	}
	return nil
}

// sinceOrAll falls back to reading everything where a folder has no mod-sequences after all (NOMODSEQ), or the
// answer to CHANGEDSINCE was cut.
func (v *visit) sinceOrAll(ctx context.Context, w *work) error {
	s := w.since.cmd.status
	if s.name == "OK" && limitOf(s) == 0 {
		return nil
	}
	if s.name != "OK" && v.result.Opened.HighestModSeq != 0 {
		return v.c.refused(w.since.cmd, s)
	}
	in, err := v.lockIn(ctx)
	if err != nil {
		return err
	}
	w.search, err = v.sendSearch(ctx, in, reopened(w.set), nil)
	v.c.unlockSelection()
	if err == nil {
		err = v.settle(ctx, in)
	}
	if err == nil {
		err = v.c.wait(ctx, w.search.cmd)
	}
	if err == nil {
		err = v.found(ctx, w)
	}
	return err
}

func (v *visit) left() (n uint64) {
	for _, w := range v.works {
		n += size(w.wanted)
	}
	return n
}

// windows fetches everything that is to be done, some FETCHes in flight at a time.
func (v *visit) windows(ctx context.Context, single bool) error {
	in, err := v.lockIn(ctx)
	if err != nil {
		return err
	}
	locked := true
	unlock := func() {
		if locked {
			v.c.unlockSelection()
		}
		locked = false
	}
	defer unlock()
	for _, w := range v.works {
		for rest := w.wanted; len(rest) > 0; {
			if len(v.flight) >= maxWindows {
				if err := v.settle(ctx, in); err != nil {
					return err
				}
				if err := v.land(ctx, maxWindows-1); err != nil {
					return err
				}
			}
			n := v.window(w)
			if single {
				n = 1
			}
			var head imap.UIDSet
			head, rest = cutSet(rest, n)
			if _, err := v.sendFetch(ctx, w, in, head, 0); err != nil {
				return err
			}
		}
	}
	unlock()
	if err := v.settle(ctx, in); err != nil {
		return err
	}
	return v.land(ctx, 0)
}

// exist drops from what is to be done the messages that are no longer there.
func (v *visit) exist(ctx context.Context) error {
	in, err := v.lockIn(ctx)
	if err != nil {
		return err
	}
	asked := map[*work]*search{}
	for _, w := range v.works {
		if len(w.wanted) == 0 || err != nil {
			continue
		}
		asked[w], err = v.sendSearch(ctx, in, w.wanted, nil)
		if err == nil && !v.c.has(imap.CapESearch) { // one at a time: see first
			err = v.c.await(ctx, asked[w].cmd)
		}
	}
	v.c.unlockSelection()
	if err == nil {
		err = v.settle(ctx, in)
	}
	for w, s := range asked {
		if err == nil {
			err = v.c.wait(ctx, s.cmd)
		}
		if err == nil {
			err = v.check(s)
		}
		if err == nil {
			w.wanted = intersect(w.wanted, s.found)
		}
	}
	return err
}

// nothing is the end of a visit to a folder of which the server gave no message at all and refused none: to ask for each
// singly would take a round trip for every one of perhaps millions.
func (v *visit) nothing() error {
	return v.c.error(nil, &Error{Op: "UID FETCH", Folder: display(v.v.Folder), Kind: KindFetch, Scope: ScopeFolder,
		Text: fmt.Sprintf("the server lists %d messages and sends none of them", v.left())})
}

// giveUp names the messages that are there and do not come.
func (v *visit) giveUp() error {
	v.result.Failed = map[imap.UID]error{}
	for _, w := range v.works {
		for _, r := range w.wanted {
			for uid := uint64(r.Start); uid <= uint64(r.Stop); uid++ {
				err := w.why[imap.UID(uid)]
				if err == nil {
					err = v.c.error(nil, &Error{Op: "UID FETCH", Folder: display(v.v.Folder), UID: imap.UID(uid),
						Text: "the server lists the message and does not send it", Kind: KindFetch, Scope: ScopeMessage})
				}
				v.result.Failed[imap.UID(uid)] = err
			}
		}
	}
	return nil
}
