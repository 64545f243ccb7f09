package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// A message that was moved on the source between two passes is gone in one folder and new in another. It is moved
// on the target too, so that nothing is there twice; a copy that its user touched stays where it is.

// arrival is a new message on the source that may have come from another folder.
type arrival struct {
	job *job
	known
}

// followMoves finds messages that were moved on the source and moves their copies.
func (a *attempt) followMoves(ctx context.Context, jobs []*job) error {
	if !a.lanes[0].dst.CanMove() && !a.appendOnly {
		return nil
	}
	if err := a.listAgain(ctx, jobs); err != nil {
		return err
	}
	gone, err := a.vanishedRows(ctx, jobs)
	if err != nil {
		return err
	}
	fresh := len(gone)
	if gone, err = a.vanishedBefore(ctx, jobs, gone); err != nil {
		return err
	}
	orphans, err := a.orphans(ctx, jobs)
	if err != nil {
		return err
	}
	if gone, err = a.fromOrphans(ctx, orphans, gone); err != nil {
		return err
	}
	if gone, err = a.rehomed(ctx, gone); err != nil {
		return err
	}
	labelled, err := a.leftArchive(ctx, jobs)
	if err != nil {
		return err
	}
	vanished := gone[:fresh]
	if gone = slices.Concat(labelled, gone); len(gone) == 0 { // the archive's first: what another folder lost may stay there
		return nil
	}
	if err := a.matchFirst(ctx, jobs); err != nil {
		return err
	}
	a.hinderMoves(jobs, gone)
	news, err := a.arrivals(ctx, jobs)
	if err != nil {
		return err
	}
	couples, err := a.matchMoves(ctx, gone, news)
	if err != nil {
		return err
	}
	couples = slices.DeleteFunc(couples, func(c couple) bool { return c.a < len(labelled) && news[c.b].job.archive })
	if couples, err = a.withCopies(ctx, slices.Concat(jobs, orphans), couples, gone, news); err != nil {
		return err
	}
	if err := a.noteVanished(ctx, vanished, len(labelled), couples); err != nil {
		return err
	}
	if err := a.elsewhere(ctx, jobs, labelled, couples); err != nil {
		return err
	}
	if a.appendOnly {
		return a.leaveMoved(ctx, jobs, couples, gone, news)
	}
	type route struct {
		from int64
		to   *job
	}
	routes := make(map[route][]couple)
	var order []route
	for _, c := range couples {
		r := route{gone[c.a].pair, news[c.b].job}
		if routes[r] == nil {
			order = append(order, r)
		}
		routes[r] = append(routes[r], c)
	}
	for _, r := range order {
		for _, j := range slices.Concat(jobs, orphans) {
			if j.pair.ID != r.from {
				continue
			}
			move := a.moveAlong
			if j == r.to {
				move = a.rebind
			}
			err := move(ctx, j, r.to, routes[r], gone, news)
			if err != nil && !a.hinder(err, j, r.to) {
				return err
			}
		}
	}
	return nil
}

// hinderMoves leaves folders that lost messages to the next pass where one that gained some is left to it: it may be
// there that they went.
func (a *attempt) hinderMoves(jobs []*job, gone []lost) {
	for _, to := range jobs {
		if a.hindered[to] == nil || !to.gainedOnSource() {
			continue
		}
		for _, from := range jobs {
			if slices.ContainsFunc(gone, func(g lost) bool { return g.pair == from.pair.ID }) {
				a.hindered[from] = cmp.Or(a.hindered[from], a.hindered[to])
			}
		}
	}
}

// matchMoves pairs vanished rows with arrivals by their bytes.
func (a *attempt) matchMoves(ctx context.Context, gone []lost, news []arrival) ([]couple, error) {
	rows := make([]state.Row, len(gone))
	for i, g := range gone {
		rows[i] = g.row
	}
	left, right := rowsKnown(rows), make([]known, len(news))
	for i, n := range news {
		right[i] = n.known
	}
	sure, doubtA, doubtB := matchSure(left, right)
	byJob := make(map[*job][]int)
	read := func(i int) { byJob[news[i].job] = append(byJob[news[i].job], i) }
	for _, i := range doubtB {
		read(i)
	}
	for _, c := range sure {
		read(c.b)
	}
	for j, at := range byJob {
		list := pick(right, at)
		all := make([]int, len(list))
		for i := range all {
			all[i] = i
		}
		visit, cancel := both(ctx, a.intake)
		_, err := digests(visit, a.lanes[0].src, j.source.Raw, j.source.Mark.UIDValidity, list, all)
		cancel()
		if err != nil && a.hinder(err, j) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for k, i := range at {
			right[i].digest = list[k].digest
		}
	}
	// A new version of a draft can have the header of the one that it replaces: nothing passes for moved by its
	// header alone. Where the ledger has no digest, size and INTERNALDATE, which a move keeps, both have to agree.
	sure = slices.DeleteFunc(sure, func(c couple) bool {
		l, r := left[c.a], right[c.b]
		if l.digest != (key{}) {
			return l.digest != r.digest
		}
		return !sameStamp(l, r)
	})
	couples := append(sure, matchDigests(left, right, doubtA, doubtB)...)
	// Where nothing is left to move, taking a message for moved means not to carry it: the safe side is to copy.
	return slices.DeleteFunc(couples, func(c couple) bool {
		return gone[c.a].row.TargetUID == 0 && !sameStamp(left[c.a], right[c.b])
	}), nil
}

// withCopies leaves out couples that have nothing but their bytes in common and no copy on the target: the same mail was
// delivered again, and is carried as any other that is new.
func (a *attempt) withCopies(ctx context.Context, jobs []*job, couples []couple, gone []lost, news []arrival) ([]couple, error) {
	unlike := make(map[int64][]couple)
	for _, c := range couples {
		if g := gone[c.a]; !sameStamp(rowsKnown([]state.Row{g.row})[0], news[c.b].known) {
			unlike[g.pair] = append(unlike[g.pair], c)
		}
	}
	again := make(map[couple]bool)
	for _, j := range jobs {
		list := unlike[j.pair.ID]
		if len(list) == 0 || j.retarget { // where its copies are is not known yet
			continue
		}
		var flags map[uint32]string
		if j.target != nil {
			var err error
			if flags, err = a.targetFlags(ctx, j, list, gone); err != nil {
				concerned := []*job{j}
				for _, c := range list {
					concerned = append(concerned, news[c.b].job)
				}
				if !a.hinder(err, concerned...) {
					return nil, err
				}
			}
		}
		for _, c := range list {
			_, there := flags[gone[c.a].row.TargetUID]
			again[c] = !there
		}
	}
	return slices.DeleteFunc(couples, func(c couple) bool { return again[c] }), nil
}

// sameStamp compares what a move keeps besides the bytes (RFC 6851 section 3.3); a copy of the same mail that was
// delivered again has another date.
func sameStamp(x, y known) bool { return x.size == y.size && x.date == y.date }

// moveAlong moves the copies of one route. The intent is the receiving pair's: recovery finds there what was moved
// and not recorded, and what was not moved is found again as moved on the source.
func (a *attempt) moveAlong(ctx context.Context, src, dst *job, couples []couple, gone []lost, news []arrival) error {
	if src.target == nil || src.retarget || dst.retarget {
		return nil
	}
	flags, err := a.targetFlags(ctx, src, couples, gone)
	if err != nil {
		return err
	}
	var rows, stay []state.Row
	var uids imap.UIDSet
	var leaving, left []state.Row // of src
	var absent, handed []uint32
	taken := make(map[uint32]uint32) // of handed, by new source UID
	for _, c := range couples {
		old := gone[c.a].row
		r := old
		r.SourceUID, r.Flags, r.TargetUID = news[c.b].uid, old.Flags, 0
		now, there := flags[old.TargetUID]
		switch {
		case old.Status == state.Moved:
			stay, left = append(stay, r), append(left, old)
		case old.TargetUID == 0: // gone there
			stay, left, absent = append(stay, r), append(left, old), append(absent, r.SourceUID)
		case !there: // its user moved or deleted it: that stays so
			r.Status = state.Moved
			stay, left, absent = append(stay, r), append(left, old), append(absent, r.SourceUID)
		case src.raw == dst.raw && src.shows(old.SourceUID):
			r.Status = state.Moved
			stay = append(stay, r)
		case src.raw == dst.raw: // one target folder has the mail of both: the copy stays and changes hands
			r.TargetUID, r.Status = old.TargetUID, state.Stored
			stay, handed = append(stay, r), append(handed, old.SourceUID)
			taken[r.SourceUID] = old.SourceUID
		case touched(now, old.Flags, a.lacking(src.pair.ID)):
			r.Status = state.Moved
			if stay = append(stay, r); !src.shows(old.SourceUID) {
				left = append(left, old)
			}
			a.notice(fmt.Sprintf("%s: a message was moved to %s on the source; its copy was touched on the target and stays", src.source.Name, dst.source.Name))
		default:
			r.Status = state.Stored // also where an earlier pass saw it vanish already
			rows, leaving = append(rows, r), append(leaving, old)
			uids.AddNum(imap.UID(old.TargetUID))
		}
	}
	if a.DryRun {
		for _, r := range slices.Concat(rows, stay) {
			add(a.foreseen.known, dst, r.SourceUID)
		}
		a.count(func(r *Report) { r.Followed += int64(len(rows)) })
		return nil
	}
	if err := a.State.PutPair(ctx, &dst.pair); err != nil {
		return err
	}
	for _, uid := range absent {
		if err := a.except(ctx, state.Exception{Pair: dst.pair.ID, Folder: dst.source.Name, UID: uid, Reason: reasonMoved, Detail: fmt.Sprintf(
			"moved here from %s on the source when its copy was no longer in %s on the target: not sent again", src.source.Name, src.name)}); err != nil {
			return err
		}
	}
	if err := a.State.PutRows(ctx, dst.pair.ID, stay); err != nil {
		return err
	}
	if err := a.departed(ctx, src, left); err != nil {
		return err
	}
	if err := a.State.Inherit(ctx, dst.pair.ID, src.pair.ID, taken); err != nil {
		return err
	}
	if err := a.handOver(ctx, src, dst, handed); err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := a.moveSome(ctx, src, dst, uids, rows, couples, gone, news); err != nil {
			return err
		}
		if err := a.departed(ctx, src, leaving); err != nil {
			return err
		}
	}
	dst.have(slices.Concat(rows, stay))
	dst.rows += int64(len(rows) + len(stay))
	dst.estimate = max(0, dst.estimate-int64(len(rows)+len(stay)))
	if dst.task == copyAll {
		dst.task = copyDelta
	}
	return nil
}

// targetFlags are the flags of the copies, by target UID; a copy that is not there is left out.
func (a *attempt) targetFlags(ctx context.Context, src *job, couples []couple, gone []lost) (map[uint32]string, error) {
	var ask imap.UIDSet
	for _, c := range couples {
		if uid := gone[c.a].row.TargetUID; uid != 0 {
			ask.AddNum(imap.UID(uid))
		}
	}
	out := make(map[uint32]string)
	if len(ask) == 0 {
		return out, nil
	}
	_, err := a.lanes[0].dst.Visit(ctx, imapx.Visit{Folder: src.raw, UIDValidity: src.pair.TargetMark.UIDValidity,
		Reads: []imapx.Read{{UIDs: ask, Want: imapx.WantFlags}}}, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		out[uint32(m.UID)] = flagText(m.Flags)
		return nil
	}})
	return out, err
}

func (a *attempt) moveSome(ctx context.Context, src, dst *job, uids imap.UIDSet, rows []state.Row, couples []couple, gone []lost, news []arrival) error {
	t := a.lanes[0].dst
	ready, err := t.Prepare(ctx, []imapx.Prepare{{Folder: dst.raw, Create: dst.create, SpecialUse: dst.use, Subscribe: dst.subscribe, Open: true}})
	if err != nil {
		return err
	}
	var ie *imapx.Error
	if err := ready[0].Err; err != nil && !(errors.As(err, &ie) && ie.Op == "SUBSCRIBE") { // that is tried again with the folder's own work
		return err
	}
	opened := ready[0].Opened
	if ready[0].Created {
		a.count(func(r *Report) { r.FoldersCreated++ })
	}
	w := state.Window{Pair: dst.pair.ID, Pass: a.report.Pass, UIDValidity: opened.UIDValidity, Floor: max(uint32(opened.UIDNext), 1),
		Created: time.Now(), Rows: rows}
	if w.Foreign, err = a.notOurs(ctx, src, couples, gone, news); err != nil {
		return err
	}
	if err := a.State.Intend(ctx, &w); err != nil {
		return err
	}
	if dst.pair.TargetMark.UIDValidity == 0 { // the rows have to be found again, also where the folder itself is never finished
		dst.pair.TargetMark = stateMark(opened.Mark)
		if err := a.State.CommitTargetMark(ctx, dst.pair.ID, dst.pair.TargetMark); err != nil {
			return err
		}
	}
	moved, err := t.Move(ctx, src.raw, src.pair.TargetMark.UIDValidity, uids, dst.raw)
	if err != nil {
		return err
	}
	bySource := make(map[uint32]uint32)
	for _, c := range couples {
		if to := moved[imap.UID(gone[c.a].row.TargetUID)]; to != 0 {
			bySource[news[c.b].uid] = uint32(to)
		}
	}
	done := rows[:0]
	for _, r := range rows {
		if r.TargetUID = bySource[r.SourceUID]; r.TargetUID == 0 {
			r.Status = state.Moved // gone in this moment
		}
		done = append(done, r)
	}
	if err := a.State.Record(ctx, w.ID, done, true); err != nil {
		return err
	}
	a.count(func(r *Report) { r.Followed += int64(len(moved)) })
	were := "messages that were"
	if len(moved) == 1 {
		were = "message that was"
	}
	a.notice(fmt.Sprintf("%s: %d %s moved to %s on the source: moved on the target too", src.source.Name, len(moved), were, dst.source.Name))
	return nil
}

// notOurs are the source UIDs, as they are now, of copies that were only matched: moving them does not make them ours.
func (a *attempt) notOurs(ctx context.Context, src *job, couples []couple, gone []lost, news []arrival) (uids []uint32, err error) {
	old := make([]uint32, len(couples))
	for i, c := range couples {
		old[i] = gone[c.a].row.SourceUID
	}
	ours, err := a.State.StoredByUs(ctx, src.pair.ID, old)
	for _, c := range couples {
		if !ours[gone[c.a].row.SourceUID] {
			uids = append(uids, news[c.b].uid)
		}
	}
	return uids, err
}
