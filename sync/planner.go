package sync

import (
	"context"
	"slices"

	"mailmove/state"
)

// everMade leaves out pairs whose target folder was refused before anything was carried: such a pair binds nothing, and
// the rules of this pass may lead its mail to a better name.
func (a *attempt) everMade(ctx context.Context, stored []state.Pair) ([]state.Pair, error) {
	var out []state.Pair
	for _, p := range stored {
		if a.target.Complete && p.TargetMark.UIDValidity == 0 && p.SourceMark == (state.Mark{}) && openable(find(a.target, p.Target)) == nil {
			if rows, err := a.State.CountRows(ctx, p.ID); err != nil {
				return nil, err
			} else if rows == 0 {
				continue
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// plan pairs the folders and gives each pair its task.
func (a *attempt) plan(ctx context.Context) ([]*job, error) {
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	if stored, err = a.followRenames(ctx, stored); err != nil {
		return nil, err
	}
	if err := a.recall(ctx, stored); err != nil {
		return nil, err
	}
	if stored, err = a.everMade(ctx, stored); err != nil {
		return nil, err
	}
	m := mapFolders(a.source, a.target, stored, a.rules)
	if m.err != nil {
		return nil, m.err
	}
	a.tellMapping(m)
	if a.back {
		if err := a.withFloors(ctx, m.pairs); err != nil {
			return nil, err
		}
	}
	var jobs []*job
	var all, opened int64
	created := make(map[string]bool)
	for _, fp := range m.pairs {
		if left, err := a.leaveAside(ctx, fp.source); err != nil {
			return nil, err
		} else if left {
			continue
		}
		rows, exact, err := a.rowsOf(ctx, fp)
		if err != nil {
			return nil, err
		}
		a.ledger += rows
		j := planJob(fp, rows, a.target.Complete)
		j.counted = exact
		j.order = len(jobs)
		within, cancel := both(ctx, a.intake)
		err = a.findArchived(within, a.lanes[0].src, &j, m)
		cancel()
		if err != nil {
			return nil, err
		}
		if err := a.recopy(ctx, &j); err != nil {
			return nil, err
		}
		if err := a.resume(ctx, &j); err != nil {
			return nil, err
		}
		if a.appendOnly {
			j.newMailOnly()
		}
		jobs = append(jobs, &j)
		if fp.source.Mark != nil {
			all += int64(fp.source.Mark.Messages)
		}
		busy := j.task != nothing || j.retarget
		if busy && j.task != createOnly {
			opened++
		}
		if j.create {
			created[j.raw] = true
		}
		if !a.planned { // a second attempt goes on with what the first told
			a.emit(FolderPlanned{Account: a.Account, Source: fp.source.Name, Target: fp.name, Create: j.create,
				Messages: int64(messages(fp.source)), Copy: j.estimate, Opened: busy, Why: fp.why, Trouble: fp.trouble})
		}
	}
	a.planned = true
	if slices.ContainsFunc(jobs, func(j *job) bool { return j.retarget || j.tookAway() || a.deserted(j) }) {
		for _, j := range jobs { // how much is gone is told as a share of all
			if err := a.countRows(ctx, j); err != nil {
				return nil, err
			}
		}
	}
	a.count(func(r *Report) {
		r.Folders, r.SourceMessages, r.FoldersOpened = int64(len(jobs)), all, opened
		if a.DryRun {
			r.FoldersCreated = int64(len(created))
		}
	})
	return jobs, nil
}

// rowsOf counts a pair's rows. Where nothing changed on the source it is enough to know that there are some: counting
// them would be work in proportion to the mailbox.
func (a *attempt) rowsOf(ctx context.Context, fp folderPair) (rows int64, exact bool, err error) {
	if fp.stored == nil {
		return 0, true, nil
	}
	if fp.source.Mark != nil && unchanged(fp.source.Mark, fp.stored.SourceMark) {
		some, err := a.State.HasRows(ctx, fp.stored.ID)
		if some {
			rows = 1
		}
		return rows, !some, err
	}
	rows, err = a.State.CountRows(ctx, fp.stored.ID)
	return rows, true, err
}

// countRows makes a job's number of rows exact.
func (a *attempt) countRows(ctx context.Context, j *job) error {
	if j.counted {
		return nil
	}
	rows, err := a.State.CountRows(ctx, j.pair.ID)
	if err != nil {
		return err
	}
	a.ledger += rows - j.rows
	j.rows, j.counted = rows, true
	return nil
}
