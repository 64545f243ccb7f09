package fleet

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// mostWaiting bounds what Waiting gives.
const mostWaiting = 1000

// Waiting are the servers and logins of a state folder that are not tried now, with when they are: servers first, then by the time
// of the next try. A folder without the file has none.
func Waiting(ctx context.Context, dir string, now time.Time) ([]*BlockedError, error) {
	if _, err := os.Lstat(filepath.Join(dir, FileName)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	f, err := Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	all, err := f.waiting(ctx, now)
	return all, errors.Join(f.fail(ctx, "read failed logins", err), f.Close())
}

func (f *Fleet) waiting(ctx context.Context, now time.Time) ([]*BlockedError, error) {
	var servers []string
	err := f.each(ctx, `SELECT server FROM servers ORDER BY until LIMIT ?`, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		servers = append(servers, s)
		return err
	})
	var all []*BlockedError
	for _, s := range servers {
		e, broken := f.broken(ctx, account{server: s}, now)
		if err = errors.Join(err, broken); e != nil && now.Before(e.Until) {
			all = append(all, e)
		}
	}
	of := len(all)
	err = errors.Join(err, f.each(ctx, `SELECT server, user, failures, first, last, text FROM logins ORDER BY server, user LIMIT ?`, func(rows *sql.Rows) error {
		e := &BlockedError{}
		var first, last int64
		err := rows.Scan(&e.Host, &e.User, &e.Failures, &first, &last, &e.Text)
		e.Since, e.Until = time.UnixMilli(first), time.UnixMilli(last).Add(retryAfter(e.Failures))
		if now.Before(e.Until) && last <= now.Add(clockSlack).UnixMilli() {
			all = append(all, e)
		}
		return err
	}))
	slices.SortStableFunc(all[of:], func(a, b *BlockedError) int { return a.Until.Compare(b.Until) })
	return all, err
}

// each reads rows, at most mostWaiting.
func (f *Fleet) each(ctx context.Context, query string, read func(*sql.Rows) error) error {
	rows, err := f.db.QueryContext(ctx, query, mostWaiting)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
