package sync

import (
	"context"
	"fmt"
	"slices"

	"mailmove/imapx"
	"mailmove/state"
)

// Several source folders may be carried into one target folder. Their pairs share its UIDs: what the ledger of any of
// them knows there is nobody else's, so that identical mail of two source folders stays two. They share a lane and are
// worked on one after the other, so that none of them looks at what another has under way.

// byTarget groups jobs by their target folder, in the order of the first of each. Those come first whose target UIDs
// have to be followed: until then the others cannot tell which messages are theirs.
func byTarget(jobs []*job) (groups [][]*job) {
	at := make(map[string]int)
	for _, j := range jobs {
		i, ok := at[j.raw]
		if !ok {
			i = len(groups)
			at[j.raw] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], j)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(x, y *job) int {
			switch {
			case x.retarget == y.retarget:
				return 0
			case x.retarget:
				return -1
			}
			return 1
		})
	}
	return groups
}

// carriedTo gives the UIDs of a target folder, from from on, that the ledger of any pair knows.
func (p *pass) carriedTo(ctx context.Context, folder string, uidValidity, from uint32) (map[uint32]bool, error) {
	uids, err := p.State.CarriedTo(ctx, folder, uidValidity, from)
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		out[uid] = true
	}
	return out, nil
}

// withoutSiblings leaves out what other pairs have carried to a target folder, as far as their UIDs are those of
// uidValidity for certain.
func (p *pass) withoutSiblings(ctx context.Context, pair state.Pair, folder string, uidValidity uint32, there []known) ([]known, error) {
	all, err := p.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	theirs := make(map[uint32]bool)
	for _, q := range all {
		if q.ID == pair.ID || q.Target != folder || q.TargetMark.UIDValidity != uidValidity {
			continue
		}
		rows, err := p.State.RowsByTarget(ctx, q.ID, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			theirs[r.TargetUID] = true
		}
	}
	return slices.DeleteFunc(there, func(k known) bool { return theirs[k.uid] }), nil
}

// openBeside reports that another pair has an intent for this pair's target folder that is not settled: its messages
// are there without being in the ledger.
func openBeside(pair state.Pair, pairs map[int64]state.Pair, windows []state.Window) bool {
	return slices.ContainsFunc(windows, func(w state.Window) bool {
		return w.State == state.WindowOpen && w.Pair != pair.ID && pairs[w.Pair].Target == pair.Target
	})
}

// sharesTarget reports that another pair has the same target folder: it is not this pair's alone to rename.
func sharesTarget(stored []state.Pair, p state.Pair) bool {
	return slices.ContainsFunc(stored, func(q state.Pair) bool { return q.ID != p.ID && q.Target == p.Target })
}

// renameShared gives all pairs of a target folder that was renamed its new name.
func (a *attempt) renameShared(ctx context.Context, stored []state.Pair, was string, f *imapx.Folder) error {
	for i := range stored {
		p := &stored[i]
		if p.Target != was {
			continue
		}
		p.Target, p.TargetName, p.TargetMailboxID = f.Raw, f.Name, f.MailboxID
		if err := a.State.RenamePair(ctx, p.ID, *p); err != nil {
			return err
		}
	}
	return nil
}

// handOver ends what a pair knew of messages that another pair of the same target folder has taken over.
func (a *attempt) handOver(ctx context.Context, src, dst *job, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	if dst.pair.TargetMark.UIDValidity == 0 { // its rows have to be found again
		dst.pair.TargetMark = src.pair.TargetMark
		if err := a.State.CommitTargetMark(ctx, dst.pair.ID, dst.pair.TargetMark); err != nil {
			return err
		}
	}
	a.notice(fmt.Sprintf("%s: %s moved to %s on the source; both are %s on the target", src.source.Name,
		counted(len(uids), "message was", "messages were"), dst.source.Name, dst.name))
	return a.State.DropRows(ctx, src.pair.ID, uids)
}
