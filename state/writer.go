package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// maxGroup bounds how many operations share a transaction, and so how long the first of them waits.
const maxGroup = 64

// writer is the only goroutine that writes. It takes all operations that are queued into one transaction, so
// that calls made at the same time cost one fsync together.
type writer struct {
	db      *sql.DB
	tx      *tx
	hook    func(step string) // Options.Hook, never nil
	queue   chan *operation
	closing chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// operation is one call of a writing method.
type operation struct {
	step string // its name for the hook
	run  func(*tx) error
	done chan error // buffered: the writer never waits for a caller
	// claimed is taken by the writer when it starts, or by the caller when it gives up: an operation that has
	// started is always waited for, so that run may use the caller's slices.
	claimed atomic.Bool
	err     error
}

func (o *operation) claim() bool { return o.claimed.CompareAndSwap(false, true) }

// newWriter takes over db and conn, a connection of it.
func newWriter(db *sql.DB, conn *sql.Conn, hook func(string)) *writer {
	if hook == nil {
		hook = func(string) {}
	}
	w := &writer{
		db:      db,
		tx:      newTx(conn),
		hook:    hook,
		queue:   make(chan *operation, maxGroup),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// do queues run and waits for its commit. Where ctx ends before run has started, nothing is written.
func (w *writer) do(ctx context.Context, step string, run func(*tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o := &operation{step: step, run: run, done: make(chan error, 1)}
	select {
	case w.queue <- o:
	case <-w.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		if o.claim() {
			return context.Cause(ctx)
		}
	case <-w.stopped:
		if o.claim() {
			return ErrClosed
		}
	}
	return <-o.done
}

// close lets the queued operations finish and closes the database.
func (w *writer) close() error {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
	return errors.Join(w.tx.close(), w.db.Close())
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case o := <-w.queue:
			w.commit(w.group(o))
			continue
		default:
		}
		select {
		case o := <-w.queue:
			w.commit(w.group(o))
		case <-w.closing:
			// What came in before closing was seen is still done; a caller that queues later sees stopped.
			for group := w.group(nil); len(group) > 0; group = w.group(nil) {
				w.commit(group)
			}
			return
		}
	}
}

// group claims first and whatever else is queued now.
func (w *writer) group(first *operation) []*operation {
	var group []*operation
	if first != nil && first.claim() {
		group = append(group, first)
	}
	for len(group) < maxGroup {
		select {
		case o := <-w.queue:
			if o.claim() {
				group = append(group, o)
			}
		default:
			return group
		}
	}
	return group
}

// commit runs a group in one transaction and answers each caller.
func (w *writer) commit(group []*operation) {
	if len(group) == 0 {
		return
	}
	err := w.tx.begin()
	for i := 0; err == nil && i < len(group); i++ {
		err = w.tx.isolate(group[i], len(group) > 1)
	}
	if err == nil {
		err = w.tx.commit()
	}
	if err != nil {
		w.tx.rollback()
	} else if done := steps(group); done != "" {
		w.hook(done)
	}
	for _, o := range group {
		if o.err == nil {
			o.err = err
		}
		o.done <- o.err
	}
}

// steps names what a group has done, without what failed.
func steps(group []*operation) string {
	var names []string
	for _, o := range group {
		if o.err == nil {
			names = append(names, o.step)
		}
	}
	return strings.Join(names, ", ")
}

// tx is the writer's connection with its prepared statements. Its methods do not take a context: a statement
// that was begun is finished, and busy_timeout bounds each wait.
type tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // by text; the texts are constants, so the map is bounded
	flags map[string]int64     // flag sets whose id is known
}

func newTx(conn *sql.Conn) *tx {
	return &tx{conn: conn, stmts: make(map[string]*sql.Stmt), flags: make(map[string]int64)}
}

func (t *tx) begin() error { _, err := t.exec("BEGIN IMMEDIATE"); return err }

func (t *tx) commit() error {
	if _, err := t.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback also serves where SQLite has rolled back already (disk full): its own error says nothing new.
func (t *tx) rollback() {
	clear(t.flags)
	_, _ = t.exec("ROLLBACK")
}

// isolate runs o so that its failure undoes only what it did itself. The error is not nil where that was not
// possible and the whole transaction has to go.
func (t *tx) isolate(o *operation, shared bool) error {
	if !shared {
		o.err = o.run(t)
		return o.err
	}
	if _, err := t.exec("SAVEPOINT op"); err != nil {
		return err
	}
	if o.err = o.run(t); o.err != nil {
		clear(t.flags)
		if _, err := t.exec("ROLLBACK TO op"); err != nil {
			return o.err
		}
	}
	_, err := t.exec("RELEASE op")
	return err
}

func (t *tx) prepare(query string) (*sql.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.stmts[query] = s
	}
	return s, err
}

// exec gives the number of rows that the statement changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert runs an INSERT and gives the new row's id.
func (t *tx) insert(query string, args ...any) (int64, error) {
	s, err := t.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// queryRow scans the only row; sql.ErrNoRows where there is none.
func (t *tx) queryRow(query string, args []any, dest ...any) error {
	s, err := t.prepare(query)
	if err != nil {
		return err
	}
	return s.QueryRow(args...).Scan(dest...)
}

func (t *tx) close() error {
	var errs []error
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, t.conn.Close())...)
}
