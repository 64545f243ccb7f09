package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// A message that is not in its target folder any more was moved or deleted by its user, or lost by a fault: a
// restored server, retention that deletes old mail. The review finds out which, where the target's marks say that
// something was taken away.

// Above this share of an account and this number of messages, absence is no user's decision.
const (
	gonePercent = 5
	goneAtLeast = 20
)

// lost is a ledger row whose message is not in its target folder.
type lost struct {
	pair int64
	row  state.Row
}

// tookAway reports that messages left the target folder since it was last looked at: it has fewer than it had
// plus all UIDs that it gave out.
func (j *job) tookAway() bool {
	then := j.pair.TargetMark
	if j.rows == 0 || j.retarget || then.UIDValidity == 0 || j.target == nil || j.target.Mark == nil {
		return false
	}
	now := j.target.Mark
	return now.UIDValidity == then.UIDValidity && uint32(now.UIDNext) >= then.UIDNext && now.UIDNext != 0 &&
		uint64(now.Messages) < uint64(then.Messages)+uint64(uint32(now.UIDNext)-then.UIDNext)
}

// review looks at every target folder that lost messages, searches them in the folders that gained some, and
// remembers them as moved or gone-on-target.
func (a *attempt) review(ctx context.Context, jobs []*job) error {
	if a.appendOnly { // people live in the target; whatever they do there is theirs
		return nil
	}
	var missing []lost
	var looked []*job
	for _, j := range jobs {
		if !a.DryRun && a.deserted(j) { // a dry run does not know whether the folder was renamed
			list, err := a.storedRows(ctx, j)
			if err != nil {
				return err
			}
			missing = append(missing, list...)
		}
		if !j.tookAway() {
			continue
		}
		list, err := a.missingFrom(ctx, j)
		if err != nil && a.hinder(err, j) {
			continue
		}
		if err != nil {
			return err
		}
		missing = append(missing, list...)
		looked = append(looked, j)
	}
	if len(missing) > 0 {
		err := a.sortMissing(ctx, jobs, missing)
		if err != nil && a.hinder(err, looked...) {
			return nil // a folder that cannot be looked into may hold them: nothing is decided
		}
		if err != nil {
			return err
		}
	}
	for _, j := range looked {
		if a.DryRun {
			break
		}
		j.pair.TargetMark = stateMark(*j.target.Mark)
		if err := a.State.CommitTargetMark(ctx, j.pair.ID, j.pair.TargetMark); err != nil {
			return err
		}
	}
	return nil
}

// deserted reports that a target folder with carried mail is not there any more, under no name.
func (a *attempt) deserted(j *job) bool {
	return j.stored != nil && j.rows > 0 && j.target == nil && a.target.Complete
}

// storedRows gives all rows of a pair that should be on the target.
func (a *attempt) storedRows(ctx context.Context, j *job) ([]lost, error) {
	var out []lost
	err := a.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
		if r.Status == state.Stored {
			out = append(out, lost{j.pair.ID, r})
		}
		return nil
	})
	return out, err
}

// missingFrom gives the rows of a pair that are not in its target folder.
func (a *attempt) missingFrom(ctx context.Context, j *job) ([]lost, error) {
	var there imap.UIDSet
	res, err := a.lanes[0].dst.Visit(ctx, imapx.Visit{Folder: j.raw, UIDValidity: j.target.Mark.UIDValidity,
		Reads: []imapx.Read{{UIDs: from(1)}}}, imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error {
		there = append(there, uids...)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	*j.target.Mark = res.Opened.Mark
	var out []lost
	err = a.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
		if r.Status == state.Stored && r.TargetUID != 0 && !there.Contains(imap.UID(r.TargetUID)) {
			out = append(out, lost{j.pair.ID, r})
		}
		return nil
	})
	return out, err
}

// sortMissing tells messages that are in another target folder now from those that are nowhere.
func (a *attempt) sortMissing(ctx context.Context, jobs []*job, missing []lost) error {
	rows := make([]state.Row, len(missing))
	for i, m := range missing {
		rows[i] = m.row
	}
	wanted := rowsKnown(rows)
	moved := make([]bool, len(missing))
	places, err := a.gained(ctx)
	if err != nil {
		return err
	}
	for _, f := range places {
		var open []int
		for i := range wanted {
			if !moved[i] {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		found, err := a.lookIn(ctx, f, pick(wanted, open))
		if err != nil {
			return err
		}
		for _, i := range found {
			moved[open[i]] = true
		}
	}
	return a.remember(ctx, missing, moved)
}

func pick(list []known, at []int) []known {
	out := make([]known, len(at))
	for k, i := range at {
		out[k] = list[i]
	}
	return out
}

// place is a target folder and the UID from which on it may hold what was moved there.
type place struct {
	folder   string
	validity uint32
	floor    uint32
}

// gained are the target folders that have given out UIDs since they were last looked at, or that no pair knows.
func (a *attempt) gained(ctx context.Context) ([]place, error) {
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	then := make(map[string][]state.Mark)
	for _, p := range stored {
		then[p.Target] = append(then[p.Target], p.TargetMark)
	}
	var out []place
	for _, f := range a.target.Folders {
		if !f.Selectable || f.Mark == nil || f.Mark.Messages == 0 {
			continue
		}
		floor := uint32(0)
		for _, m := range then[f.Raw] {
			if m.UIDValidity == f.Mark.UIDValidity && (floor == 0 || m.UIDNext < floor) {
				floor = m.UIDNext
			}
		}
		floor = max(floor, 1)
		if f.Mark.UIDNext == 0 || uint32(f.Mark.UIDNext) > floor {
			out = append(out, place{f.Raw, f.Mark.UIDValidity, floor})
		}
	}
	return out, nil
}

// lookIn gives the indexes of the wanted messages that a folder holds outside the ledger's own.
func (a *attempt) lookIn(ctx context.Context, p place, wanted []known) ([]int, error) {
	there, _, err := survey(ctx, a.lanes[0].dst, p.folder, p.validity, from(p.floor))
	if err != nil {
		return nil, err
	}
	carried, err := a.carriedTo(ctx, p.folder, p.validity, p.floor)
	if err != nil {
		return nil, err
	}
	there = slices.DeleteFunc(there, func(k known) bool { return carried[k.uid] })
	sure, doubt, doubtThere := matchSure(wanted, there)
	if len(doubt) > 0 {
		if _, err := digests(ctx, a.lanes[0].dst, p.folder, p.validity, there, doubtThere); err != nil {
			return nil, err
		}
		sure = append(sure, matchDigests(wanted, there, doubt, doubtThere)...)
	}
	var out []int
	for _, c := range sure {
		out = append(out, c.a)
	}
	return out, nil
}

// remember writes what became of missing messages, and raises the alarm where it cannot be a person's doing.
func (a *attempt) remember(ctx context.Context, missing []lost, moved []bool) error {
	type group struct {
		pair   int64
		status state.Status
	}
	groups := make(map[group][]uint32)
	var gone int64
	for i, m := range missing {
		g := group{m.pair, state.Gone}
		if moved[i] {
			g.status = state.Moved
		} else {
			gone++
		}
		groups[g] = append(groups[g], m.row.SourceUID)
	}
	if a.DryRun {
		for g, uids := range groups {
			add(a.foreseen.absent, g.pair, uids...)
		}
		clear(groups)
	}
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(x, y group) int { return int(x.pair-y.pair)*8 + int(x.status) - int(y.status) }) {
		if err := a.State.SetStatus(ctx, g.pair, groups[g], g.status); err != nil {
			return err
		}
	}
	a.count(func(r *Report) { r.Gone += gone; r.Moved += int64(len(missing)) - gone })
	return nil
}

// alarm raises an exception where more is gone than a person takes away between two passes.
func (a *attempt) alarm(ctx context.Context) error {
	var gone int64
	a.count(func(r *Report) { gone = r.Gone })
	all := a.ledger
	if gone <= goneAtLeast || gone*100 <= all*gonePercent {
		return nil
	}
	return a.except(ctx, state.Exception{Reason: reasonGone, Detail: fmt.Sprintf(
		"%d of %d messages that were carried are not on the target any more, in no folder: a restored server, retention or a fault? They are not sent again by themselves; --recopy-gone does it",
		gone, all)})
}
