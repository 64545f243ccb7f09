package sync

import (
	"context"
	"maps"

	"mailmove/imapx"
	"mailmove/state"
)

// rekey is for a source whose UIDs mean something else now: its messages are looked for in the ledger first and
// inherit their rows, so that nothing that was deleted on the target comes back.
func (l *lane) rekey(ctx context.Context, j *job) (outcome, error) {
	visit, cancel := both(ctx, l.intake)
	defer cancel()
	src, res, err := survey(visit, l.src, j.source.Raw, j.sourceValidity(), j.listed(1))
	if err != nil {
		return outcome{}, err
	}
	rows, err := l.heritable(ctx, j.pair.ID)
	if err != nil {
		return outcome{}, err
	}
	opened, err := l.opened(ctx, j)
	if err != nil {
		return outcome{}, err
	}
	couples, err := l.matchRows(visit, folderAt{l.src, j.source.Raw, res.Opened.UIDValidity}, src, rows,
		folderAt{l.dst, j.raw, opened.UIDValidity}, func(r state.Row) uint32 { return r.TargetUID })
	if err != nil {
		return outcome{}, err
	}
	moved := make(map[uint32]uint32, len(couples))
	updates := make([]seen, 0, len(couples))
	var back []uint32
	for _, c := range couples {
		moved[rows[c.b].SourceUID] = src[c.a].uid
		updates = append(updates, seen{src[c.a].uid, parseFlags(src[c.a].flags)})
		if rows[c.b].Status == state.SourceGone {
			back = append(back, src[c.a].uid)
		}
	}
	if err := l.State.MoveKept(ctx, j.pair.ID, j.pair.SourceMark.UIDValidity, res.Opened.UIDValidity, moved); err != nil {
		return outcome{}, err
	}
	if err := l.State.Rekey(ctx, j.pair.ID, moved); err != nil {
		return outcome{}, err
	}
	if err := l.backAgain(ctx, j.pair.ID, back); err != nil {
		return outcome{}, err
	}
	l.count(func(r *Report) { r.Matched += int64(len(couples)) })
	flags, err := l.mergeFlags(ctx, j, updates)
	if err != nil {
		return outcome{}, err
	}
	// From here on the new UIDs count, also where the rest is interrupted.
	if err := l.State.CommitMarks(ctx, j.pair.ID, state.Mark{UIDValidity: res.Opened.UIDValidity, UIDNext: 1}, j.pair.TargetMark); err != nil {
		return outcome{}, err
	}
	r, err := l.adoptRest(ctx, j, src, couples, res, opened.UIDValidity)
	r.flags += flags
	return r, err
}

// adoptRest looks on the target for what no row has, and copies what is not there: a message that could not be read when
// the state was lost, or when the UIDs changed before, has its copy there and no row of its own.
func (l *lane) adoptRest(ctx context.Context, j *job, src []known, couples []couple, res imapx.VisitResult, dstValidity uint32) (outcome, error) {
	mark := res.Opened.Mark
	had := make([]bool, len(src))
	for _, c := range couples {
		had[c.a] = true
	}
	rest := where(had, false)
	if len(rest) == 0 {
		return outcome{mark: j.covered(mark)}, nil
	}
	dst, _, err := survey(ctx, l.dst, j.raw, dstValidity, from(1))
	if err != nil {
		return outcome{}, err
	}
	var parked []known
	if j.target != nil && j.target.Mark != nil {
		if parked, err = l.parked(ctx, j); err != nil {
			return outcome{}, err
		}
	}
	src, dst, err = l.withoutLedger(ctx, j, dstValidity, pick(src, rest), dst, parked)
	if err != nil {
		return outcome{}, err
	}
	couples, unread, err := l.match(ctx, j, src, dst, mark.UIDValidity, dstValidity)
	if err != nil {
		return outcome{}, err
	}
	maps.Copy(unread, res.Failed)
	if err := l.takeOver(ctx, j, src, dst, couples); err != nil {
		return outcome{}, err
	}
	return l.copyRest(ctx, j, src, couples, unread, j.covered(mark))
}

// heritable are the rows of a pair that messages under new UIDs can have. Deferred ones are dropped by Rekey: what they
// were is deferred or carried anew. Of those that had left the source the copy must still be this folder's: where it went
// with its message to another one, the same mail that is here again has none. They come last, for it is likelier that a
// message was there all the time.
func (l *lane) heritable(ctx context.Context, pair int64) ([]state.Row, error) {
	var rows, left []state.Row
	err := l.State.Rows(ctx, pair, 0, func(r state.Row) error {
		switch {
		case r.Status == state.SourceGone && r.TargetUID != 0:
			left = append(left, r)
		case r.Status != state.SourceGone && r.Status != state.Deferred:
			rows = append(rows, r)
		}
		return nil
	})
	return append(rows, left...), err
}

// backAgain is for messages that had left the source: they are there, and so are their copies.
func (l *lane) backAgain(ctx context.Context, pair int64, uids []uint32) error {
	return l.State.NoteBack(ctx, pair, uids)
}
