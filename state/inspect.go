package state

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"time"
)

// Summary is what a state file says of its account.
type Summary struct {
	Path           string
	Version        int   // of the schema
	FileBytes      int64 // with its write-ahead log
	Account        string
	Source, Target string // "user@host:port"
	Created        time.Time
	Running        bool   // a process works on the account now
	Holder         Holder // that process, where Running
	Pairs          []PairSummary
	Messages       Tally // of all pairs
	Windows        int64 // intents that are not closed
	WindowMessages int64 // messages in them
	Exceptions     int64
	Accepted       int64       // of the Exceptions
	Listed         []Exception // the first maxListed of the Exceptions
	Passes         []PassRecord
	Final          time.Time // when the final pass ended; zero: there was none
	Reversed       int64     // messages that were carried back to the source
}

// PairSummary is a folder pair with what the ledger holds of it.
type PairSummary struct {
	Pair
	Messages   Tally
	Exceptions int64 // of the folder and its messages
}

// Tally counts ledger rows by status.
type Tally struct {
	Stored, Gone, Refused, SourceGone, Moved, Deferred int64
	Bytes                                              int64 // of the stored ones, as the source sent them
}

func (t *Tally) add(s Status, count, bytes int64) {
	switch s {
	case Stored:
		t.Stored += count
		t.Bytes += bytes
	case Gone:
		t.Gone += count
	case Refused:
		t.Refused += count
	case SourceGone:
		t.SourceGone += count
	case Moved:
		t.Moved += count
	case Deferred:
		t.Deferred += count
	}
}

const (
	maxListed    = 1000 // exceptions in a Summary
	listedPasses = 10   // passes in a Summary
)

// Inspect reads a state file, also while a pass is running, and changes nothing. It keeps a pass that begins
// meanwhile waiting for the milliseconds that it takes. Errors are those of Open; a file that is not there is an
// *UnwritableError that wraps fs.ErrNotExist.
func Inspect(ctx context.Context, path string) (Summary, error) {
	s := Summary{Path: path}
	return s, classify(path, "inspect", s.read(ctx))
}

func (s *Summary) read(ctx context.Context) error {
	return s.reading(ctx, func(db *sql.DB) error {
		for _, part := range []func(context.Context, *sql.DB) error{s.readMeta, s.readPairs, s.readCounts, s.readLists} {
			if err := part(ctx, db); err != nil {
				return err
			}
		}
		return nil
	})
}

// reading opens the file, also beside a pass, and shows fn one moment of it.
func (s *Summary) reading(ctx context.Context, fn func(*sql.DB) error) (err error) {
	found, err := present(s.Path)
	if err != nil {
		return err
	}
	if !found {
		return &UnwritableError{Path: s.Path, Err: fs.ErrNotExist}
	}
	how, release, err := s.look(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	db, err := openDB(s.Path, how, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkVersion(ctx, db, s.Path, len(schema())); err != nil {
		return err
	}
	// There is one connection, so this holds for all that follows: one moment of the file.
	if _, err := db.ExecContext(ctx, `BEGIN`); err != nil {
		return err
	}
	return fn(db)
}

// look finds out who works on the account, and how the file is to be read beside that.
func (s *Summary) look(ctx context.Context) (access, func() error, error) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.Path + suffix); err == nil {
			s.FileBytes += info.Size()
		}
	}
	l, err := takeSharedLock(ctx, s.Path)
	var busy *BusyError
	switch {
	case errors.As(err, &busy):
		s.Running, s.Holder = true, Holder{PID: busy.PID, Since: busy.Since}
		return readOnly, func() error { return nil }, nil
	case err != nil:
		return "", nil, err
	case l == nil:
		return quietAccess(s.Path), func() error { return nil }, nil
	}
	return quietAccess(s.Path), l.release, nil
}

func (s *Summary) readMeta(ctx context.Context, db *sql.DB) (err error) {
	if s.Version, err = version(ctx, db); err != nil {
		return err
	}
	var created string
	for key, value := range map[string]*string{"account": &s.Account, "source": &s.Source, "target": &s.Target, "created": &created} {
		if *value, err = meta(ctx, db, key); err != nil {
			return err
		}
	}
	if t, err := time.Parse(time.RFC3339, created); err == nil { // else it stays zero: not known
		s.Created = t
	}
	s.Final, err = finalTime(ctx, db)
	return err
}

func (s *Summary) readPairs(ctx context.Context, db *sql.DB) error {
	pairs, err := queryPairs(ctx, db, forward)
	if err != nil {
		return err
	}
	place := make(map[int64]*PairSummary, len(pairs))
	s.Pairs = make([]PairSummary, len(pairs))
	for i, p := range pairs {
		s.Pairs[i].Pair = p
		place[p.ID] = &s.Pairs[i]
	}
	type counted struct {
		pair, count, bytes int64
		status             Status
	}
	counts, err := queryAll(ctx, db, `SELECT pair, status, count(*), sum(size) FROM ledger
		WHERE pair NOT IN (SELECT id FROM pairs WHERE reverse = 1) GROUP BY pair, status`,
		func(rows *sql.Rows) (c counted, err error) {
			return c, rows.Scan(&c.pair, &c.status, &c.count, &c.bytes)
		})
	if err != nil {
		return err
	}
	for _, c := range counts {
		s.Messages.add(c.status, c.count, c.bytes)
		if p := place[c.pair]; p != nil {
			p.Messages.add(c.status, c.count, c.bytes)
		}
	}
	exceptions, err := queryAll(ctx, db, `SELECT pair, count(*) FROM exceptions GROUP BY pair`,
		func(rows *sql.Rows) (c counted, err error) { return c, rows.Scan(&c.pair, &c.count) })
	for _, c := range exceptions {
		if p := place[c.pair]; p != nil {
			p.Exceptions = c.count
		}
	}
	return err
}

func (s *Summary) readCounts(ctx context.Context, db *sql.DB) error {
	return db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM windows), (SELECT coalesce(sum(messages), 0) FROM windows),
		(SELECT count(*) FROM exceptions), (SELECT count(*) FROM exceptions WHERE accepted <> 0),
		(SELECT count(*) FROM ledger WHERE status = 0 AND window > 0 AND pair IN (SELECT id FROM pairs WHERE reverse = 1))`).
		Scan(&s.Windows, &s.WindowMessages, &s.Exceptions, &s.Accepted, &s.Reversed)
}

func (s *Summary) readLists(ctx context.Context, db *sql.DB) (err error) {
	if s.Listed, err = queryExceptions(ctx, db, maxListed); err != nil {
		return err
	}
	s.Passes, err = queryPasses(ctx, db, listedPasses)
	s.endKilled()
	return err
}

// endKilled gives passes that were killed the result that the next pass would write: with nobody at work, what says
// running was interrupted.
func (s *Summary) endKilled() {
	for i := range s.Passes {
		if !s.Running && s.Passes[i].Result == ResultRunning {
			s.Passes[i].Result = ResultInterrupted
		}
	}
}
