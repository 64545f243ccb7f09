package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
)

// letter is one message on its way from source to target.
type letter struct {
	uid   uint32
	flags []imap.Flag // the source's
	kept  []imap.Flag // those that the target folder keeps
	date  time.Time
	body  *body
}

// row is the letter as the ledger will know it.
func (m *letter) row() state.Row {
	fp, _ := m.body.header.fingerprint()
	return state.Row{
		SourceUID: m.uid, Fingerprint: fp, Digest: m.body.sum, Size: m.body.size,
		Date: unixOf(m.date), Flags: flagText(m.flags),
	}
}

// copy visits the source folder once. Bodies go through windows to the target, flags of known messages are
// merged after that; what the source does not give becomes an exception.
func (l *lane) copy(ctx context.Context, j *job, reads ...imapx.Read) (outcome, error) {
	w := newWriter(l, j)
	letters := make(chan *letter)
	flags := &flagSieve{lane: l, pair: j.pair.ID}
	var res imapx.VisitResult
	var readErr error

	// A writer that fails ends the visit by an answer of its handler, not by the context: cancelling closes the
	// connection, on which other folders are being read.
	stopped := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		defer close(letters)
		visit, cancel := both(ctx, l.intake)
		defer cancel()
		res, readErr = l.src.Visit(visit, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(), Reads: reads}, imapx.VisitHandler{
			Alloc: l.alloc,
			Message: func(_ int, m imapx.Message) error {
				if m.Body == nil {
					return flags.add(visit, seen{uint32(m.UID), m.Flags})
				}
				select {
				case letters <- newLetter(m):
					return nil
				case <-stopped:
					m.Body.Release()
					return errStopped
				case <-visit.Done():
					m.Body.Release()
					return visit.Err()
				}
			},
		})
		return nil // the writer sends what has come before anything is given up
	})
	g.Go(func() error {
		defer close(stopped)
		return w.run(ctx, letters)
	})
	err := g.Wait()
	for m := range letters {
		m.body.Release()
	}
	out := outcome{mark: j.covered(res.Opened.Mark), copied: w.stored}
	if err != nil {
		return out, err
	}
	if readErr != nil {
		return out, readErr
	}
	if err := l.unreadable(ctx, j, res.Failed); err != nil {
		return out, err
	}
	if out.mark.UIDNext == 0 {
		out.mark.UIDNext = imap.UID(w.highest + 1)
	}
	if err := flags.sift(ctx); err != nil {
		return out, err
	}
	out.flags, err = l.mergeFlags(ctx, j, flags.changed)
	return out, err
}

// recheck looks at messages of the ledger again: they must still be what their UIDs stand for.
func (l *lane) recheck(ctx context.Context, j *job, check map[uint32]state.Row) error {
	if len(check) == 0 {
		return nil
	}
	ctx, cancel := both(ctx, l.intake)
	defer cancel()
	ids := uidSet(slices.Sorted(maps.Keys(check)))
	_, err := l.src.Visit(ctx, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(), Reads: []imapx.Read{{UIDs: ids, Want: identityWants}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			if row, ok := check[uint32(m.UID)]; ok && reused(row, m) {
				return errReused
			}
			return nil
		}})
	return err
}

// errStopped ends a visit whose messages nobody takes any more.
var errStopped = errors.New("the target does not take more")

// sourceValidity is the UIDVALIDITY that the reads were planned with, 0: none yet.
func (j *job) sourceValidity() uint32 {
	if j.source.Mark != nil {
		return j.source.Mark.UIDValidity
	}
	return j.pair.SourceMark.UIDValidity
}

// both ends with either context.
func both(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(other, cancel)
	return ctx, func() { stop(); cancel() }
}

func (l *lane) alloc(ctx context.Context, size int64) (imapx.Body, error) {
	return l.bodies.alloc(ctx, size)
}

// newLetter takes a message over.
func newLetter(m imapx.Message) *letter {
	b := m.Body.(*body)
	b.finish()
	return &letter{uid: uint32(m.UID), flags: m.Flags, date: m.Date, body: b}
}

// refuse records a message that stays behind: a row, so that no pass tries it again by itself, and an exception.
func (l *lane) refuse(ctx context.Context, j *job, row state.Row, b *body, reason string, why error) error {
	row.Status, row.TargetUID = state.Refused, 0
	e := state.Exception{Pair: j.pair.ID, Folder: j.source.Name, UID: row.SourceUID, Reason: reason, Detail: why.Error()}
	var ie *imapx.Error
	if errors.As(why, &ie) {
		e.Code = string(ie.Code)
	}
	if b != nil {
		e.MessageID, e.Subject, e.Date = b.header.text(fieldMessageID), b.header.text(fieldSubject), b.header.text(fieldDate)
	}
	// The exception first: a death in between must not leave a message that no pass tries and nobody was told of.
	if err := l.except(ctx, e); err != nil {
		return err
	}
	return l.State.PutRows(ctx, j.pair.ID, []state.Row{row})
}

var errEmpty = errors.New("the message has no bytes")

// leave records a message that the target does not take, and keeps it as a file.
func (w *writer) leave(ctx context.Context, m *letter, row state.Row, reason string, why error) error {
	return w.refuse(ctx, w.job, row, m.body, reason, errKept{why, w.keepRefused(w.job, m)})
}

// errKept is a refusal with what became of the message.
type errKept struct {
	error
	where string
}

func (e errKept) Error() string { return e.error.Error() + e.where }
func (e errKept) Unwrap() error { return e.error }

// tooBig says both sizes.
func tooBig(size int64, limit uint64) error {
	return fmt.Errorf("%d bytes, and the target takes %d at most (APPENDLIMIT)", size, limit)
}
