package sync

import (
	"context"
	"errors"
	"sync"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Bounds of one window: what a MULTIAPPEND carries. A target without it gets as many pipelined APPENDs. Lost
// connections make windows smaller, down to windowLeast, stored ones larger again.
const (
	windowMessages = 1000
	windowBytes    = 4 << 20
	windowLeast    = 32 << 10
)

// windowsInFlight bounds the windows of one folder that wait for their answers.
const windowsInFlight = 3

// writer carries the letters of one pair to the target: intend, append, record (docs/state.md).
type writer struct {
	*lane
	job    *job
	opened imapx.Opened
	keep   *keeper
	floor  uint32
	slots  chan struct{}
	woken  chan struct{} // a window was settled

	letters []*letter // the window that is being filled
	bytes   int64
	highest uint32

	mu      sync.Mutex // guards the rest
	stored  int64
	claimed map[uint32]bool // altered copies of an earlier pass that were found
	unnamed []state.Window  // stored, and the server did not tell the UIDs
	err     error           // why a window could not be settled
	wg      sync.WaitGroup
}

func newWriter(l *lane, j *job) *writer {
	return &writer{lane: l, job: j, slots: make(chan struct{}, windowsInFlight), woken: make(chan struct{}, 1),
		claimed: make(map[uint32]bool)}
}

// run fills windows and sends them until the letters end, then waits for every answer.
func (w *writer) run(ctx context.Context, in <-chan *letter) error {
	err := w.fill(ctx, in)
	if err == nil {
		err = w.flush(ctx)
	}
	w.drop()
	w.wg.Wait()
	if err == nil {
		err = w.failed()
	}
	if err == nil {
		err = w.name(ctx)
	}
	return err
}

func (w *writer) fill(ctx context.Context, in <-chan *letter) error {
	for {
		pressed, now := w.bodies.budget.pressure()
		idle := len(w.slots) == 0 // nothing in flight that will give room back by itself
		if now && idle || len(w.letters) >= windowMessages || w.bytes >= w.window.Load() {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		select {
		case m, ok := <-in:
			if !ok {
				return nil
			}
			w.highest = max(w.highest, m.uid)
			if err := w.take(ctx, m); err != nil {
				m.body.Release()
				return err
			}
		case <-pressed:
		case <-w.woken:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.failed(); err != nil {
			return err
		}
	}
}

// take puts a letter into the window, or records why it cannot be carried.
func (w *writer) take(ctx context.Context, m *letter) error {
	if err := w.ready(ctx); err != nil {
		return err
	}
	limit := w.dst.Limits().Append
	switch size := m.body.size; {
	case m.body.header.stub():
		err := w.refuse(ctx, w.job, state.Row{SourceUID: m.uid}, m.body, reasonStub, errStub)
		m.body.Release()
		return err
	case size == 0: // in a MULTIAPPEND it would mean "abort" (RFC 3502)
		err := w.refuse(ctx, w.job, m.row(), m.body, reasonEmpty, errEmpty)
		m.body.Release()
		return err
	case limit > 0 && uint64(size) > limit:
		err := w.leave(ctx, m, m.row(), reasonTooBig, tooBig(size, limit))
		m.body.Release()
		return err
	}
	var err error
	if m.kept, err = w.keepFlags(ctx, w.job, w.keep, m.flags); err != nil {
		return err
	}
	if err := w.dated(ctx, m); err != nil {
		return err
	}
	weight := m.body.size + flagBytes(m.flags) // a server may show more flags than text
	if n := len(w.letters); n > 0 && w.bytes+weight > w.window.Load() {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.letters = append(w.letters, m)
	w.bytes += weight
	return nil
}

// flush sends the window that was filled. Its intent is on disk before the first byte goes out.
func (w *writer) flush(ctx context.Context) error {
	if len(w.letters) == 0 {
		return nil
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	win := &window{writer: w, letters: w.letters}
	w.letters, w.bytes = nil, 0
	pending, err := win.send(ctx)
	if err != nil {
		<-w.slots
		win.release()
		return err
	}
	w.wg.Go(func() {
		defer func() {
			win.release()
			<-w.slots
			select {
			case w.woken <- struct{}{}:
			default:
			}
		}()
		if err := win.settle(ctx, pending); err != nil {
			w.mu.Lock()
			w.err = errors.Join(w.err, err)
			w.mu.Unlock()
		}
	})
	return nil
}

// ready waits for the target folder, once, and finds the floor.
func (w *writer) ready(ctx context.Context) error {
	if w.keep != nil {
		return nil
	}
	opened, err := w.lane.opened(ctx, w.job)
	if err != nil {
		return err
	}
	if opened.UIDNext == 0 {
		if opened.UIDNext, err = w.uidNext(ctx, w.job.raw); err != nil {
			return err
		}
	}
	w.opened, w.keep, w.floor = opened, newKeeper(opened.PermanentFlags), uint32(opened.UIDNext)
	return nil
}

// uidNext finds the next UID of a folder whose server does not tell UIDNEXT: that of the last message plus one.
func (l *lane) uidNext(ctx context.Context, folder string) (imap.UID, error) {
	last := imap.UID(0)
	_, err := l.dst.Visit(ctx, imapx.Visit{Folder: folder, Reads: []imapx.Read{{UIDs: imap.UIDSet{{Start: 0, Stop: 0}}, Want: imapx.WantFlags}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error { last = max(last, m.UID); return nil }})
	return last + 1, err
}

func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// drop releases what was not sent.
func (w *writer) drop() {
	for _, m := range w.letters {
		m.body.Release()
	}
	w.letters = nil
}

// done counts what a window stored.
func (w *writer) done(rows []state.Row, unnamed *state.Window) {
	w.window.Store(min(w.window.Load()*2, windowBytes))
	w.mu.Lock()
	found := make(map[uint32]bool)
	for _, r := range rows {
		if r.TargetUID != 0 && w.claimed[r.TargetUID] {
			found[r.SourceUID] = true
		}
	}
	w.stored += int64(len(rows) - len(found))
	if unnamed != nil {
		w.unnamed = append(w.unnamed, *unnamed)
	}
	w.mu.Unlock()
	w.count(func(r *Report) { r.Matched += int64(len(found)) })
	for _, r := range rows {
		if found[r.SourceUID] {
			continue
		}
		w.copied(w.job.source.Name, r.Size)
	}
}

// name learns the UIDs of what was stored on a server without UIDPLUS: by listing from the floor, once a pair.
func (w *writer) name(ctx context.Context) error {
	for _, win := range w.unnamed {
		found, err := w.locate(ctx, w.dst, w.job.pair, win.UIDValidity, win.Floor, win.Rows)
		if err == nil {
			err = w.giveFlags(ctx, w.dst, w.job.pair, win.UIDValidity, win.Rows, found)
		}
		if err != nil {
			return err
		}
		for i := range win.Rows {
			win.Rows[i].TargetUID = found.uids[i] // 0: moved away by its user or a rule already
		}
		if err := w.State.Record(ctx, win.ID, win.Rows, true); err != nil {
			return err
		}
	}
	return nil
}
