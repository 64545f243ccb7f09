package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// deletionsAtOnce bounds the copies of one intent, and so what an interruption leaves to be found out.
const deletionsAtOnce = 500

// carryOut deletes the copies of one folder pair. Each part of them is looked at once more on both sides, right before: to
// look for them in all other folders may have taken long, and so may the parts before.
func (g *purge) carryOut(ctx context.Context, d *doomed) error {
	for rows := range slices.Chunk(d.rows, deletionsAtOnce) {
		if g.stopped() {
			return nil
		}
		part := *d
		part.rows = rows
		if err := g.stillAbsent(ctx, &part); err != nil {
			return err
		}
		if err := g.stillUntouched(ctx, &part); err != nil {
			return err
		}
		switch {
		case len(part.rows) == 0:
		case g.DryRun:
			g.count(func(r *Report) { r.Deleted += int64(len(part.rows)) })
		default:
			if err := g.deleteSome(ctx, &part, part.rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// stillUntouched is the second look at the copies.
func (g *purge) stillUntouched(ctx context.Context, d *doomed) error {
	if len(d.rows) == 0 || g.DryRun {
		return nil
	}
	now, err := g.copiesNow(ctx, d, imapx.WantFlags)
	if err != nil {
		return err
	}
	return g.untouched(ctx, d, now)
}

// stillAbsent is the second question: each message is asked for by its UID, and what the server does not answer for is
// there.
func (g *purge) stillAbsent(ctx context.Context, d *doomed) error {
	uids := make([]uint32, len(d.rows))
	for i, r := range d.rows {
		uids[i] = r.SourceUID
	}
	there := make(map[uint32]bool)
	visit, cancel := both(ctx, g.intake)
	defer cancel()
	res, err := g.lanes[0].src.Visit(visit, imapx.Visit{Folder: d.job.source.Raw, UIDValidity: d.job.source.Mark.UIDValidity,
		Reads: []imapx.Read{{UIDs: uidSet(sortedUIDs(uids)), Want: imapx.WantFlags}}}, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		there[uint32(m.UID)] = true
		return nil
	}})
	if err != nil {
		return err
	}
	for uid := range res.Failed {
		there[uint32(uid)] = true
	}
	return g.takeBack(ctx, d, func(uid uint32) bool { return there[uid] })
}

// deleteSome carries out one intent.
func (g *purge) deleteSome(ctx context.Context, d *doomed, rows []state.Row) error {
	list, err := g.intend(ctx, d, rows)
	if err != nil {
		return err
	}
	var gone map[uint32]bool
	if g.trash != nil {
		gone, err = g.moveToTrash(ctx, d, list)
	} else {
		gone, err = g.expunge(ctx, d, rows)
	}
	var done, rest []state.Deletion
	for _, x := range list {
		if gone[x.TargetUID] {
			done = append(done, x)
		} else if err == nil {
			rest = append(rest, x)
		} // else its end is not known: the intent stays open, and is settled before anything else is done
	}
	if serr := g.State.SettleDeletions(context.WithoutCancel(ctx), done, rest); serr != nil {
		return serr
	}
	if terr := g.told(ctx, d, int64(len(done))); terr != nil {
		return terr
	}
	if err == nil && len(rest) > 0 {
		g.putOff(d.job, counted(len(rest), "copy was", "copies were")+" kept by the target, or changed in this moment")
	}
	return err
}

// intend writes down what is about to be deleted.
func (g *purge) intend(ctx context.Context, d *doomed, rows []state.Row) ([]state.Deletion, error) {
	with := state.Deletion{Pair: d.pair.ID, Pass: g.report.Pass, UIDValidity: d.pair.TargetMark.UIDValidity, How: state.DeleteForGood, Time: time.Now()}
	if g.trash != nil {
		ready, err := g.lanes[0].dst.Prepare(ctx, []imapx.Prepare{{Folder: g.trash.Raw, Open: true}})
		if err == nil {
			err = ready[0].Err
		}
		if err != nil {
			return nil, err
		}
		with.How, with.Trash = state.DeleteToTrash, g.trash.Raw
		with.TrashUIDValidity, with.Floor = ready[0].Opened.UIDValidity, max(uint32(ready[0].Opened.UIDNext), 1)
	}
	list := make([]state.Deletion, len(rows))
	for i, r := range rows {
		list[i] = with
		list[i].SourceUID, list[i].TargetUID = r.SourceUID, r.TargetUID
	}
	return list, g.State.IntendDeletions(ctx, list)
}

// moveToTrash moves copies, and gives those that are not in their folder any more because of it.
func (g *purge) moveToTrash(ctx context.Context, d *doomed, list []state.Deletion) (map[uint32]bool, error) {
	var uids imap.UIDSet
	for _, x := range list {
		uids.AddNum(imap.UID(x.TargetUID))
	}
	moved, err := g.lanes[0].dst.Move(ctx, d.pair.Target, d.pair.TargetMark.UIDValidity, uids, g.trash.Raw)
	gone := make(map[uint32]bool, len(moved))
	for uid := range moved {
		gone[uint32(uid)] = err == nil || g.lanes[0].dst.Limits().Move // without MOVE a copy there is not yet its original gone
	}
	return gone, err
}

// expunge deletes copies for good, and gives those that are proven to be gone.
func (g *purge) expunge(ctx context.Context, d *doomed, rows []state.Row) (map[uint32]bool, error) {
	r := imapx.Removal{UnchangedSince: d.since}
	for _, row := range rows {
		r.UIDs.AddNum(imap.UID(row.TargetUID))
		if hasFlag(parseFlags(row.Flags), imap.FlagDeleted) {
			r.Marked.AddNum(imap.UID(row.TargetUID))
		}
	}
	set, err := g.lanes[0].dst.Expunge(ctx, d.pair.Target, d.pair.TargetMark.UIDValidity, r)
	gone := make(map[uint32]bool)
	for _, row := range rows {
		if set.Contains(imap.UID(row.TargetUID)) {
			gone[row.TargetUID] = true
		}
	}
	return gone, err
}

// told counts deletions, tells them, and has the target's marks expect so many messages less: what is missing by them
// was not taken away by its user.
func (g *purge) told(ctx context.Context, d *doomed, n int64) error {
	if n == 0 {
		return nil
	}
	g.deleted[d.pair.ID] += n
	g.countDeleted(d.job.source.Name, d.pair.TargetName, g.trash, n)
	return g.lessOnTarget(ctx, d.pair, n)
}

func (p *pass) countDeleted(folder, target string, trash *imapx.Folder, n int64) {
	e := MessagesDeleted{Account: p.Account, Folder: folder, Target: target, Messages: n}
	if trash != nil {
		e.Trash = trash.Name
	}
	p.count(func(r *Report) { r.Deleted += n; p.progress = time.Now() })
	p.emit(e)
}

func (p *pass) lessOnTarget(ctx context.Context, pair state.Pair, n int64) error {
	all, err := p.State.Pairs(ctx)
	if err != nil {
		return err
	}
	for _, q := range all {
		m := q.TargetMark
		if q.Target != pair.Target || m.UIDValidity != pair.TargetMark.UIDValidity || int64(m.Messages) < n {
			continue
		}
		m.Messages -= uint32(n)
		if err := p.State.CommitTargetMark(ctx, q.ID, m); err != nil {
			return err
		}
	}
	return nil
}

// asFolder tells an error that leaves the rest of the account alone.
func asFolder(err error, ie **imapx.Error) bool {
	return errors.As(err, ie) && (*ie).Scope != imapx.ScopeAccount
}

// recoverDeletions settles the deletions that an earlier pass or attempt began and of whose end nothing is known. What is
// gone is recorded; what is still there is given up, without a trace: the mark \Deleted goes, and so does a copy that came to
// the trash without its original going. Whether it is to be deleted is decided anew.
func (a *attempt) recoverDeletions(ctx context.Context) error {
	open, err := a.State.OpenDeletions(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	if err := pause(a.intake, a.Settle); err != nil { // a command that is still being carried out
		return err
	}
	pairs, err := a.pairsByID(ctx)
	if err != nil {
		return err
	}
	for len(open) > 0 {
		first := open[0]
		var group, rest []state.Deletion
		for _, d := range open {
			if d.Pair == first.Pair && d.UIDValidity == first.UIDValidity && d.How == first.How && d.Trash == first.Trash && d.Floor == first.Floor {
				group = append(group, d)
			} else {
				rest = append(rest, d)
			}
		}
		if err := a.recoverGroup(ctx, pairs[first.Pair], group); err != nil {
			return err
		}
		open = rest
	}
	return nil
}

func (a *attempt) recoverGroup(ctx context.Context, pair state.Pair, group []state.Deletion) error {
	var ask imap.UIDSet
	for _, d := range group {
		ask.AddNum(imap.UID(d.TargetUID))
	}
	there := make(map[uint32]string)
	res, err := a.lanes[0].dst.Visit(ctx, imapx.Visit{Folder: pair.Target, UIDValidity: group[0].UIDValidity,
		Reads: []imapx.Read{{UIDs: ask, Want: imapx.WantFlags}}}, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		there[uint32(m.UID)] = flagText(m.Flags)
		return nil
	}})
	if err != nil {
		give, err := a.unsettledDeletions(pair, err)
		if err != nil || !give {
			return err
		}
		return a.State.SettleDeletions(ctx, nil, group)
	}
	var done, left []state.Deletion
	for _, d := range group {
		if _, is := there[d.TargetUID]; is || res.Failed[imap.UID(d.TargetUID)] != nil {
			left = append(left, d)
		} else {
			done = append(done, d)
		}
	}
	if err := a.undoDeletions(ctx, pair, left, there); err != nil {
		give, err := a.unsettledDeletions(pair, err)
		if err != nil {
			return err
		}
		if !give {
			left = nil
		}
	}
	if err := a.State.SettleDeletions(ctx, done, left); err != nil {
		return err
	}
	if n := int64(len(done)); n > 0 {
		var trash *imapx.Folder
		if group[0].Trash != "" {
			if trash = find(a.target, group[0].Trash); trash == nil {
				trash = &imapx.Folder{Raw: group[0].Trash, Name: group[0].Trash}
			}
		}
		a.deleted[pair.ID] += n
		a.countDeleted(pair.SourceName, pair.TargetName, trash, n)
		if pair.TargetMark.UIDValidity == group[0].UIDValidity {
			return a.lessOnTarget(ctx, pair, n)
		}
	}
	return nil
}

// unsettledDeletions judges what stood in the way of settling: give where the folder will not be what it was, or is not ours to
// write in any more. What passes stays open: a mark that nobody takes back is one for the next EXPUNGE of anybody.
func (a *attempt) unsettledDeletions(pair state.Pair, why error) (give bool, err error) {
	var ie *imapx.Error
	if !asFolder(why, &ie) {
		return false, why
	}
	if give = ie.Retry == imapx.RetryNever; give {
		a.notice(pair.SourceName + ": deletions of an interrupted pass are given up: " + ie.Error())
	} else {
		a.notice(pair.SourceName + ": deletions of an interrupted pass wait for the next: " + ie.Error())
	}
	return give, nil
}

// undoDeletions takes back what was done to copies that are still there.
func (a *attempt) undoDeletions(ctx context.Context, pair state.Pair, left []state.Deletion, flags map[uint32]string) error {
	if len(left) == 0 {
		return nil
	}
	uids := make([]uint32, len(left))
	for i, d := range left {
		uids[i] = d.SourceUID
	}
	known, err := a.State.RowsBySource(ctx, pair.ID, uids)
	if err != nil {
		return err
	}
	var undo imap.UIDSet
	var rows []state.Row
	for _, d := range left {
		row, ok := known[d.SourceUID]
		if !ok || row.TargetUID != d.TargetUID {
			continue
		}
		rows = append(rows, row)
		if hasFlag(parseFlags(flags[d.TargetUID]), imap.FlagDeleted) && !hasFlag(parseFlags(row.Flags), imap.FlagDeleted) {
			undo.AddNum(imap.UID(d.TargetUID))
		}
	}
	if len(undo) > 0 {
		err := a.lanes[0].dst.Store(ctx, pair.Target, left[0].UIDValidity, []imapx.FlagChange{{UIDs: undo, Remove: []imap.Flag{imap.FlagDeleted}}})
		if err != nil {
			return err
		}
	}
	if left[0].How != state.DeleteToTrash || a.lanes[0].dst.Limits().Move {
		return nil
	}
	return a.emptyTrashOf(ctx, left[0], rows)
}

// emptyTrashOf removes from the trash what was copied there while its original stayed: the same bytes, come since the
// intent, and known to no ledger. Only a server without MOVE leaves that behind. A header that agrees proves nothing here:
// its user may have deleted his own copy of the same mail meanwhile.
func (a *attempt) emptyTrashOf(ctx context.Context, d state.Deletion, rows []state.Row) error {
	if len(rows) == 0 {
		return nil
	}
	uids, err := a.copiedToTrash(ctx, d, rows)
	var ie *imapx.Error
	if err != nil && asFolder(err, &ie) {
		a.notice(fmt.Sprintf("%s: what an interrupted pass copied there may be there twice: %s", d.Trash, ie.Error()))
		return nil
	}
	if err != nil || len(uids) == 0 {
		return err
	}
	return a.lanes[0].dst.Remove(ctx, d.Trash, d.TrashUIDValidity, uids)
}

// copiedToTrash gives the messages of the trash that have the bytes of the rows' messages.
func (a *attempt) copiedToTrash(ctx context.Context, d state.Deletion, rows []state.Row) (uids imap.UIDSet, err error) {
	dst := a.lanes[0].dst
	found, err := a.locate(ctx, dst, state.Pair{Target: d.Trash}, d.TrashUIDValidity, d.Floor, rows)
	if err != nil {
		return nil, err
	}
	var copies []known
	var want []key
	var all []int
	for i, uid := range found.uids {
		if uid != 0 {
			all, want = append(all, len(all)), append(want, rows[i].Digest)
			copies = append(copies, known{uid: uid})
		}
	}
	if _, err := digests(ctx, dst, d.Trash, d.TrashUIDValidity, copies, all); err != nil {
		return nil, err
	}
	for i, k := range copies {
		if k.digest != (key{}) && k.digest == want[i] {
			uids.AddNum(imap.UID(k.uid))
		}
	}
	return uids, nil
}
