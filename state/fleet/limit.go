package fleet

import (
	"context"
	"time"
)

// keepLimit is how long a limit is believed: servers are given more room, too.
const keepLimit = 7 * 24 * time.Hour

// Limits gives how many connections servers said that they take, by server.
func (f *Fleet) Limits(ctx context.Context, now time.Time) (map[string]int, error) {
	all := make(map[string]int)
	err := func() (err error) {
		rows, err := f.db.QueryContext(ctx, `SELECT server, connections FROM limits WHERE learned > ? AND learned <= ?`,
			now.Add(-keepLimit).UnixMilli(), now.Add(clockSlack).UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				server string
				n      int
			)
			if err := rows.Scan(&server, &n); err != nil {
				return err
			}
			all[server] = n
		}
		return rows.Err()
	}()
	return all, f.fail(ctx, "read limits", err)
}

// Limited notes that a server refused a connection beside so many.
func (f *Fleet) Limited(ctx context.Context, server string, connections int, now time.Time) error {
	_, err := f.db.ExecContext(ctx, `INSERT OR REPLACE INTO limits (server, connections, learned) VALUES (?, ?, ?)`,
		normal(server), connections, now.UnixMilli())
	return f.fail(ctx, "note a limit", err)
}
