package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Results of a pass.
const (
	ResultRunning     = "running"
	ResultDone        = "done"
	ResultExceptions  = "exceptions" // done, but for some messages or folders
	ResultInterrupted = "interrupted"
	ResultFailed      = "failed"
)

// PassRecord is one pass in the history. Counts are messages unless they say otherwise.
type PassRecord struct {
	ID             int64
	Started        time.Time // to the millisecond
	Ended          time.Time // zero: still running, or killed
	Result         string    // one of the Result constants
	Error          string
	Folders        int64 // folder pairs
	SourceMessages int64
	Copied         int64
	CopiedBytes    int64
	Matched        int64
	Flags          int64
	Recovered      int64
	Doubles        int64
	Exceptions     int64
	NewExceptions  int64
	Deferred       int64 // left out by a filter, of the whole account, when the pass ended
	Deleted        int64 // on the target, as they were deleted on the source
}

// keepPasses is how many passes the history holds: three days of one every five minutes.
const keepPasses = 1000

// BeginPass opens a pass and gives its number, from 1. A pass that is found running was killed, for the lock is
// ours: it becomes interrupted, without an end.
func (f *File) BeginPass(ctx context.Context, started time.Time) (int64, error) {
	var id int64
	err := f.write(ctx, "begin pass", func(t *tx) error {
		_, err := t.exec(`UPDATE passes SET result = ?, error = 'ended without a report: killed, or the machine stopped'
			WHERE result = ?`, ResultInterrupted, ResultRunning)
		if err == nil {
			id, err = t.insert(`INSERT INTO passes (started, result) VALUES (?, ?)`, started.UnixMilli(), ResultRunning)
		}
		if err == nil {
			_, err = t.exec(`DELETE FROM passes WHERE id <= ?`, id-keepPasses)
		}
		return err
	})
	return id, err
}

// EndPass closes a pass with its counts. Ended zero means now, Started is left as BeginPass wrote it.
func (f *File) EndPass(ctx context.Context, id int64, p PassRecord) error {
	switch p.Result {
	case ResultDone, ResultExceptions, ResultInterrupted, ResultFailed:
	default:
		return f.fail("end pass", fmt.Errorf("%q is no result of a pass that ended", p.Result))
	}
	if p.Ended.IsZero() {
		p.Ended = time.Now()
	}
	err := f.write(ctx, "end pass", func(t *tx) error {
		n, err := t.exec(`UPDATE passes SET ended = ?, result = ?, error = ?, folders = ?, source_messages = ?, copied = ?, copied_bytes = ?,
			matched = ?, flags = ?, recovered = ?, doubles = ?, exceptions = ?, new_exceptions = ?, deferred = ?, deleted = ? WHERE id = ?`,
			p.Ended.UnixMilli(), p.Result, shorten(p.Error, maxExceptionText), p.Folders, p.SourceMessages, p.Copied, p.CopiedBytes,
			p.Matched, p.Flags, p.Recovered, p.Doubles, p.Exceptions, p.NewExceptions, p.Deferred, p.Deleted, id)
		if err == nil && n == 0 {
			err = fmt.Errorf("no pass %d", id)
		}
		return err
	})
	if err == nil && (p.Result == ResultDone || p.Result == ResultExceptions) {
		f.fresh.Store(false)
	}
	return err
}

// Passes gives the newest passes, newest first, at most limit of them; all that are kept with -1.
func (f *File) Passes(ctx context.Context, limit int) ([]PassRecord, error) {
	all, err := queryPasses(ctx, f.reader, limit)
	return all, f.fail("read passes", err)
}

func queryPasses(ctx context.Context, db *sql.DB, limit int) ([]PassRecord, error) {
	return queryAll(ctx, db, `SELECT id, started, ended, result, error, folders, source_messages, copied, copied_bytes, matched, flags,
		recovered, doubles, exceptions, new_exceptions, deferred, deleted FROM passes ORDER BY id DESC LIMIT ?`, func(rows *sql.Rows) (p PassRecord, err error) {
		var started, ended int64
		err = rows.Scan(&p.ID, &started, &ended, &p.Result, &p.Error, &p.Folders, &p.SourceMessages, &p.Copied, &p.CopiedBytes,
			&p.Matched, &p.Flags, &p.Recovered, &p.Doubles, &p.Exceptions, &p.NewExceptions, &p.Deferred, &p.Deleted)
		p.Started = time.UnixMilli(started)
		if ended > 0 {
			p.Ended = time.UnixMilli(ended)
		}
		return p, err
	}, limit)
}
