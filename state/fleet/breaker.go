package fleet

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A server is left alone when accounts fail in a row: what looks like a few wrong passwords to us looks like an
// attack to its fail2ban, which blocks the address for every account.
const (
	breakAfter = 3                // different accounts in a row
	rowWithin  = 24 * time.Hour   // an older failure is not of the row any more
	breakFirst = 15 * time.Minute // then twice as long with each probe that fails
	breakMost  = 4 * time.Hour
	// probeTime is how long one account alone may try when the time is up; where nobody answers (killed, no
	// connection), the next may after it.
	probeTime = 2 * time.Minute
	// clockSlack is how far ahead a stored time may lie and be believed: processes take the time before they wait
	// for each other.
	clockSlack = 5 * time.Minute
)

// breakFor is how long the server is left alone at a level, from 1.
func breakFor(level int) time.Duration {
	d := breakFirst
	for ; level > 1 && d < breakMost; level-- {
		d *= 2
	}
	return min(d, breakMost)
}

// mayProbe tells whether the server lets this account through: where its breaker's time is up, or the login worked before
// and no such one was refused since, for one at a time.
func (f *Fleet) mayProbe(ctx context.Context, a account, worked bool, now time.Time) error {
	open, err := f.broken(ctx, a, now)
	if open == nil || err != nil {
		return err
	}
	// One statement, so only one of those who ask at the same time changes the row.
	r, err := f.db.ExecContext(ctx, `UPDATE servers SET probe = ?1 WHERE server = ?2
		AND (until <= ?3 OR until > ?4 OR ?6 AND shut = 0) AND (probe <= ?3 OR probe > ?5)`, now.Add(probeTime).UnixMilli(), a.server,
		now.UnixMilli(), now.Add(breakMost+clockSlack).UnixMilli(), now.Add(probeTime+clockSlack).UnixMilli(), worked)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	// Read again: between the two statements somebody may have begun a probe, or ended one.
	if open, err = f.broken(ctx, a, now); open == nil || err != nil {
		return err
	}
	return open
}

// broken reads a server's breaker; nil where it is closed.
func (f *Fleet) broken(ctx context.Context, a account, now time.Time) (*BlockedError, error) {
	var since, until, probe int64
	e := &BlockedError{Server: true, Host: a.server, User: a.user}
	err := f.db.QueryRowContext(ctx, `SELECT s.since, s.until, s.probe,
		(SELECT count(*) FROM logins l WHERE l.server = s.server AND l.in_row = 1),
		coalesce((SELECT l.text FROM logins l WHERE l.server = s.server AND l.in_row = 1 ORDER BY l.last DESC, l.user LIMIT 1), '')
		FROM servers s WHERE s.server = ?`, a.server).Scan(&since, &until, &probe, &e.Failures, &e.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	e.Since, e.Until = time.UnixMilli(since), time.UnixMilli(max(until, probe))
	return e, err
}

// countFailure opens the breaker of a server, or keeps it open for longer. A login that had worked shuts it for its like.
func countFailure(ctx context.Context, c execer, a account, worked bool, now time.Time) error {
	var (
		level int
		until int64
	)
	err := c.QueryRowContext(ctx, `SELECT level, until FROM servers WHERE server = ?`, a.server).Scan(&level, &until)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = c.ExecContext(ctx, `INSERT INTO servers (server, level, since, until, probe, shut)
			SELECT ?1, 1, min(last), ?2, 0, ?5 FROM logins WHERE server = ?1 AND in_row = 1 AND last > ?3 HAVING count(*) >= ?4`,
			a.server, now.Add(breakFor(1)).UnixMilli(), now.Add(-rowWithin).UnixMilli(), breakAfter, worked)
		return err
	case err != nil:
		return err
	case now.UnixMilli() < until && until <= now.Add(breakMost+clockSlack).UnixMilli():
		// It was under way when the breaker opened, or somebody insisted, or its login had worked: the time runs already.
		_, err = c.ExecContext(ctx, `UPDATE servers SET probe = 0, shut = 1 WHERE server = ?1 AND ?2`, a.server, worked)
		return err
	}
	level++
	_, err = c.ExecContext(ctx, `UPDATE servers SET level = ?, until = ?, probe = 0, shut = max(shut, ?) WHERE server = ?`,
		level, now.Add(breakFor(level)).UnixMilli(), worked, a.server)
	return err
}
