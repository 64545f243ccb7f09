package cmd

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"mailmove/state"
	"mailmove/state/fleet"
)

// choose marks the accounts that the flags mean, among the rows that are sound.
func (r *listRun) choose(ctx context.Context) error {
	l := &r.f.list
	for _, e := range r.entries {
		if len(e.problems) > 0 || !l.shard.has(e.account) || r.f.id != "" && r.f.id != e.account ||
			len(l.groups) > 0 && !slices.Contains(l.groups, e.group) {
			continue
		}
		e.chosen = true
		if len(l.only) > 0 {
			known, err := r.past(ctx, e)
			if err != nil {
				return err
			}
			e.chosen = slices.ContainsFunc(l.only, func(word string) bool { return isMeant(word, known) })
		}
	}
	return r.misspelt(l)
}

// isMeant tells whether an account with that past is meant by a word of --only.
func isMeant(word string, o fleet.Outcome) bool {
	switch word {
	case "failed":
		return o.Word == wordFailed
	case "never":
		return o.Last.IsZero()
	case "pending":
		return o.Good.IsZero()
	case "exceptions":
		return o.Exceptions > 0
	}
	return false
}

// wasRefusedBefore tells whether the last pass over an account ended with its login.
func wasRefusedBefore(o fleet.Outcome) bool {
	return o.Word == wordFailed && (o.Code == authCode("source") || o.Code == authCode("target"))
}

// misspelt refuses a name that no row has: a slip would look like a run that had nothing to do.
func (r *listRun) misspelt(l *listFlags) error {
	for _, g := range l.groups {
		if !slices.ContainsFunc(r.entries, func(e *entry) bool { return e.group == g }) {
			return &failure{code: exitNoInput, what: "--group " + shown(g) + ": no row of " + r.list.Name + " is of that group",
				hint: "a row without a group is of its source's domain"}
		}
	}
	if r.f.id != "" && !slices.ContainsFunc(r.entries, func(e *entry) bool { return e.account == r.f.id }) {
		return &failure{code: exitNoInput, what: "--id " + shown(r.f.id) + ": no row of " + r.list.Name + " has that name"}
	}
	return nil
}

// past is how the last pass over an account ended. Where no run over a list has noted that, its own state is asked.
func (r *listRun) past(ctx context.Context, e *entry) (fleet.Outcome, error) {
	if o, known := r.before[e.account]; known {
		return o, nil
	}
	path := filepath.Join(r.dir, state.FileName(e.account))
	if !exists(path) {
		return fleet.Outcome{}, nil
	}
	s, err := state.Inspect(ctx, path)
	if err != nil && ctx.Err() != nil {
		return fleet.Outcome{}, err
	}
	if err != nil { // its pass will say so; the others are not held up by it
		text, _ := describe(err)
		return fleet.Outcome{Account: e.account, Word: wordFailed, Text: text}, nil
	}
	o := fleet.Outcome{Account: e.account, Exceptions: s.Exceptions - s.Accepted, Final: !s.Final.IsZero()}
	for i, p := range s.Passes {
		if i == 0 {
			o.Last = p.Ended
			o.Word = map[string]string{state.ResultFailed: wordFailed, state.ResultDone: wordDone, state.ResultExceptions: wordDone}[p.Result]
			if o.Last.IsZero() {
				o.Last = p.Started
			}
		}
		if o.Mail.IsZero() && p.Copied > 0 {
			o.Mail = p.Ended
		}
		if o.Good.IsZero() && (p.Result == state.ResultDone || p.Result == state.ResultExceptions) {
			o.Good = p.Ended
		}
	}
	return o, nil
}

// inOrder gives the chosen accounts, small deltas first: those that came to an end before, then those that began, then new
// ones, then those whose login was refused the last time: three of them in a row would keep the others out; of two the one with the smaller state, which is the one with less mail; else as they stand in the list.
func (r *listRun) inOrder() []*entry {
	type placed struct {
		*entry
		class int
		size  int64
	}
	var all []placed
	for _, e := range r.entries {
		if !e.chosen {
			continue
		}
		p := placed{entry: e, class: 2}
		if info, err := os.Stat(filepath.Join(r.dir, state.FileName(e.account))); err == nil {
			p.size, p.class = info.Size(), 1
		}
		if !r.before[e.account].Good.IsZero() {
			p.class = 0
		}
		if e.refused = wasRefusedBefore(r.before[e.account]); e.refused {
			p.class = 3
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(x, y placed) int {
		if x.class != y.class {
			return x.class - y.class
		}
		return int(max(-1, min(1, x.size-y.size)))
	})
	out := make([]*entry, len(all))
	for i, p := range all {
		out[i] = p.entry
	}
	return out
}
