package cmd

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"mailmove/state"
	"mailmove/state/fleet"
)

// listed gives what is known of the accounts of a list that the flags mean, in its order, and the group of each. An account
// without state had no pass yet.
func (f *statusFlags) listed(ctx context.Context, a *app, dir string) (all []state.Summary, groups map[string]string, err error) {
	r := &listRun{a: a, f: newSyncFlags(), dir: dir, started: time.Now()}
	r.f.list, r.f.id = f.list, f.id
	if r.list, err = f.list.read(ctx, a, false); err != nil {
		return nil, nil, err
	}
	if err := r.recall(ctx); err != nil {
		return nil, nil, err
	}
	r.name()
	if err := r.refuse(); err != nil {
		return nil, nil, err
	}
	if err := r.choose(ctx); err != nil {
		return nil, nil, err
	}
	groups = make(map[string]string)
	failed := each(a, r.entries, func(e *entry) error {
		if !e.chosen {
			return nil
		}
		s := state.Summary{Account: e.account}
		path := filepath.Join(dir, state.FileName(e.account))
		if exists(path) {
			if s, err = state.Inspect(ctx, path); err != nil {
				return err
			}
		}
		groups[e.account] = e.group
		all = append(all, s)
		return nil
	})
	return all, groups, failed
}

// recall reads how the last passes ended, where that is kept.
func (r *listRun) recall(ctx context.Context) error {
	if !exists(filepath.Join(r.dir, fleet.FileName)) {
		return nil
	}
	f, err := fleet.Open(ctx, r.dir)
	if err != nil {
		return err
	}
	r.before, err = f.Outcomes(ctx)
	if err == nil {
		r.kept, err = f.Groups(ctx)
	}
	return errors.Join(err, f.Close())
}

// name finds out which accounts the rows are, without what only a pass needs: a row that has an id is that account.
func (r *listRun) name() {
	f := newRowFlags(r.more)
	for i := range r.list.Rows {
		row := &r.list.Rows[i]
		e := &entry{row: row, account: row.ID, group: row.Group, problems: row.Problems}
		r.entries = append(r.entries, e)
		p, err := r.build(f, row)
		switch {
		case err == nil:
			e.account = p.account
			e.group = orElse(e.group, domainOf(p.source))
			e.users = [2]string{mailboxName(p.source), mailboxName(p.target)}
		case e.account == "":
			line, hint := describe(err)
			e.problems = append(e.problems, problemOf(row.Line, line, orElse(hint, "give the row an id")))
		}
	}
}
