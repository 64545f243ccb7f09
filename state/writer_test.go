package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// stall occupies the writer until the given function is called, so that what is queued meanwhile makes a group.
func stall(t *testing.T, f *File) (release func()) {
	t.Helper()
	begun, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- f.writer.do(context.Background(), "stall", func(*tx) error { close(begun); <-free; return nil })
	}()
	<-begun
	return func() {
		close(free)
		must(t, <-done)
	}
}

func queued(t *testing.T, f *File, n int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); len(f.writer.queue) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d queued", len(f.writer.queue), n)
		}
	}
}

// One operation of a group fails, before and after it wrote something: the others do not notice.
func TestFailingAlone(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	release := stall(t, f)
	const calls = 30
	errs := make([]error, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			rows := testRows(uint32(i*100+1), uint32(i*100+60))
			for j := range rows {
				rows[j].Flags = fmt.Sprint("set", i%7) // new flag sets, also in those that fail
			}
			if i%3 == 0 {
				rows[59].SourceUID = 0
			}
			errs[i] = f.PutRows(ctx, pair, rows)
		})
	}
	queued(t, f, calls)
	release()
	wg.Wait()
	good := 0
	for i, err := range errs {
		if (err == nil) != (i%3 != 0) {
			t.Errorf("call %d: %v", i, err)
		}
		if err == nil {
			good++
			rows, e := f.RowsBySource(ctx, pair, []uint32{uint32(i*100 + 1)})
			must(t, e)
			if got := rows[uint32(i*100+1)].Flags; got != fmt.Sprint("set", i%7) {
				t.Errorf("flags %q", got)
			}
		}
	}
	checkRows(t, f, pair, int64(good)*60)
}

func TestGivingUp(t *testing.T) {
	f := openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	release := stall(t, f)
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.PutRows(ctx, pair, testRows(1, 10)) }()
	queued(t, f, 1)
	why := errors.New("the second Ctrl-C")
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	release()
	checkRows(t, f, pair, 0)
	if err := f.PutRows(ctx, pair, testRows(1, 10)); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// Close settles what was queued, and whoever comes late is told.
func TestCloseWhileWriting(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		stored int64
	)
	for i := range 20 {
		wg.Go(func() {
			for j := range 50 {
				uid := uint32(i*1000 + j + 1)
				err := f.PutRows(ctx, pair, testRows(uid, uid))
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				stored++
				mu.Unlock()
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	must(t, f.Close())
	wg.Wait()
	checkRows(t, openTest(t, dir), pair, stored)
}

// Writers and readers at the same time; run it with -race.
func TestTogether(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	const folders, windows = 6, 12
	var wg sync.WaitGroup
	for i := range folders {
		wg.Go(func() {
			p := Pair{Source: fmt.Sprint("folder", i), Target: "t"}
			err := f.PutPair(ctx, &p)
			for w := uint32(0); err == nil && w < windows; w++ {
				rows := testRows(w*40+1, w*40+40)
				window := Window{Pair: p.ID, Rows: maybe(rows)}
				if err = f.Intend(ctx, &window); err == nil {
					err = f.Record(ctx, window.ID, rows, true)
				}
				if err == nil {
					err = f.SetFlags(ctx, p.ID, map[uint32]string{w*40 + 1: fmt.Sprint("k", i, w)})
				}
				if err == nil {
					err = f.Rows(ctx, p.ID, 0, func(r Row) error { // writing while reading
						if r.SourceUID%40 == 0 {
							return f.PutRows(ctx, p.ID, []Row{r})
						}
						return nil
					})
				}
				if err == nil {
					_, err = Inspect(ctx, f.Path())
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := Inspect(ctx, f.Path())
	must(t, err)
	if s.Messages.Stored != folders*windows*40 || s.Windows != 0 || len(s.Pairs) != folders || !s.Running {
		t.Errorf("%+v", s.Messages)
	}
}

// SQLITE_FULL: the operation fails with its own type, the file stays sound, and there is room again later.
func TestFullDisk(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	must(t, f.PutRows(ctx, pair, testRows(1, 100)))
	limit := func(pages int) {
		t.Helper()
		must(t, f.writer.do(ctx, "test", func(tx *tx) error {
			var n int
			return tx.queryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages), nil, &n)
		}))
	}
	limit(40)
	release := stall(t, f)
	errs := make(chan error, 3)
	for i := range uint32(3) {
		go func() { errs <- f.PutRows(ctx, pair, testRows(1000+i*5000, 4000+i*5000)) }()
	}
	queued(t, f, 3)
	release()
	for range 3 {
		var full *UnwritableError
		if err := <-errs; !errors.As(err, &full) || !full.Full || full.Hint() == "" {
			t.Errorf("%v", err)
		}
	}
	checkRows(t, f, pair, 100)
	limit(1 << 20)
	must(t, f.PutRows(ctx, pair, testRows(1000, 4000)))
	checkRows(t, f, pair, 3101)
	must(t, f.Close())
	checkRows(t, openTest(t, dir), pair, 3101) // Open has checked it
}

// A sqlite3 shell that keeps a write lock is waited for, and then told as busy, not as damage.
func TestForeignWriteLock(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	must(t, f.writer.do(ctx, "test", func(tx *tx) error {
		var n int
		return tx.queryRow(`PRAGMA busy_timeout = 100`, nil, &n)
	}))
	shell, err := openDB(f.Path(), readWrite, 1)
	must(t, err)
	defer func() { must(t, shell.Close()) }()
	_, err = shell.Exec(`BEGIN IMMEDIATE`)
	must(t, err)
	var busy *BusyError
	if err := f.PutRows(ctx, pair, testRows(1, 5)); !errors.As(err, &busy) || busy.Hint() == "" {
		t.Errorf("%v", err)
	}
	_, err = shell.Exec(`ROLLBACK`)
	must(t, err)
	must(t, f.PutRows(ctx, pair, testRows(1, 5)))
}
