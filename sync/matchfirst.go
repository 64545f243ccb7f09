package sync

import (
	"context"

	"mailmove/imapx"
)

// A folder that no pass has carried yet may be there on both sides, with mail. What came to it on the source was moved
// there, or is on the target too, brought by another tool or by its user: that comes first, for such a message needs no
// other copy. It is in the ledger before anything is moved, for with rows a folder is not compared again.

// matchFirst compares the folders that have no ledger, where messages left other ones.
func (a *attempt) matchFirst(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		if j.task != matchTarget || a.hindered[j] != nil || !j.gainedOnSource() {
			continue
		}
		err := a.matchOne(ctx, j)
		if again := a.renamedNow(ctx, err); again != nil {
			return again
		}
		if err != nil && !a.hinder(err, j) {
			return err
		}
	}
	return nil
}

func (a *attempt) matchOne(ctx context.Context, j *job) error {
	l := a.lanes[0]
	open := newOpening()
	if !a.DryRun {
		ready, err := l.dst.Prepare(ctx, []imapx.Prepare{{Folder: j.raw, Open: true}})
		if err != nil {
			return err
		}
		if open.Prepared = ready[0]; open.Err != nil {
			return open.Err
		}
		close(open.ready)
	}
	m, err := l.matchSides(ctx, j, open.Opened.UIDValidity)
	if err != nil {
		return err
	}
	for _, c := range m.couples {
		add(a.settled, j, m.src[c.a].uid)
	}
	for uid := range m.unread { // it may be one of those that are there
		add(a.settled, j, uint32(uid))
	}
	if a.DryRun || len(m.couples) == 0 {
		return nil
	}
	if err := a.State.PutPair(ctx, &j.pair); err != nil {
		return err
	}
	j.open = open
	defer func() { j.open = newOpening() }() // with its own work it is opened again
	j.rows += int64(len(m.couples))
	return l.takeOver(ctx, j, m.src, m.dst, m.couples)
}
