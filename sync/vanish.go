package sync

import (
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// What left its source folder since it was carried, and what came to another one: the two ends of a move.

// lostOnSource reports that messages left the source folder since its marks.
func (j *job) lostOnSource() bool {
	now, then := j.source.Mark, j.pair.SourceMark
	if j.later != nil {
		now = j.later
	}
	return (j.task == copyDelta || j.task == nothing) && j.rows > 0 && now != nil && then.UIDValidity != 0 && now.UIDValidity == then.UIDValidity &&
		uint64(now.Messages) < uint64(then.Messages)+uint64(uint32(now.UIDNext)-then.UIDNext)
}

// listAgain takes the source's marks once more where there is new mail. A server lists its folders one by one: a
// message that was moved meanwhile can be new in one folder of the first listing and still be in its old one. In a
// listing that began later it is gone there.
func (a *attempt) listAgain(ctx context.Context, jobs []*job) error {
	if a.ledger == 0 || !slices.ContainsFunc(jobs, (*job).gainedOnSource) {
		return nil
	}
	visit, cancel := both(ctx, a.intake)
	defer cancel()
	later, err := a.listed(visit, a.lanes[0].src)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		f := find(later, j.source.Raw)
		if f != nil {
			j.later = f.Mark
			continue
		}
		if j.rows == 0 {
			continue
		}
		// What was in it may be what is new elsewhere.
		if again := a.onceMore(&imapx.Error{Op: "LIST", Side: a.from(), Folder: j.source.Name, Text: "gone since it was listed"}); again != nil {
			return again
		}
	}
	return nil
}

// gainedOnSource reports that new messages are to be copied.
func (j *job) gainedOnSource() bool {
	now := j.source.Mark
	if j.archive && len(j.recopy) > 0 {
		return true
	}
	return now != nil && now.Messages > 0 && (j.task == copyAll || j.task == matchTarget || j.task == copyDelta && uint32(now.UIDNext) > j.pair.SourceMark.UIDNext)
}

// vanishedBefore adds what earlier passes saw vanish without learning where it went: the folders of a server are not
// listed in one moment.
func (a *attempt) vanishedBefore(ctx context.Context, jobs []*job, gone []lost) ([]lost, error) {
	if !slices.ContainsFunc(jobs, (*job).gainedOnSource) {
		return gone, nil
	}
	for _, j := range jobs {
		if a.hindered[j] != nil || j.pair.ID == 0 || j.source.Mark == nil || j.task == matchLedger {
			continue
		}
		if err := a.countRows(ctx, j); err != nil {
			return nil, err
		}
		if fresh := int64(uint32(j.source.Mark.UIDNext)) - int64(j.pair.SourceMark.UIDNext); j.rows+fresh <= int64(j.source.Mark.Messages) {
			continue // every row's message is there
		}
		err := a.State.RowsByStatus(ctx, j.pair.ID, state.SourceGone, func(r state.Row) error {
			if r.TargetUID != 0 {
				gone = append(gone, lost{j.pair.ID, r})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// orphans are pairs whose source folder is gone: its messages may have been moved before it was deleted.
func (a *attempt) orphans(ctx context.Context, jobs []*job) ([]*job, error) {
	if !a.source.Complete || !slices.ContainsFunc(jobs, (*job).gainedOnSource) {
		return nil, nil
	}
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	var out []*job
	for _, p := range stored {
		t := find(a.target, p.Target)
		if find(a.source, p.Source) != nil || t == nil || t.Mark == nil || t.Mark.UIDValidity != p.TargetMark.UIDValidity {
			continue
		}
		gone := &imapx.Folder{Raw: p.Source, Name: p.SourceName}
		out = append(out, &job{folderPair: folderPair{source: gone, target: t, raw: p.Target, name: p.TargetName}, pair: p})
	}
	return out, nil
}

// fromOrphans adds the messages of folders that are gone.
func (a *attempt) fromOrphans(ctx context.Context, orphans []*job, gone []lost) ([]lost, error) {
	for _, j := range orphans {
		err := a.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
			if (r.Status == state.Stored || r.Status == state.SourceGone) && r.TargetUID != 0 || r.Status == state.Moved || r.Status == state.Gone {
				gone = append(gone, lost{j.pair.ID, r})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// noteVanished remembers rows that were found nowhere, for the passes to come. Couples count them from at on.
func (a *attempt) noteVanished(ctx context.Context, gone []lost, at int, couples []couple) error {
	found := make(map[int]bool)
	for _, c := range couples {
		found[c.a-at] = true
	}
	left := make(map[int64][]uint32)
	for i, g := range gone {
		if found[i] || g.row.Status != state.Stored {
			continue
		}
		if a.DryRun {
			a.foreseen.left = append(a.foreseen.left, g)
			continue
		}
		left[g.pair] = append(left[g.pair], g.row.SourceUID)
	}
	for _, pair := range slices.Sorted(maps.Keys(left)) {
		if err := a.State.NoteLeft(ctx, pair, left[pair]); err != nil {
			return err
		}
	}
	return nil
}

// rebind is for messages that are back in their folder under new UIDs: the copies on the target are theirs.
func (a *attempt) rebind(ctx context.Context, _, dst *job, couples []couple, gone []lost, news []arrival) error {
	var rows []state.Row
	var old []uint32
	for _, c := range couples {
		r := gone[c.a].row
		old = append(old, r.SourceUID)
		r.SourceUID = news[c.b].uid
		if r.TargetUID != 0 {
			r.Status = state.Stored
		}
		rows = append(rows, r)
	}
	if a.DryRun {
		for _, r := range rows {
			add(a.foreseen.known, dst, r.SourceUID)
		}
		return nil
	}
	if err := a.State.PutRows(ctx, dst.pair.ID, rows); err != nil {
		return err
	}
	was := make(map[uint32]uint32, len(rows))
	for i, r := range rows {
		was[r.SourceUID] = old[i]
	}
	if err := a.State.Inherit(ctx, dst.pair.ID, dst.pair.ID, was); err != nil {
		return err
	}
	dst.estimate = max(0, dst.estimate-int64(len(rows)))
	dst.have(rows)
	return a.State.DropRows(ctx, dst.pair.ID, old)
}

// vanishedRows are rows whose message was carried and is not in its source folder any more.
func (a *attempt) vanishedRows(ctx context.Context, jobs []*job) ([]lost, error) {
	var out []lost
	for _, j := range jobs {
		if a.hindered[j] != nil || !j.lostOnSource() {
			continue
		}
		var there imap.UIDSet
		visit, cancel := both(ctx, a.intake)
		_, err := a.lanes[0].src.Visit(visit, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.source.Mark.UIDValidity,
			Reads: []imapx.Read{{UIDs: from(1)}}}, imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error {
			there = append(there, uids...)
			return nil
		}})
		cancel()
		if again := a.renamedNow(ctx, err); again != nil { // its messages may be what is new elsewhere
			return nil, again
		}
		if err != nil && a.hinder(err, j) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var untold []uint32
		err = a.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
			if there.Contains(imap.UID(r.SourceUID)) {
				return nil
			}
			if r.Status == state.Stored && r.TargetUID != 0 || r.Status == state.Moved || r.Status == state.Gone {
				out = append(out, lost{j.pair.ID, r})
			}
			if r.Status != state.Stored {
				untold = append(untold, r.SourceUID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if a.DryRun {
			continue
		}
		if err := a.State.ClearExceptions(ctx, j.pair.ID, untold); err != nil { // there is no message any more that was not carried
			return nil, err
		}
	}
	return out, nil
}

// arrivals are the new messages of all folders.
func (a *attempt) arrivals(ctx context.Context, jobs []*job) ([]arrival, error) {
	var out []arrival
	for _, j := range jobs {
		if a.hindered[j] != nil || !j.gainedOnSource() {
			continue
		}
		start := max(j.pair.SourceMark.UIDNext, 1)
		have, err := a.State.SourceUIDs(ctx, j.pair.ID, start)
		if err != nil {
			return nil, err
		}
		known := make(map[uint32]bool, len(have))
		for _, uid := range have {
			known[uid] = true
		}
		visit, cancel := both(ctx, a.intake)
		list, _, err := survey(visit, a.lanes[0].src, j.source.Raw, j.source.Mark.UIDValidity, j.arrived(start))
		cancel()
		if err != nil && a.hinder(err, j) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, k := range list {
			if !known[k.uid] && !a.settled[j][k.uid] && j.homeless(k.uid) {
				out = append(out, arrival{j, k})
			}
		}
	}
	return out, nil
}
