package fleet

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Tell says whether a text is to be told now: it is another one than was told of the subject last, or that was longer ago than
// again; and keeps that it was told. An empty text is never told, and is kept: what comes after it is new. Subject and text are kept as
// digests.
func (f *Fleet) Tell(ctx context.Context, subject, text string, again time.Duration, now time.Time) (due bool, err error) {
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:16])
	}
	key, means := "told:"+digest(subject), digest(text)
	err = f.update(ctx, func(c *sql.Conn) error {
		var kept string
		err := c.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&kept)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err != nil && text == "" {
			return nil // nothing was told that could end
		}
		var before string
		var at int64
		_, _ = fmt.Sscanf(kept, "%s %d", &before, &at) // what cannot be read was not told
		last := time.UnixMilli(at)
		if before == means && (text == "" || now.Sub(last) <= again && !last.After(now)) {
			return nil
		}
		due = text != ""
		_, err = c.ExecContext(ctx, `INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)`, key, fmt.Sprintf("%s %d", means, now.UnixMilli()))
		return err
	})
	return due, f.fail(ctx, "note what was told", err)
}
