package sync

import (
	"context"
	"slices"

	"mailmove/imapx"
	"mailmove/state"
)

// A window is adrift when its target folder has another UIDVALIDITY than it was meant for: the folder was made anew, or
// the server renumbers at each delivery, as GNU mailutils' imap4d does. It stays open until the folder is matched anew, for
// what it stored is there and not in the ledger, and would be sent a second time.

// setAdrift puts off the windows of a pair that are open, and closes those that are only watched.
func (a *attempt) setAdrift(ctx context.Context, pair int64, windows []state.Window) error {
	for _, w := range windows {
		if w.State == state.WindowOpen {
			a.adrift[pair] = append(a.adrift[pair], w)
			continue
		}
		if err := a.State.CloseWindow(ctx, w.ID); err != nil {
			return err
		}
	}
	return nil
}

// landfall has the target folders matched anew whose windows are adrift, and closes what no pair is worked on for.
func (a *attempt) landfall(ctx context.Context, jobs []*job) error {
	worked := make(map[int64]bool)
	for _, j := range jobs {
		worked[j.pair.ID] = true
		if len(a.adrift[j.pair.ID]) > 0 && j.rows > 0 && j.target != nil {
			j.retarget = true
		}
	}
	for pair := range a.adrift {
		if !worked[pair] {
			if err := a.closeAdrift(ctx, pair); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeAdrift ends a pair's windows once its target folder was matched.
func (a *attempt) closeAdrift(ctx context.Context, pair int64) error {
	for _, w := range a.adrift[pair] {
		if err := a.State.CloseWindow(ctx, w.ID); err != nil {
			return err
		}
	}
	return nil
}

// claim records what windows that are adrift had stored, among the messages of the target folder that the ledger's rows
// do not explain.
func (l *lane) claim(ctx context.Context, j *job, opened imapx.Opened, there []known, couples []couple) error {
	explained := make([]bool, len(there))
	for _, c := range couples {
		explained[c.a] = true
	}
	spare := pick(there, where(explained, false))
	for _, w := range l.adrift[j.pair.ID] {
		rows := openRows(w)
		matches, err := identify(ctx, l.dst, j.raw, opened.UIDValidity, rowsKnown(rows), spare)
		if err != nil {
			return err
		}
		found := located{uids: make([]uint32, len(rows)), flags: make([]string, len(rows))}
		var stored []state.Row
		taken := make([]bool, len(spare))
		for _, c := range matches {
			found.uids[c.a], found.flags[c.a], taken[c.b] = spare[c.b].uid, spare[c.b].flags, true
			rows[c.a].TargetUID = spare[c.b].uid
			stored = append(stored, rows[c.a])
		}
		if err := l.giveFlags(ctx, l.dst, j.pair, opened.UIDValidity, rows, found); err != nil {
			return err
		}
		if err := l.State.Record(ctx, w.ID, stored, true); err != nil {
			return err
		}
		l.count(func(r *Report) { r.Recovered += int64(len(stored)) })
		spare = pick(spare, where(taken, false))
	}
	return nil
}

// unsettled tells what a pair ends with whose intents have no record yet, nil where it has none: another attempt settles
// them first, for to try the pair again at once would send their messages a second time.
func (l *lane) unsettled(ctx context.Context, j *job, e *imapx.Error) error {
	windows, err := l.State.Windows(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(windows, func(w state.Window) bool { return w.Pair == j.pair.ID && w.State == state.WindowOpen }) {
		return nil
	}
	if again := l.onceMore(e); again != nil {
		return again
	}
	return e
}
