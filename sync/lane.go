package sync

import (
	"context"
	"errors"
	"sync"

	"mailmove/imapx"
	"mailmove/state"
)

// prepareAtOnce bounds the folders of one flight of CREATE, SUBSCRIBE and SELECT.
const prepareAtOnce = 64

// foldersAtOnce is how many pairs of a lane are under way together: their commands share one connection, so
// that small folders do not cost a round trip each.
const foldersAtOnce = 16

// opening is the target folder's answer, once it is there.
type opening struct {
	ready chan struct{}
	imapx.Prepared
}

func newOpening() opening { return opening{ready: make(chan struct{})} }

// opened waits for the target folder to be ready for mail.
func (l *lane) opened(ctx context.Context, j *job) (imapx.Opened, error) {
	select {
	case <-j.open.ready:
		return j.open.Opened, j.open.Err
	case <-ctx.Done():
		return imapx.Opened{}, ctx.Err()
	}
}

// prepare makes, subscribes and opens the lane's target folders, many in one flight.
func (l *lane) prepare(ctx context.Context) {
	for rest := l.jobs; len(rest) > 0; {
		part := rest[:min(prepareAtOnce, len(rest))]
		rest = rest[len(part):]
		asks := make([]imapx.Prepare, len(part))
		for i, j := range part {
			asks[i] = j.prepare()
		}
		done, err := l.dst.Prepare(ctx, asks)
		if err != nil {
			l.fail(err)
		}
		for i, j := range part {
			if err != nil {
				j.open.Err = err
			} else {
				j.open.Prepared = done[i]
				j.open.Err = l.usable(j, done[i].Err)
				if done[i].Created {
					l.count(func(r *Report) { r.FoldersCreated++ })
				}
			}
			close(j.open.ready)
		}
	}
}

// usable sorts out that a folder could not be subscribed: that may pass, and is no reason to leave its mail behind.
func (l *lane) usable(j *job, err error) error {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Op != "SUBSCRIBE" || ie.Scope == imapx.ScopeAccount || l.mayPass(ie) {
		return err
	}
	j.unsubscribed = ie
	return nil
}

// run carries the lane's pairs, a few at a time and in order; those of one target folder one after the other.
func (l *lane) run(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, foldersAtOnce)
	for _, group := range byTarget(l.jobs) {
		select {
		case slots <- struct{}{}:
		case <-l.intake.Done():
		}
		if l.intake.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			for _, j := range group {
				if l.intake.Err() != nil {
					return
				}
				l.settle(ctx, j, l.persist(ctx, j))
			}
		})
	}
	wg.Wait()
}

// folderTries is how often a folder is tried that its server refuses for now.
const folderTries = 4

// persist carries one pair, and tries again what the server refuses for now.
func (l *lane) persist(ctx context.Context, j *job) error {
	for n := 1; ; n++ {
		err := l.do(ctx, j)
		var ie *imapx.Error
		if n == folderTries || !errors.As(err, &ie) || ie.Scope == imapx.ScopeAccount {
			return err
		}
		if e := l.unsettled(ctx, j, ie); e != nil {
			return e
		}
		// A folder that is just being renamed cannot be opened for a moment: such a refusal is tried once more.
		if unclear := n == 1 && ie.Kind == imapx.KindFolder && ie.Code == ""; ie.Retry == imapx.RetryNever && !unclear {
			return err
		}
		if e := pause(l.intake, backoff(n, ie.Delay)); e != nil {
			return err
		}
		if e := l.again(ctx, j); e != nil {
			return e
		}
	}
}

// again makes a pair ready for another try: what was carried meanwhile is in the ledger.
func (l *lane) again(ctx context.Context, j *job) error {
	rows, err := l.State.CountRows(ctx, j.pair.ID)
	if err != nil {
		return err
	}
	if rows > 0 && j.task != matchLedger {
		j.task, j.rows = copyDelta, rows
	}
	if err := l.stillWanted(ctx, j); err != nil {
		return err
	}
	if _, err := l.opened(ctx, j); err == nil {
		return nil
	}
	j.open = newOpening()
	done, err := l.dst.Prepare(ctx, []imapx.Prepare{j.prepare()})
	if err != nil {
		return err
	}
	j.open.Prepared = done[0]
	j.open.Err = l.usable(j, done[0].Err)
	if done[0].Created {
		l.count(func(r *Report) { r.FoldersCreated++ })
	}
	close(j.open.ready)
	return nil
}

// prepare is what the target folder needs.
func (j *job) prepare() imapx.Prepare {
	return imapx.Prepare{Folder: j.raw, Create: j.create, SpecialUse: j.use, Subscribe: j.subscribe, Open: j.task != createOnly || j.retarget}
}

// do carries one pair to its marks.
func (l *lane) do(ctx context.Context, j *job) error {
	// What only copies asks the source at once: the target folder is made ready meanwhile, and waited for by the writer.
	if j.task != copyAll && j.task != copyDelta || j.retarget {
		if _, err := l.opened(ctx, j); err != nil {
			return err
		}
	}
	if j.retarget {
		if err := l.retarget(ctx, j); err != nil {
			return err
		}
	}
	var r outcome
	var err error
	switch j.task {
	case nothing:
		if err := l.State.CommitMarks(ctx, j.pair.ID, j.pair.SourceMark, l.targetMark(j)); err != nil {
			return err
		}
		return l.closeAdrift(ctx, j.pair.ID)
	case createOnly:
		if j.source.Mark != nil {
			r.mark = *j.source.Mark
		}
	case copyAll:
		r, err = l.copyAll(ctx, j)
	case copyDelta:
		r, err = l.delta(ctx, j)
		if errors.Is(err, errReused) {
			l.notice(j.source.Name + ": " + errReused.Error() + "; matching it anew")
			r, err = l.rekey(ctx, j)
		}
	case matchTarget:
		r, err = l.adopt(ctx, j)
	case matchLedger:
		r, err = l.rekey(ctx, j)
	}
	if err != nil {
		return err
	}
	if _, err := l.opened(ctx, j); err != nil {
		return err
	}
	given, err := l.giveBack(ctx, j)
	if err != nil {
		return err
	}
	if err := l.State.CommitMarks(ctx, j.pair.ID, stateMark(r.mark), l.targetMark(j)); err != nil {
		return err
	}
	if err := l.closeAdrift(ctx, j.pair.ID); err != nil {
		return err
	}
	if err := l.State.SettleExceptions(ctx, j.pair.ID, notCarried()); err != nil {
		return err
	}
	if ie := j.unsubscribed; ie != nil {
		e := state.Exception{Pair: j.pair.ID, Folder: j.source.Name, Reason: reasonSubscription, Code: string(ie.Code), Detail: ie.Error()}
		if err := l.except(ctx, e); err != nil {
			return err
		}
	}
	l.emit(FolderDone{Account: l.Account, Folder: j.source.Name, Copied: r.copied, Flags: r.flags + given})
	return nil
}
