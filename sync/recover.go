package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// relist is the pause between two looks at a target on which a dead connection's append may still land.
const relist = 250 * time.Millisecond

// recoverWindows settles the intents that an earlier pass or attempt left open, before anything is sent: what
// is on the target is recorded, the rest will be sent again, and late landings are looked for. All open intents
// are settled before the first late double is removed, so that a removed UID never passes for a vanished one.
func (a *attempt) recoverWindows(ctx context.Context, dst Target) error {
	windows, err := a.State.Windows(ctx)
	if err != nil || len(windows) == 0 {
		return err
	}
	a.noteIntended(windows)
	if a.unkept, err = a.State.Unkept(ctx); err != nil { // what was stored without these has all its flags
		return err
	}
	pairs, err := a.pairsByID(ctx)
	if err != nil {
		return err
	}
	dead := time.Now()
	open := make(map[int64][]state.Window)
	for _, w := range windows {
		if w.State == state.WindowOpen {
			open[w.Pair] = append(open[w.Pair], w)
			continue
		}
		for _, r := range w.Rows {
			a.late[r.Digest] = true
		}
	}
	for id, list := range open {
		if err := a.recoverPair(ctx, dst, pairs[id], list, dead); err != nil {
			return err
		}
	}
	if err := a.lookAgain(ctx, dst, pairs, windows); err != nil {
		return err
	}
	return a.settleAltered(ctx, windows)
}

// lookAgain looks for late landings of the windows that are watched. Where the pass before came to its end it looked too,
// and the second look is the last. A pass that was killed may have sent nothing again yet: its windows are this pass's own.
func (a *attempt) lookAgain(ctx context.Context, dst Target, pairs map[int64]state.Pair, windows []state.Window) error {
	ended, err := a.passBeforeEnded(ctx)
	if err != nil {
		return err
	}
	for _, w := range windows {
		if w.State != state.WindowWatched {
			continue
		}
		if err := a.removeDoubles(ctx, dst, pairs[w.Pair], w); err != nil {
			return err
		}
		switch {
		case a.watched[w.ID]:
		case ended:
			if err := a.State.CloseWindow(ctx, w.ID); err != nil {
				return err
			}
		default:
			a.watched[w.ID], a.recovered = true, time.Now()
		}
	}
	return nil
}

// passBeforeEnded reports that the pass before this one came to its end.
func (a *attempt) passBeforeEnded(ctx context.Context) (bool, error) {
	last, err := a.State.Passes(ctx, 2) // this one is the first
	if err != nil || len(last) < 2 {
		return false, err
	}
	return last[1].Result == state.ResultDone || last[1].Result == state.ResultExceptions, nil
}

func (a *attempt) pairsByID(ctx context.Context) (map[int64]state.Pair, error) {
	list, err := a.State.Pairs(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]state.Pair, len(list))
	for _, p := range list {
		out[p.ID] = p
	}
	return out, nil
}

// openRows are the window's messages that the ledger does not have.
func openRows(w state.Window) []state.Row {
	var out []state.Row
	for _, r := range w.Rows {
		if r.TargetUID == 0 && r.Status == state.Stored {
			out = append(out, r)
		}
	}
	return out
}

// recoverPair decides for the open intents of one pair what is stored, all together: identical messages may be in
// several of them. As long as something is absent, it waits for the settling time, counted from when the
// connection is known to be dead.
func (a *attempt) recoverPair(ctx context.Context, dst Target, pair state.Pair, windows []state.Window, dead time.Time) error {
	floor := windows[0].Floor
	for _, w := range windows {
		if w.UIDValidity != windows[0].UIDValidity {
			return a.forget(ctx, pair, windows)
		}
		floor = min(floor, w.Floor)
	}
	var found located
	missing := 0
	for {
		var rows []state.Row
		for _, w := range windows {
			rows = append(rows, openRows(w)...)
		}
		if missing = len(rows); missing == 0 {
			break
		}
		var err error
		if found, err = a.locate(ctx, dst, pair, windows[0].UIDValidity, floor, rows); err != nil {
			return a.targetLost(ctx, pair, windows, err)
		}
		if err := a.giveFlags(ctx, dst, pair, windows[0].UIDValidity, rows, found); err != nil {
			return a.targetLost(ctx, pair, windows, err)
		}
		n, err := a.recordFound(ctx, windows, rows, found.uids)
		if err != nil {
			return err
		}
		if missing -= n; missing == 0 || time.Since(dead) >= a.Settle {
			break
		}
		if err := pause(a.intake, relist); err != nil {
			return err
		}
	}
	lost := found.vanished(floor)
	for _, w := range windows {
		rest := openRows(w)
		if len(rest) == 0 && !a.sentBefore(w) {
			if err := a.State.CloseWindow(ctx, w.ID); err != nil {
				return err
			}
			continue
		}
		unsure := rest[:min(lost, len(rest))]
		lost -= len(unsure)
		if err := a.ambiguous(ctx, pair, unsure); err != nil {
			return err
		}
		if err := a.State.SetWindow(ctx, w.ID, state.WindowWatched); err != nil {
			return err
		}
		a.watched[w.ID] = true
		a.recovered = time.Now()
	}
	if missing > 0 {
		a.notice(pair.SourceName + ": " + counted(missing, "message of an interrupted pass had not arrived, it is sent again",
			"messages of an interrupted pass had not arrived, they are sent again"))
	}
	return nil
}

// sentBefore reports that some of a window's messages were sent earlier by a connection that died: what is found may have
// been stored by that one, and this window's may still land.
func (a *attempt) sentBefore(w state.Window) bool {
	return slices.ContainsFunc(w.Rows, func(r state.Row) bool { return a.late[r.Digest] })
}

// recordFound writes what was found into the ledger and into the windows, and says how many it was.
func (a *attempt) recordFound(ctx context.Context, windows []state.Window, rows []state.Row, uids []uint32) (int, error) {
	at := make(map[uint32]uint32)
	for i, r := range rows {
		if uids[i] != 0 {
			at[r.SourceUID] = uids[i]
		}
	}
	for _, w := range windows {
		var found []state.Row
		for i := range w.Rows {
			if uid := at[w.Rows[i].SourceUID]; uid != 0 && w.Rows[i].TargetUID == 0 {
				w.Rows[i].TargetUID = uid
				found = append(found, w.Rows[i])
			}
		}
		if len(found) == 0 {
			continue
		}
		if err := a.State.Record(ctx, w.ID, found, false); err != nil {
			return 0, err
		}
	}
	a.count(func(r *Report) {
		r.Recovered += int64(len(at))
		if len(at) > 0 {
			a.progress = time.Now()
		}
	})
	return len(at), nil
}

// forget gives up looking for what intents stored by UID, for their target folder is not what it was.
func (a *attempt) forget(ctx context.Context, pair state.Pair, windows []state.Window) error {
	if err := a.setAdrift(ctx, pair.ID, windows); err != nil {
		return err
	}
	a.notice(pair.SourceName + ": the target folder was replaced; what an interrupted pass left there is matched anew")
	return nil
}

// targetLost is for a window whose target folder is not the one it was meant for any more: its UIDs mean
// nothing, matching the folder anew will find what was stored.
func (a *attempt) targetLost(ctx context.Context, pair state.Pair, windows []state.Window, err error) error {
	var ie *imapx.Error
	gone := errors.As(err, &ie) && ie.Scope == imapx.ScopeFolder && ie.Retry == imapx.RetryNever
	if !errors.Is(err, imapx.ErrUIDValidity) && !gone {
		return err
	}
	return a.forget(ctx, pair, windows)
}

// ambiguous reports messages that may have been stored and then moved by a rule or a user: UIDs were given out
// that are not there any more. They are not sent again.
func (a *attempt) ambiguous(ctx context.Context, pair state.Pair, rows []state.Row) error {
	for _, r := range rows {
		r.Status = state.Refused
		if err := a.except(ctx, state.Exception{Pair: pair.ID, Folder: pair.SourceName, UID: r.SourceUID, Reason: reasonAmbiguous,
			Detail: "it may have been stored and moved away on the target while the connection died; not sent again"}); err != nil {
			return err
		}
		if err := a.State.PutRows(ctx, pair.ID, []state.Row{r}); err != nil {
			return err
		}
	}
	return nil
}

// watchWindows looks once more, at the end of the pass and when the late window is over, for what dead
// connections of this pass stored after it was sent again. The next pass looks a last time.
func (a *attempt) watchWindows(ctx context.Context) error {
	if len(a.watched) == 0 {
		return nil
	}
	windows, err := a.State.Windows(ctx)
	if err != nil {
		return err
	}
	pairs, err := a.pairsByID(ctx)
	if err != nil {
		return err
	}
	if err := pause(a.intake, time.Until(a.recovered.Add(a.LateWindow))); err != nil {
		return nil // stopped: the next pass looks
	}
	for _, w := range windows {
		if a.watched[w.ID] && !openBeside(pairs[w.Pair], pairs, windows) {
			if err := a.removeDoubles(ctx, a.lanes[0].dst, pairs[w.Pair], w); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeDoubles looks for messages of a watched window that landed although they were sent again: same bytes,
// above the floor, not in the ledger, while the recorded copy is there. Only such are removed.
func (a *attempt) removeDoubles(ctx context.Context, dst Target, pair state.Pair, w state.Window) error {
	there, res, err := survey(ctx, dst, pair.Target, w.UIDValidity, from(max(w.Floor, 1)))
	if err != nil {
		return a.targetLost(ctx, pair, []state.Window{w}, err)
	}
	doubles, err := a.findDoubles(ctx, dst, pair, w, there, nil)
	if err != nil || len(doubles) == 0 {
		return err
	}
	var uids []uint32
	for _, d := range doubles {
		uids = append(uids, d.target)
	}
	err = dst.Remove(ctx, pair.Target, res.Opened.UIDValidity, uidSet(sortedUIDs(uids)))
	var ie *imapx.Error
	if errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount {
		for _, d := range doubles {
			if err := a.except(ctx, state.Exception{Pair: pair.ID, Folder: pair.SourceName, UID: d.source, Reason: reasonLateDouble,
				Detail: fmt.Sprintf("it is on the target twice, the second copy has UID %d and could not be removed: %v", d.target, ie)}); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	a.count(func(r *Report) { r.Doubles += int64(len(doubles)) })
	a.notice(pair.SourceName + ": " + counted(len(doubles), "message that a dead connection stored late was removed, it had been sent again",
		"messages that a dead connection stored late were removed, they had been sent again"))
	return nil
}

// double is a message that is on the target twice.
type double struct {
	source uint32 // UID of the message on the source
	target uint32 // UID of the copy that is not in the ledger
}

// digestMatched reads the copies of the window's messages that were matched without a look at their bytes: where such a
// copy is what one dead connection stored, another one's is a double of it.
func (a *attempt) digestMatched(ctx context.Context, dst Source, pair state.Pair, w state.Window, ledger []state.Row, present map[uint32]bool) error {
	sent := make(map[key]bool, len(w.Rows))
	for _, r := range w.Rows {
		sent[r.Fingerprint] = true
	}
	var copies []known
	var at, all []int
	for i, r := range ledger {
		if r.Digest == (key{}) && sent[r.Fingerprint] && present[r.TargetUID] {
			all, at = append(all, len(copies)), append(at, i)
			copies = append(copies, known{uid: r.TargetUID})
		}
	}
	_, err := digests(ctx, dst, pair.Target, w.UIDValidity, copies, all)
	for k, i := range at {
		ledger[i].Digest = copies[k].digest
	}
	return err
}

// findDoubles compares bytes; a copy with another INTERNALDATE is not ours, and one that was told is not found again.
func (a *attempt) findDoubles(ctx context.Context, dst Source, pair state.Pair, w state.Window, there []known, told map[uint32]bool) ([]double, error) {
	ledger, err := a.State.RowsByTarget(ctx, pair.ID, w.Floor)
	if err != nil {
		return nil, err
	}
	present := make(map[uint32]bool, len(there))
	for _, k := range there {
		present[k.uid] = true
	}
	// By bytes, for the source's UIDs may have changed since; with the dates that were sent, for a message without one is
	// sent again with another.
	type sent struct {
		digest key
		date   int64
	}
	meant, dates := make(map[key]bool, len(w.Rows)), make(map[sent]bool, len(w.Rows))
	for _, r := range w.Rows {
		meant[r.Digest], dates[sent{r.Digest, believed(r.Date)}] = true, true
	}
	if err := a.digestMatched(ctx, dst, pair, w, ledger, present); err != nil {
		return nil, err
	}
	inLedger, err := a.carriedTo(ctx, pair.Target, w.UIDValidity, w.Floor)
	if err != nil {
		return nil, err
	}
	var again []state.Row // the window's messages that were sent again and are there
	for _, r := range ledger {
		if meant[r.Digest] && present[r.TargetUID] {
			again = append(again, r)
		}
		inLedger[r.TargetUID] = true // whatever the pair's mark says: the copy that it counts is never a double
	}
	var free []known
	for _, k := range there {
		if !inLedger[k.uid] && !told[k.uid] {
			free = append(free, k)
		}
	}
	if len(again) == 0 || len(free) == 0 {
		return nil, nil
	}
	rows := rowsKnown(again)
	all, at := make([]int, len(rows)), make([]int, len(free))
	for i := range all {
		all[i] = i
	}
	for i := range at {
		at[i] = i
	}
	if _, err := digests(ctx, dst, pair.Target, w.UIDValidity, free, at); err != nil {
		return nil, err
	}
	var out []double
	for _, c := range matchDigests(rows, free, all, at) {
		if d := free[c.b].digest; dates[sent{d, free[c.b].date}] || dates[sent{d, 0}] {
			out = append(out, double{source: rows[c.a].uid, target: free[c.b].uid})
		}
	}
	return out, nil
}
