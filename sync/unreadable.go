package sync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// What the source could not give to an earlier pass is asked for again by each, once the rest is done: one message at
// a time, on a connection of its own, and only so often that a mailbox with many of them costs no more than with few.
const (
	againCuts  = 3   // connections that may end of it in one pass
	againPiece = 500 // exceptions that are looked up together
	againMost  = 200 // messages in one pass; those asked for least recently come first
)

// errEnded: the connection ended when the message was asked for.
var errEnded = errors.New("the connection ended")

// errReadable ends an attempt after which there is mail to carry that could not be read before.
var errReadable = errors.New("messages can be read again")

// unreadable records what the source listed and did not give. A message that was carried before, and of which only the
// flags were asked for, keeps its row.
func (l *lane) unreadable(ctx context.Context, j *job, failed map[imap.UID]error) error {
	rows, err := l.State.RowsBySource(ctx, j.pair.ID, uidsOf(failed))
	if err != nil {
		return err
	}
	for _, uid := range slices.Sorted(maps.Keys(failed)) {
		why := failed[uid]
		if row, known := rows[uint32(uid)]; known && !slices.Contains(j.recopy, uint32(uid)) && row.Status != state.Deferred {
			if row.Status == state.Stored {
				l.notice("flags cannot be read: " + why.Error())
			}
			continue
		}
		if err := l.refuse(ctx, j, state.Row{SourceUID: uint32(uid)}, nil, reasonUnreadable, why); err != nil {
			return err
		}
	}
	return nil
}

// askAgain asks for what earlier passes found unreadable. The error errReadable has the pass make another attempt, in
// which what came is new mail. In a dry run it is only counted as wanted.
func (a *attempt) askAgain(ctx context.Context, jobs []*job) error {
	if a.askedAgain {
		return nil
	}
	a.askedAgain = true
	list, err := a.known(ctx, jobs)
	if err != nil || len(list) == 0 {
		return err
	}
	ctx, cancel := both(ctx, a.intake)
	defer cancel()
	h := &hunt{pass: a.pass}
	defer h.close()
	readable := make(map[*job][]state.Row)
	for _, u := range list {
		if h.cuts >= againCuts || ctx.Err() != nil {
			break
		}
		if err := h.connect(ctx); err != nil {
			break // the mail that can be read is carried; the next pass asks again
		}
		row, why := h.one(ctx, u)
		switch {
		case ctx.Err() != nil:
			return nil
		case a.DryRun && row != nil:
			u.job.wanted([]uint32{row.SourceUID})
			continue
		case a.DryRun:
			continue
		case row != nil:
			readable[u.job] = append(readable[u.job], *row)
		case why != nil:
			if u.LastPass = a.report.Pass; why != errEnded { // what was told when it was isolated says more
				u.Detail = why.Error()
			}
			_, err = a.State.PutException(ctx, u.Exception)
		}
		if err != nil {
			return err
		}
	}
	if len(readable) == 0 {
		return nil
	}
	for j, rows := range readable {
		if err := a.becameReadable(ctx, j, rows); err != nil {
			return err
		}
	}
	return errReadable
}

// becameReadable has messages of a folder looked at as new ones, also as ones that may have been moved here; those that
// the target has already are recorded.
func (a *attempt) becameReadable(ctx context.Context, j *job, rows []state.Row) error {
	if t := j.target; t != nil && t.Mark != nil {
		var err error
		if rows, err = a.haveThem(ctx, j, rows); err != nil {
			return err
		}
	}
	again := make([]uint32, len(rows))
	for i, r := range rows {
		again[i] = r.SourceUID
	}
	err := a.State.Retry(ctx, j.pair.ID, again)
	if errors.Is(err, state.ErrUnsettled) {
		return nil // once the window is settled
	}
	return err
}

// haveThem records what the target has, and gives the rest: where the state was lost or the source's UIDs changed, a
// message could not be compared as long as it was unreadable. Its copy may be one that no row explains, or that of a
// row which lost its source.
func (a *attempt) haveThem(ctx context.Context, j *job, rows []state.Row) (rest []state.Row, err error) {
	dst, validity := a.lanes[0].dst, j.target.Mark.UIDValidity
	found, err := a.locate(ctx, dst, j.pair, validity, 1, rows)
	if err != nil {
		return nil, err
	}
	var same []state.Row
	sort := func(uids []uint32) {
		rest = nil
		for i, uid := range uids {
			if uid == 0 {
				rest = append(rest, rows[i])
				continue
			}
			rows[i].TargetUID = uid
			same = append(same, rows[i])
		}
	}
	sort(found.uids)
	parked, err := a.parked(ctx, j)
	if err != nil {
		return nil, err
	}
	rows = rest
	couples, err := identify(ctx, dst, j.raw, validity, rowsKnown(rows), parked)
	if err != nil {
		return nil, err
	}
	uids := make([]uint32, len(rows))
	for _, c := range couples {
		uids[c.a] = parked[c.b].uid
	}
	sort(uids)
	if len(same) == 0 {
		return rest, nil
	}
	if err := a.State.PutRows(ctx, j.pair.ID, same); err != nil {
		return nil, err
	}
	a.count(func(r *Report) { r.Matched += int64(len(same)) })
	return rest, a.State.SettleExceptions(ctx, j.pair.ID, notCarried())
}

// parked are the copies of messages that lost their source when its UIDs changed, and were not found again.
func (a *attempt) parked(ctx context.Context, j *job) (out []known, err error) {
	if j.pair.TargetMark.UIDValidity != j.target.Mark.UIDValidity {
		return nil, nil
	}
	rows, err := a.State.RowsByTarget(ctx, j.pair.ID, 1)
	if err != nil {
		return nil, err
	}
	found := make(map[uint32]bool)
	for _, r := range rows {
		found[r.TargetUID] = found[r.TargetUID] || r.SourceUID != 0
	}
	rows = slices.DeleteFunc(rows, func(r state.Row) bool { return found[r.TargetUID] })
	out = rowsKnown(rows)
	for i := range out {
		out[i].uid = rows[i].TargetUID
	}
	return out, nil
}

// asked is a message that was unreadable.
type asked struct {
	state.Exception
	job *job
}

// known are the unreadable messages of these folders that nobody has agreed to leave behind, those asked for least
// recently first: as many as a pass asks for.
func (a *attempt) known(ctx context.Context, jobs []*job) ([]asked, error) {
	byPair := make(map[int64]*job)
	for _, j := range jobs {
		// Under other target UIDs a copy cannot be found: the next pass asks.
		if j.pair.ID != 0 && j.task != matchLedger && a.hindered[j] == nil && !j.retarget {
			byPair[j.pair.ID] = j
		}
	}
	var out, piece []asked
	sift := func() error {
		refused, err := a.stillRefused(ctx, piece)
		out, piece = append(out, refused...), piece[:0]
		slices.SortStableFunc(out, func(x, y asked) int { return cmp.Compare(x.LastPass, y.LastPass) })
		out = slices.Delete(out, min(len(out), againMost), len(out))
		return err
	}
	err := a.State.EachException(ctx, func(e state.Exception) error {
		j := byPair[e.Pair]
		if e.Reason != reasonUnreadable && e.Reason != reasonStub || e.UID == 0 || e.Accepted || j == nil || e.LastPass == a.report.Pass {
			return nil
		}
		if piece = append(piece, asked{e, j}); len(piece) < againPiece {
			return nil
		}
		return sift()
	})
	if err == nil {
		err = sift()
	}
	return out, err
}

// stillRefused leaves those that the ledger has as not carried.
func (a *attempt) stillRefused(ctx context.Context, list []asked) ([]asked, error) {
	uids := make(map[int64][]uint32)
	for _, u := range list {
		uids[u.Pair] = append(uids[u.Pair], u.UID)
	}
	rows := make(map[int64]map[uint32]state.Row)
	for pair, of := range uids {
		found, err := a.State.RowsBySource(ctx, pair, of)
		if err != nil {
			return nil, err
		}
		rows[pair] = found
	}
	return slices.DeleteFunc(slices.Clone(list), func(u asked) bool { return rows[u.Pair][u.UID].Status != state.Refused }), nil
}

// one asks for a message. It gives its row once it comes, and why not where it does not; neither where it is gone, or
// that is not known.
func (h *hunt) one(ctx context.Context, u asked) (row *state.Row, why error) {
	still := false // no more than a notice
	h.question = question{u.job.source.Raw, u.job.sourceValidity(), wholeMessage}
	res, err := h.conn.Visit(ctx, imapx.Visit{Folder: h.folder, UIDValidity: h.validity, Reads: []imapx.Read{{UIDs: uidSet([]uint32{u.UID}), Want: h.want}}},
		imapx.VisitHandler{
			Alloc: func(_ context.Context, size int64) (imapx.Body, error) { return newDigestOnly(size), nil },
			Message: func(_ int, m imapx.Message) error {
				b := m.Body.(*digestOnly)
				if still = b.header.stub(); still {
					return nil
				}
				fp, _ := b.header.fingerprint()
				row = &state.Row{SourceUID: uint32(m.UID), Fingerprint: fp, Digest: b.sum.digest(),
					Size: b.size, Date: unixOf(m.Date), Flags: flagText(m.Flags)}
				return nil
			},
		})
	switch {
	case still:
		return nil, errStub
	case err == nil:
		return row, res.Failed[imap.UID(u.UID)]
	case row != nil:
		return row, nil
	}
	var ie *imapx.Error
	if errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount {
		return nil, nil // the folder itself
	}
	h.close()
	h.cuts++
	return nil, errEnded
}
