package sync

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
)

func sortedUIDs(u []uint32) []uint32 {
	slices.Sort(u)
	return u
}

// adopt compares a source folder with mail that is on the target already, when there is no ledger: a first pass
// onto a used mailbox, a lost state file, a takeover from another tool. What is the same goes into the ledger and
// gets the flags that it lacks, the rest is copied.
func (l *lane) adopt(ctx context.Context, j *job) (outcome, error) {
	opened, err := l.opened(ctx, j)
	if err != nil {
		return outcome{}, err
	}
	m, err := l.matchSides(ctx, j, opened.UIDValidity)
	if err != nil {
		return outcome{}, err
	}
	if err := l.takeOver(ctx, j, m.src, m.dst, m.couples); err != nil {
		return outcome{}, err
	}
	return l.copyRest(ctx, j, m.src, m.couples, m.unread, j.covered(m.mark))
}

// sides are both folders of a pair without what the ledger knows, and what is the same in them.
type sides struct {
	src, dst []known
	couples  []couple
	unread   map[imap.UID]error // source UIDs that could not be compared
	mark     imapx.Mark         // of the source
}

// matchSides compares both folders; a uidValidity of 0 takes the target's as it is.
func (l *lane) matchSides(ctx context.Context, j *job, uidValidity uint32) (m sides, err error) {
	var here, there imapx.VisitResult
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		visit, cancel := both(gctx, l.intake)
		defer cancel()
		m.src, here, err = survey(visit, l.src, j.source.Raw, j.sourceValidity(), j.listed(1))
		return err
	})
	g.Go(func() (err error) {
		m.dst, there, err = survey(gctx, l.dst, j.raw, uidValidity, from(1))
		return err
	})
	if err := g.Wait(); err != nil {
		return m, err
	}
	m.mark = here.Opened.Mark
	m.src, m.dst, err = l.withoutLedger(ctx, j, there.Opened.UIDValidity, m.src, m.dst, nil)
	if err != nil {
		return m, err
	}
	m.couples, m.unread, err = l.match(ctx, j, m.src, m.dst, here.Opened.UIDValidity, there.Opened.UIDValidity)
	if err == nil {
		maps.Copy(m.unread, here.Failed)
	}
	return m, err
}

// withoutLedger leaves out what the ledger knows on either side; on the target also that of other pairs, and not what is
// parked: copies whose row lost its source.
func (l *lane) withoutLedger(ctx context.Context, j *job, uidValidity uint32, src, dst, parked []known) ([]known, []known, error) {
	there, err := l.carriedTo(ctx, j.raw, uidValidity, 1)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range parked {
		delete(there, k.uid)
	}
	here := make(map[uint32]bool)
	if j.rows > 0 {
		uids, err := l.State.SourceUIDs(ctx, j.pair.ID, 1)
		if err != nil {
			return nil, nil, err
		}
		for _, uid := range uids {
			here[uid] = true
		}
	}
	src = slices.DeleteFunc(src, func(k known) bool { return here[k.uid] })
	dst = slices.DeleteFunc(dst, func(k known) bool { return there[k.uid] })
	return src, dst, nil
}

// match pairs both sides as multisets; bodies are read of those only that leave a doubt. What the source could not give
// of these stays in doubt.
func (l *lane) match(ctx context.Context, j *job, src, dst []known, srcValidity, dstValidity uint32) ([]couple, map[imap.UID]error, error) {
	sure, doubtA, doubtB := matchSure(src, dst)
	unread := make(map[imap.UID]error)
	if len(doubtA) == 0 {
		return sure, unread, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		visit, cancel := both(gctx, l.intake)
		defer cancel()
		failed, err := digests(visit, l.src, j.source.Raw, srcValidity, src, doubtA)
		maps.Copy(unread, failed)
		return err
	})
	g.Go(func() error {
		_, err := digests(gctx, l.dst, j.raw, dstValidity, dst, doubtB)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return append(sure, matchDigests(src, dst, doubtA, doubtB)...), unread, nil
}

// takeOver adds the flags that the target's copies lack, never takes one away, and then writes what was matched into the
// ledger: with a row, nothing is compared again after a lost connection. A target that refuses the flags gets its mail all the
// same, from the next pass on.
func (l *lane) takeOver(ctx context.Context, j *job, src, dst []known, couples []couple) error {
	if len(couples) == 0 {
		return nil
	}
	plan := newFlagPlan()
	rows := make([]state.Row, 0, len(couples))
	for _, c := range couples {
		s, t := src[c.a], dst[c.b]
		rows = append(rows, state.Row{SourceUID: s.uid, TargetUID: t.uid, Fingerprint: s.fp, Digest: s.digest, Size: s.size,
			Date: cmp.Or(s.date, t.date), Flags: s.flags}) // the ledger has the date that the target knows
		if s.flags != t.flags && !l.appendOnly {
			both := append(parseFlags(t.flags), parseFlags(s.flags)...)
			if err := l.planFlags(ctx, j, plan, t.uid, t.flags, both, false); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(rows, func(x, y state.Row) int { return int(int64(x.SourceUID) - int64(y.SourceUID)) })
	n, refused := l.store(ctx, j, plan)
	if refused != nil && !flagsRefused(refused) {
		return refused
	}
	if err := l.State.PutRows(ctx, j.pair.ID, rows); err != nil {
		return err
	}
	l.count(func(r *Report) { r.Matched += int64(len(couples)); r.Flags += n })
	return refused
}

// copyRest copies what no couple has. What could not be compared for want of its bytes may be on the target already: it
// is neither copied nor deferred, but unreadable, and compared once it can be read.
func (l *lane) copyRest(ctx context.Context, j *job, src []known, couples []couple, unread map[imap.UID]error, mark imapx.Mark) (outcome, error) {
	done := make([]bool, len(src))
	for _, c := range couples {
		done[c.a] = true
	}
	failed := make(map[imap.UID]error)
	rest := slices.DeleteFunc(pick(src, where(done, false)), func(k known) bool {
		why := unread[imap.UID(k.uid)]
		if why != nil {
			failed[imap.UID(k.uid)] = why
		}
		return why != nil
	})
	if err := l.unreadable(ctx, j, failed); err != nil {
		return outcome{}, err
	}
	uids, err := l.deferSome(ctx, j, rest)
	if err != nil || len(uids) == 0 {
		return outcome{mark: mark}, err
	}
	r, err := l.copy(ctx, j, imapx.Read{UIDs: uidSet(sortedUIDs(uids)), Want: wholeMessage})
	r.mark = mark // what came or changed after the survey is the next pass's
	return r, err
}

// folderAt is a folder of one side, with the UIDVALIDITY that it has now.
type folderAt struct {
	conn     Source
	raw      string
	validity uint32
}

// matchRows pairs messages of a folder with ledger rows. The ledger has the digests of what was copied; of rows
// that were only matched the bodies are read on the other side, whose UIDs (uid) still hold.
func (l *lane) matchRows(ctx context.Context, at folderAt, there []known, rows []state.Row, other folderAt, uid func(state.Row) uint32) ([]couple, error) {
	ledger := rowsKnown(rows)
	sure, doubt, doubtRows := matchSure(there, ledger)
	if len(doubt) == 0 {
		return sure, nil
	}
	if _, err := digests(ctx, at.conn, at.raw, at.validity, there, doubt); err != nil {
		return nil, err
	}
	if err := fillDigests(ctx, ledger, rows, doubtRows, other, uid); err != nil {
		return nil, err
	}
	couples := append(sure, matchDigests(there, ledger, doubt, doubtRows)...)
	return append(couples, matchBlind(there, ledger, couples)...), nil
}

// matchBlind pairs what is left with rows whose bytes can be read nowhere any more, both sides having new UIDs: the
// fingerprint and what else the ledger knows have to do. Not to take them for each other would send one again.
func matchBlind(there, ledger []known, couples []couple) (out []couple) {
	left, rows := unmatched(couples, len(there), len(ledger))
	rows = slices.DeleteFunc(rows, func(i int) bool { return ledger[i].digest != (key{}) })
	free := make(map[key][]int)
	for _, a := range left {
		free[there[a].fp] = append(free[there[a].fp], a)
	}
	likely := func(x, y known) bool { return x.named && alike(x, y) }
	for _, agree := range []func(x, y known) bool{sameStamp, likely} {
		rows = slices.DeleteFunc(rows, func(b int) bool {
			list := free[ledger[b].fp]
			at := slices.IndexFunc(list, func(a int) bool { return agree(there[a], ledger[b]) })
			if at < 0 {
				return false
			}
			out = append(out, couple{list[at], b})
			free[ledger[b].fp] = slices.Delete(list, at, at+1)
			return true
		})
	}
	return out
}

// fillDigests reads what the ledger does not have.
func fillDigests(ctx context.Context, ledger []known, rows []state.Row, at []int, other folderAt, uid func(state.Row) uint32) error {
	var ask []known
	var place, all []int
	for _, i := range at {
		if ledger[i].digest == (key{}) && uid(rows[i]) != 0 {
			all = append(all, len(ask))
			place = append(place, i)
			ask = append(ask, known{uid: uid(rows[i])})
		}
	}
	if len(ask) == 0 || other.conn == nil {
		return nil
	}
	if _, err := digests(ctx, other.conn, other.raw, other.validity, ask, all); err != nil {
		return err
	}
	for k, i := range place {
		ledger[i].digest = ask[k].digest
	}
	return nil
}

// retarget is for a target folder whose UIDs mean something else now: the ledger's rows are looked for in it
// anew. A row whose message is not there is gone-on-target, not a reason to send it again.
func (l *lane) retarget(ctx context.Context, j *job) error {
	opened, err := l.opened(ctx, j)
	if err != nil {
		return err
	}
	var rows []state.Row
	if err := l.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
		if r.Status == state.Stored || r.Status == state.SourceGone && r.TargetUID != 0 {
			rows = append(rows, r)
		}
		return nil
	}); err != nil {
		return err
	}
	var there []known
	if len(rows) > 0 || len(l.adrift[j.pair.ID]) > 0 {
		if there, _, err = survey(ctx, l.dst, j.raw, opened.UIDValidity, from(1)); err != nil {
			return err
		}
		if there, err = l.withoutSiblings(ctx, j.pair, j.raw, opened.UIDValidity, there); err != nil {
			return err
		}
	}
	other := folderAt{l.src, j.source.Raw, j.pair.SourceMark.UIDValidity}
	if j.task == matchLedger {
		other.conn = nil // the source's UIDs do not hold either
	}
	couples, err := l.matchRows(ctx, folderAt{l.dst, j.raw, opened.UIDValidity}, there, rows, other,
		func(r state.Row) uint32 { return r.SourceUID })
	if err != nil {
		return err
	}
	moved := make(map[uint32]uint32, len(couples))
	for _, c := range couples {
		moved[rows[c.b].TargetUID] = there[c.a].uid
	}
	if err := l.State.Retarget(ctx, j.pair.ID, moved); err != nil {
		return err
	}
	if err := l.claim(ctx, j, opened, there, couples); err != nil {
		return err
	}
	var gone int64
	for _, r := range rows {
		if r.Status == state.Stored && moved[r.TargetUID] == 0 {
			gone++
		}
	}
	l.count(func(r *Report) { r.Gone += gone })
	j.pair.TargetMark = l.targetMark(j) // what follows looks for rows under the new UIDs
	return l.State.CommitMarks(ctx, j.pair.ID, j.pair.SourceMark, j.pair.TargetMark)
}

// targetMark is the target folder as it was opened: later passes compare its UIDVALIDITY.
func (l *lane) targetMark(j *job) state.Mark {
	if j.open.Opened.UIDValidity != 0 {
		return stateMark(j.open.Opened.Mark)
	}
	if j.target != nil && j.target.Mark != nil {
		return stateMark(*j.target.Mark)
	}
	return j.pair.TargetMark
}
