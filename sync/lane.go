package sync

import (
	"context"
	"sync"

	"mailmove/imapx"
)

// prepareAtOnce bounds the folders of one flight of CREATE, SUBSCRIBE and SELECT.
const prepareAtOnce = 64

// foldersAtOnce is how many pairs of a lane are under way together: their commands share one connection, so
// that small folders do not cost a round trip each.
const foldersAtOnce = 4

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
			asks[i] = imapx.Prepare{Folder: j.raw, Create: j.create, SpecialUse: j.use, Subscribe: j.subscribe, Open: j.task != createOnly}
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
				if done[i].Created {
					l.count(func(r *Report) { r.FoldersCreated++ })
				}
			}
			close(j.open.ready)
		}
	}
}

// run carries the lane's pairs, a few at a time and in order.
func (l *lane) run(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, foldersAtOnce)
	for _, j := range l.jobs {
		select {
		case slots <- struct{}{}:
		case <-l.intake.Done():
		}
		if l.intake.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			l.settle(ctx, j, l.do(ctx, j))
		})
	}
	wg.Wait()
}

// do carries one pair to its marks.
func (l *lane) do(ctx context.Context, j *job) error {
	if _, err := l.opened(ctx, j); err != nil && j.task != copyAll && j.task != copyDelta {
		return err
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
		return l.State.CommitMarks(ctx, j.pair.ID, j.pair.SourceMark, l.targetMark(j))
	case createOnly:
		if j.source.Mark != nil {
			r.mark = *j.source.Mark
		}
	case copyAll:
		r, err = l.copy(ctx, j, imapx.Read{UIDs: from(1), Want: imapx.WantBody | imapx.WantFlags | imapx.WantDate})
	case copyDelta:
		r, err = l.delta(ctx, j)
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
	if err := l.State.CommitMarks(ctx, j.pair.ID, stateMark(r.mark), l.targetMark(j)); err != nil {
		return err
	}
	if err := l.State.ClearExceptions(ctx, j.pair.ID, []uint32{0}); err != nil {
		return err
	}
	l.emit(FolderDone{Account: l.Account, Folder: j.source.Name, Copied: r.copied, Flags: r.flags})
	return nil
}
