package sync

import (
	"context"
	"errors"
	"slices"

	"mailmove/imapx"
	"mailmove/state"
)

// Mode is what a pass is for.
type Mode int

const (
	Ordinary Mode = iota // everything that is new; once the final pass is done, new mail only
	Whole                // everything that is new, also after the final pass: another final pass
	Tail                 // new mail only: no flags, no moves, no renames, no folder without mail
)

// ErrNoLedger: a tail is what comes after other passes, and there was none.
var ErrNoLedger = errors.New("no pass over this account has come to its end yet")

// enter decides what kind of pass this is, and brings into the ledger what a reverse pass carried.
func (p *pass) enter(ctx context.Context) error {
	p.appendOnly = p.back || p.Mode == Tail
	if p.back {
		return nil
	}
	if p.Mode == Tail && p.State.Fresh() {
		return ErrNoLedger
	}
	if p.Mode == Ordinary {
		at, err := p.State.Final(ctx)
		if err != nil {
			return err
		}
		p.finalAt, p.appendOnly = at, !at.IsZero()
	}
	if err := p.allowDeletions(ctx); err != nil || p.DryRun {
		return err
	}
	var err error
	p.lookBack, err = p.State.TakeReversed(ctx)
	return err
}

// tellFinal says in a line why only new mail is carried.
func (p *pass) tellFinal() {
	if !p.finalAt.IsZero() {
		p.notice("the final pass was on " + p.finalAt.Local().Format("2006-01-02 15:04 MST") +
			": only new mail is carried, no flags, moves or deletions (sync --reopen ends that)")
	}
}

// from and to are the names of the sides, as errors have them: those of the endpoints, whichever way mail goes.
func (p *pass) from() string {
	if p.back {
		return "target"
	}
	return "source"
}

func (p *pass) to() string {
	if p.back {
		return "source"
	}
	return "target"
}

// newMailOnly takes out of a plan what is no new mail.
func (j *job) newMailOnly() {
	now, then := j.source.Mark, j.pair.SourceMark
	settled := then.UIDNext != 0 && now != nil && now.UIDValidity == then.UIDValidity && uint32(now.UIDNext) == then.UIDNext
	if j.task == createOnly || j.task == copyDelta && settled && len(j.recopy) == 0 || now != nil && now.Messages == 0 && j.rows == 0 {
		j.task, j.create, j.estimate = nothing, false, 0
		j.retarget = j.retarget && j.target != nil
	}
	j.subscribe, j.newOnly = j.subscribe && j.create, true
}

// leaveMoved is followMoves for a pass that carries new mail only: what was moved is no new mail. The copies stay where
// they are.
func (a *attempt) leaveMoved(ctx context.Context, jobs []*job, couples []couple, gone []lost, news []arrival) error {
	byID := make(map[int64]*job)
	for _, j := range jobs {
		byID[j.pair.ID] = j
	}
	left := make(map[*job][]state.Row)
	for _, c := range couples {
		old, dst := gone[c.a], news[c.b].job
		r := old.row
		r.SourceUID = news[c.b].uid
		dst.estimate = max(0, dst.estimate-1)
		if a.DryRun {
			add(a.foreseen.known, dst, r.SourceUID)
			continue
		}
		if dst.pair.ID == 0 {
			if err := a.State.PutPair(ctx, &dst.pair); err != nil {
				return err
			}
		}
		dst.rows++
		left[dst] = append(left[dst], r)
		if dst.task == copyAll {
			dst.task = copyDelta
		}
		if err := a.leaveOne(ctx, byID[old.pair], dst, old.row, r); err != nil {
			return err
		}
	}
	for j, rows := range left {
		j.have(rows)
	}
	for _, j := range jobs {
		if j.create && j.estimate == 0 && j.target == nil && len(j.recopy) == 0 && j.rows > 0 && j.task == copyDelta {
			// Nothing but what was moved: no folder for it, and marks by which it is seen to leave again.
			j.task, j.create, j.subscribe, j.retarget = nothing, false, false, false
			if a.DryRun {
				continue
			}
			j.pair.SourceMark = stateMark(*j.source.Mark)
			if err := a.State.CommitMarks(ctx, j.pair.ID, j.pair.SourceMark, j.pair.TargetMark); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveOne writes down one moved message: in its folder again, or in another one of the same target folder, the copy is
// its own; else the copy is in another folder than the message.
func (a *attempt) leaveOne(ctx context.Context, src, dst *job, old, r state.Row) error {
	var handed, left []uint32
	switch {
	case src == nil: // of a folder that is gone, or known without its UID
		r.TargetUID, r.Status = 0, state.Moved
	case src == dst:
		if r.TargetUID != 0 {
			r.Status = state.Stored
		}
	case src.shows(old.SourceUID):
		r.TargetUID, r.Status = 0, state.Moved
	case src.raw == dst.raw && r.TargetUID != 0:
		r.Status, handed = state.Stored, []uint32{old.SourceUID}
	default:
		r.TargetUID, r.Status, left = 0, state.Moved, []uint32{old.SourceUID}
	}
	if err := a.State.PutRows(ctx, dst.pair.ID, []state.Row{r}); err != nil || src == nil {
		return err
	}
	if src == dst {
		return a.State.DropRows(ctx, dst.pair.ID, []uint32{old.SourceUID})
	}
	if err := a.State.SetStatus(ctx, src.pair.ID, left, state.SourceGone); err != nil {
		return err
	}
	return a.handOver(ctx, src, dst, handed)
}

// withFloors gives the pairs of a reverse pass the marks that their folders had when the final pass began, until they
// have marks of their own. A folder without mail of the ledger has them too: what is older is nobody's to carry back.
func (a *attempt) withFloors(ctx context.Context, pairs []folderPair) error {
	floors, err := a.State.Floors(ctx)
	if err != nil {
		return err
	}
	for i := range pairs {
		p := &pairs[i]
		floor, known := floors[p.source.Raw]
		if own := p.stored; !known || own != nil && (own.SourceMark.UIDNext > 1 || own.SourceMark.UIDValidity != 0 && own.SourceMark.UIDValidity != floor.UIDValidity) {
			continue
		}
		s := state.Pair{Source: p.source.Raw, SourceName: p.source.Name, Target: p.raw, TargetName: p.name}
		if p.stored != nil {
			s = *p.stored
		}
		s.SourceMark = floor
		p.stored = &s
	}
	return nil
}

// rehomed adds, in a reverse pass, the messages of the old side that people moved on the new one before the ledger of
// the way back began: they came from where it leads.
func (a *attempt) rehomed(ctx context.Context, gone []lost) ([]lost, error) {
	if !a.back {
		return gone, nil
	}
	rows, err := a.ledgerOf.Rehomed(ctx)
	for _, r := range rows {
		gone = append(gone, lost{0, r})
	}
	return gone, err
}

// lateBack looks, before mail is carried, for what a dead connection of a reverse pass stored on the source after it was
// sent again: it is no new mail. The source is not written to, so that it stays there, and is told.
func (a *attempt) lateBack(ctx context.Context) error {
	if !a.lookBack {
		return nil
	}
	back := a.State.Reversed()
	mirror := &attempt{pass: &pass{Options: Options{State: back}}}
	windows, err := back.Windows(ctx)
	if err != nil {
		return err
	}
	ended, err := a.passBeforeEnded(ctx)
	if err != nil {
		return err
	}
	if !ended {
		if err := mirror.allSentAgain(ctx, windows); err != nil {
			return err
		}
	}
	pairs, err := mirror.pairsByID(ctx)
	if err != nil {
		return err
	}
	for _, w := range windows {
		if err := a.lateIn(ctx, mirror, pairs[w.Pair], w); err != nil {
			return err
		}
		if !ended { // nobody had looked yet: the next pass looks a last time
			continue
		}
		if err := a.State.CloseWindow(ctx, w.ID); err != nil {
			return err
		}
	}
	a.lookBack = false
	return nil
}

// allSentAgain is state.ErrReverseOpen where a reverse pass ended before it had sent again what a dead connection may have
// stored: what of it lands meanwhile is the message itself and no double, and looks like new mail.
func (a *attempt) allSentAgain(ctx context.Context, windows []state.Window) error {
	for _, w := range windows {
		var uids []uint32
		for _, r := range openRows(w) {
			uids = append(uids, r.SourceUID)
		}
		rows, err := a.State.RowsBySource(ctx, w.Pair, uids)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(uids, func(uid uint32) bool { _, is := rows[uid]; return !is }) {
			return state.ErrReverseOpen
		}
	}
	return nil
}

func (a *attempt) lateIn(ctx context.Context, mirror *attempt, way state.Pair, w state.Window) error {
	src := a.lanes[0].src
	there, _, err := survey(ctx, src, way.Target, w.UIDValidity, from(max(w.Floor, 1)))
	var ie *imapx.Error
	if errors.As(err, &ie) && ie.Scope == imapx.ScopeFolder && ie.Retry == imapx.RetryNever {
		return nil // the folder is gone, or another one: its UIDs mean nothing
	}
	if err != nil {
		return err
	}
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(stored, func(p state.Pair) bool { return p.Source == way.Target })
	if at < 0 {
		return nil // it was never carried, or is left out
	}
	told, err := a.knownFrom(ctx, stored[at].ID, w.Floor)
	if err != nil {
		return err
	}
	doubles, err := mirror.findDoubles(ctx, src, way, w, there, told)
	if err != nil {
		return err
	}
	for _, d := range doubles {
		r := state.Row{Status: state.Moved}
		if i := slices.IndexFunc(w.Rows, func(r state.Row) bool { return r.SourceUID == d.source }); i >= 0 {
			r = w.Rows[i]
		}
		// As a message whose copy is elsewhere on the target: that is known again where it is moved on the source.
		r.SourceUID, r.TargetUID, r.Status = d.target, 0, state.Moved
		if err := a.State.PutRows(ctx, stored[at].ID, []state.Row{r}); err != nil {
			return err
		}
		if err := a.except(ctx, state.Exception{Pair: stored[at].ID, Folder: stored[at].SourceName, UID: d.target, Reason: reasonLateDouble,
			Detail: "a reverse pass stored it on the source twice; the second copy is not carried to the target"}); err != nil {
			return err
		}
	}
	return nil
}

// knownFrom gives the source UIDs, from floor on, that a pair's rows have. A late double is among them once it was found:
// each window of a message that was sent three times has a double of its own to find.
func (a *attempt) knownFrom(ctx context.Context, pair int64, floor uint32) (map[uint32]bool, error) {
	uids, err := a.State.SourceUIDs(ctx, pair, floor)
	known := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		known[uid] = true
	}
	return known, err
}
