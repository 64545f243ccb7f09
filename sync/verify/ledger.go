package verify

import (
	"cmp"
	"context"
	"slices"

	"mailmove/imapx"
	"mailmove/state"
	mailsync "mailmove/sync"
)

// entry is a row of the ledger, as far as it explains something.
type entry struct {
	source, target uint32
	status         state.Status
	flags          string
}

// ledger is what the state knows of the pairs of one target folder.
type ledger struct {
	rows    [][]entry       // by pairing, ascending by source UID; nil: it has none, or the source's UIDs are others now
	known   []bool          // by pairing: its rows are those of the folder as it is
	target  bool            // the target's UIDs are those that the rows have
	carried map[uint32]bool // UIDs of the target that passes have stored or matched, of whatever pair
	all     int64           // messages that were carried
}

// ledger reads the rows of a group. opened are the source folders as they were found, there the target folder.
func (r *run) ledger(ctx context.Context, g group, opened []imapx.Opened, there imapx.Opened) (*ledger, error) {
	l := &ledger{rows: make([][]entry, len(g)), known: make([]bool, len(g)), carried: make(map[uint32]bool)}
	if r.State == nil {
		return l, nil
	}
	if there.UIDValidity != 0 {
		uids, err := r.State.CarriedTo(ctx, g.raw(), there.UIDValidity, 1)
		if err != nil {
			return nil, err
		}
		for _, uid := range uids {
			l.carried[uid] = true
		}
	}
	var flags interned
	for i, p := range g {
		if p.Stored == nil {
			continue
		}
		v := p.Stored.SourceMark.UIDValidity
		l.known[i] = v != 0 && v == opened[i].UIDValidity
		if t := p.Stored.TargetMark.UIDValidity; t != 0 && t == there.UIDValidity {
			l.target = true
		}
		err := r.State.Rows(ctx, p.Stored.ID, 0, func(row state.Row) error {
			if carried(row.Status) {
				l.all++
			}
			if l.known[i] {
				l.rows[i] = append(l.rows[i], entry{row.SourceUID, row.TargetUID, row.Status, flags.of(row.Flags)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// carried reports that a message was on the target once.
func carried(s state.Status) bool { return s == state.Stored || s == state.Gone || s == state.Moved }

// of gives the row of a source message, nil where there is none.
func (l *ledger) of(k *rec) *entry {
	rows := l.rows[k.from]
	i, ok := slices.BinarySearchFunc(rows, k.uid, func(e entry, uid uint32) int { return cmp.Compare(e.source, uid) })
	if !ok {
		return nil
	}
	return &rows[i]
}

// carriedAs gives the target UID of a source message, 0 where the ledger has none that holds.
func (l *ledger) carriedAs(k *rec) uint32 {
	if e := l.of(k); e != nil && l.target && e.status == state.Stored {
		return e.target
	}
	return 0
}

// except gives the exception that says that a message is not on the target.
func (r *run) except(p mailsync.Pairing, uid uint32, is func(reason string) bool) (state.Exception, bool) {
	if p.Stored == nil {
		return state.Exception{}, false
	}
	for _, e := range r.exceptions[place{p.Stored.ID, uid}] {
		if is(e.Reason) {
			return e, true
		}
	}
	return state.Exception{}, false
}
