package fleet

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"time"
)

const (
	keepTTL = 30 * 24 * time.Hour // after its end; resolvers keep nothing for longer than a week (RFC 8767 4)
	maxData = 500                 // bytes of a record's values that are kept as they are
	mostTTL = 64                  // versions of a record that are kept: a zone that changes at each look is not worth more
)

// ttlSchema is the step of the schema that brought these.
func ttlSchema() []string {
	return []string{`CREATE TABLE ttl_seen (
		name TEXT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, ttl INTEGER NOT NULL, first INTEGER NOT NULL,
		last INTEGER NOT NULL, ended INTEGER NOT NULL, PRIMARY KEY (name, type, data, ttl)) WITHOUT ROWID`}
}

// TTLSeen is one version of a DNS record: its values and its TTL.
type TTLSeen struct {
	Name, Type string
	Data       string // the values; "sha256:…" where they are long
	TTL        time.Duration
	First      time.Time // the first look that found it
	Last       time.Time // the last one
	Ended      time.Time // the first look that did not find it any more; zero: it is there
}

// TTLLook is what one look found of a record.
type TTLLook struct {
	Name, Type string
	Complete   bool      // every name server was heard: what is not in Seen is gone
	Seen       []TTLSeen // Data and TTL
}

// SawTTL notes looks, and gives all that is known of their records, these looks among it. Data that comes back is as in
// TTLData.
func (f *Fleet) SawTTL(ctx context.Context, looks []TTLLook, now time.Time) (all []TTLSeen, err error) {
	err = f.update(ctx, func(c *sql.Conn) error {
		all = nil
		for _, l := range looks {
			if err := noteTTL(ctx, c, l, now); err != nil {
				return err
			}
			known, err := knownTTL(ctx, c, l.Name, l.Type, now)
			if err != nil {
				return err
			}
			all = append(all, known...)
		}
		return nil
	})
	return all, f.fail(ctx, "note a record of the DNS", err)
}

// TTLData is how values are kept.
func TTLData(data string) string {
	if len(data) <= maxData {
		return data
	}
	sum := sha256.Sum256([]byte(data))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// noteTTL notes one look. A version that had ended and is there again begins anew: resolvers forgot in between, or
// remember what was there in between.
func noteTTL(ctx context.Context, c *sql.Conn, l TTLLook, now time.Time) error {
	at := now.UnixMilli()
	for _, v := range l.Seen {
		_, err := c.ExecContext(ctx, `INSERT INTO ttl_seen (name, type, data, ttl, first, last, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0)
			ON CONFLICT (name, type, data, ttl) DO UPDATE SET
			first = CASE WHEN ended > 0 OR first > excluded.first THEN excluded.first ELSE first END, last = excluded.last, ended = 0`,
			l.Name, l.Type, TTLData(v.Data), int64(v.TTL/time.Second), at)
		if err != nil {
			return err
		}
	}
	if l.Complete {
		if _, err := c.ExecContext(ctx, `UPDATE ttl_seen SET ended = ?3 WHERE name = ?1 AND type = ?2 AND ended = 0 AND last <> ?3`,
			l.Name, l.Type, at); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, `DELETE FROM ttl_seen WHERE name = ?1 AND type = ?2 AND ended > 0 AND (ended < ?3 OR (data, ttl) NOT IN
		(SELECT data, ttl FROM ttl_seen WHERE name = ?1 AND type = ?2 ORDER BY ended = 0 DESC, ended DESC LIMIT ?4))`,
		l.Name, l.Type, now.Add(-keepTTL).UnixMilli(), mostTTL)
	return err
}

// knownTTL reads what is known of a record, the oldest first. An end that lies in the future is that of a clock that was
// wrong, and is taken for now.
func knownTTL(ctx context.Context, c *sql.Conn, name, kind string, now time.Time) (all []TTLSeen, err error) {
	rows, err := c.QueryContext(ctx, `SELECT data, ttl, first, last, ended FROM ttl_seen WHERE name = ? AND type = ? ORDER BY first, data, ttl`, name, kind)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := TTLSeen{Name: name, Type: kind}
		var ttl, first, last, ended int64
		if err := rows.Scan(&v.Data, &ttl, &first, &last, &ended); err != nil {
			return nil, err
		}
		v.TTL, v.First, v.Last = time.Duration(ttl)*time.Second, time.UnixMilli(first), time.UnixMilli(last)
		if ended > 0 {
			v.Ended = time.UnixMilli(min(ended, now.UnixMilli()))
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
