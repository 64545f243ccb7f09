package fleet

import (
	"context"
	"database/sql"
	"time"
)

// Volumes gives how many bytes were copied on that day, by account.
func (f *Fleet) Volumes(ctx context.Context, day time.Time) (map[string]int64, error) {
	all := make(map[string]int64)
	err := func() (err error) {
		rows, err := f.db.QueryContext(ctx, `SELECT account, bytes FROM volumes WHERE day = ?`, day.Format(time.DateOnly))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				account string
				n       int64
			)
			if err := rows.Scan(&account, &n); err != nil {
				return err
			}
			all[account] = n
		}
		return rows.Err()
	}()
	return all, f.fail(ctx, "read volumes", err)
}

// AddVolume counts bytes that were copied on that day. What was counted on another day is forgotten.
func (f *Fleet) AddVolume(ctx context.Context, account string, day time.Time, bytes int64) error {
	err := f.update(ctx, func(c *sql.Conn) error {
		_, err := c.ExecContext(ctx, `INSERT INTO volumes (account, day, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (account) DO UPDATE SET
			bytes = CASE WHEN day = excluded.day THEN bytes ELSE 0 END + excluded.bytes, day = excluded.day`,
			account, day.Format(time.DateOnly), bytes)
		return err
	})
	return f.fail(ctx, "count a volume", err)
}
