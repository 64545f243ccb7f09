package sync

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Messages below the mark that are to be carried: what earlier passes deferred and the filter lets through now, and on
// request what is gone on the target. What is deferred and not on the source any more is forgotten.

// wanted plans messages of the ledger that are to be carried, or carried again.
func (j *job) wanted(uids []uint32) {
	if len(uids) == 0 {
		return
	}
	j.recopy = sortedUIDs(append(j.recopy, uids...))
	if j.task == nothing {
		j.task = copyDelta
		j.create = j.target == nil
		j.retarget = j.retarget || j.create
	}
	j.estimate += int64(len(uids))
}

// recopy plans what is gone-on-target and is wanted again.
func (a *attempt) recopy(ctx context.Context, j *job) error {
	if !a.RecopyGone || j.pair.ID == 0 {
		return nil
	}
	var gone []uint32
	err := a.State.RowsByStatus(ctx, j.pair.ID, state.Gone, func(r state.Row) error {
		gone = append(gone, r.SourceUID)
		return nil
	})
	j.wanted(gone)
	return err
}

// resume plans what the filter lets through now. Where the UIDs mean something else (matchLedger) the rows go, and
// their messages are looked at as new ones.
func (a *attempt) resume(ctx context.Context, j *job) error {
	j.deferred = a.deferred[j.pair.ID]
	if j.deferred > 0 {
		if err := a.countRows(ctx, j); err != nil {
			return err
		}
	}
	a.ledger -= j.deferred // never carried
	if j.deferred == 0 || j.task == matchLedger {
		return nil
	}
	var uids []uint32
	err := a.State.DeferredRows(ctx, j.pair.ID, func(r state.Row) error {
		if a.carries(j, r.SourceUID, r.Date, r.Size) {
			uids = append(uids, r.SourceUID)
		}
		return nil
	})
	j.resumed = int64(len(uids))
	j.wanted(uids)
	return err
}

// recall reads what earlier passes deferred, and which flags they could not carry. It forgets what is
// deferred in folders that are not on the source any more, so it comes after renames were followed.
func (a *attempt) recall(ctx context.Context, stored []state.Pair) (err error) {
	if a.unkept, err = a.State.Unkept(ctx); err != nil {
		return err
	}
	if a.deferred, err = a.State.CountDeferred(ctx); err != nil || a.DryRun || !a.source.Complete {
		return err
	}
	for _, p := range stored {
		if a.deferred[p.ID] == 0 || find(a.source, p.Source) != nil || a.isAside(p.ID) {
			continue
		}
		if err := a.State.ForgetDeferred(ctx, p.ID); err != nil {
			return err
		}
		delete(a.deferred, p.ID)
	}
	return nil
}

// isAside reports that a folder was left aside because it may be this pair's under another name.
func (a *attempt) isAside(pair int64) bool {
	for _, s := range a.asides {
		if s.pair == pair {
			return true
		}
	}
	return false
}

// thin drops the deferred rows of messages that were removed from their source folder.
func (a *attempt) thin(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		unsure := j.task == copyDelta && j.pair.SourceMark.UIDValidity == 0 // no mark yet to see a loss by
		if j.deferred == 0 || a.hindered[j] != nil || !unsure && !j.lostOnSource() {
			continue
		}
		err := a.thinOne(ctx, j)
		if again := a.renamedNow(ctx, err); again != nil {
			return again
		}
		if err != nil && !a.hinder(err, j) {
			return err
		}
	}
	return nil
}

func (a *attempt) thinOne(ctx context.Context, j *job) error {
	var there imap.UIDSet
	visit, cancel := both(ctx, a.intake)
	defer cancel()
	_, err := a.lanes[0].src.Visit(visit, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(),
		Reads: []imapx.Read{{UIDs: from(1)}}}, imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error {
		there = append(there, uids...)
		return nil
	}})
	if err != nil {
		return err
	}
	var gone []uint32
	err = a.State.DeferredRows(ctx, j.pair.ID, func(r state.Row) error {
		if !there.Contains(imap.UID(r.SourceUID)) {
			gone = append(gone, r.SourceUID)
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	// A row that is dropped is below the mark and not looked at again: a second question, which proves what is
	// missing, has to agree.
	still := make(map[uint32]bool)
	res, err := a.lanes[0].src.Visit(visit, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(),
		Reads: []imapx.Read{{UIDs: uidSet(gone), Want: imapx.WantFlags}}}, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		still[uint32(m.UID)] = true
		return nil
	}})
	if err != nil {
		return err
	}
	gone = slices.DeleteFunc(gone, func(uid uint32) bool { return still[uid] || res.Failed[imap.UID(uid)] != nil })
	if err := a.countRows(ctx, j); err != nil {
		return err
	}
	j.rows -= int64(len(gone))
	j.deferred -= int64(len(gone))
	return a.State.DropRows(ctx, j.pair.ID, gone)
}

// stillWanted leaves of what is to be carried again what an earlier try of this attempt has not carried yet.
func (l *lane) stillWanted(ctx context.Context, j *job) error {
	rows, err := l.State.RowsBySource(ctx, j.pair.ID, j.recopy)
	j.recopy = slices.DeleteFunc(j.recopy, func(uid uint32) bool {
		s := rows[uid].Status
		return s != state.Gone && s != state.Deferred
	})
	return err
}

// neverCame drops deferred rows that were asked for and are deferred still: the source read them without an error
// and does not have them any more.
func (l *lane) neverCame(ctx context.Context, j *job) error {
	if len(j.recopy) == 0 {
		return nil
	}
	rows, err := l.State.RowsBySource(ctx, j.pair.ID, j.recopy)
	if err != nil {
		return err
	}
	var gone []uint32
	for uid, r := range rows {
		if r.Status == state.Deferred {
			gone = append(gone, uid)
		}
	}
	return l.State.DropRows(ctx, j.pair.ID, gone)
}
