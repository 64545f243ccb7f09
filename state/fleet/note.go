package fleet

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// Note is one event on its way to one recipient.
type Note struct {
	ID        int64  // given by Keep
	Key       string // of the event: the same event has the same key, whoever notes it
	Channel   string // how it is told
	Recipient string // to whom; "" where the channel has only one
	Kind      string // of event
	Name      string // of the group
	Body      []byte // what is told; at most maxBody bytes
	Created   time.Time
	Tries     int    // how often a delivery was begun
	Batch     string // the Key under which it was first begun, with others; "": never
}

// Bounds of notes.
const (
	maxBody   = 16 << 10            // bytes
	maxBatch  = 100                 // notes in one delivery
	keepNotes = 90 * 24 * time.Hour // those that were delivered: nobody asks of an older one
	longest   = 24 * time.Hour      // of a lease or a delay: what lies further ahead was made by a wrong clock
)

// Results of a note; "" is one that waits.
const (
	noteSent    = "sent"
	noteGivenUp = "given up"
)

func keepNote(ctx context.Context, c *sql.Conn, n Note) error {
	_, err := c.ExecContext(ctx, `INSERT INTO notes (key, channel, recipient, kind, name, body, created, due, lease, tries, batch, result, text)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', '', '') ON CONFLICT (key, channel, recipient) DO NOTHING`,
		n.Key, n.Channel, n.Recipient, n.Kind, n.Name, string(n.Body[:min(len(n.Body), maxBody)]), millis(n.Created))
	return err
}

// ClaimNotes takes what is due at now for one of these ways, oldest first: events of one kind and group to one recipient
// together, at most maxBatch. They are ours until now plus lease, at most longest; so are they on disk when it returns. A
// batch that was begun before and not settled comes again as the same batch. None: nothing is due. next is when there
// will be something, zero: never.
func (f *Fleet) ClaimNotes(ctx context.Context, ways []Way, now time.Time, lease time.Duration) (batch []Note, next time.Time, err error) {
	err = f.update(ctx, func(c *sql.Conn) error {
		first, when, err := firstNote(ctx, c, ways, now)
		if err != nil || first.ID == 0 {
			next = when
			return err
		}
		if batch, err = batchOf(ctx, c, first, now); err != nil {
			return err
		}
		name := batch[0].Key
		if first.Batch != "" {
			name = first.Batch
		}
		for i := range batch {
			batch[i].Batch = name
			batch[i].Tries++
			if _, err := c.ExecContext(ctx, `UPDATE notes SET batch = ?, tries = tries + 1, lease = ? WHERE id = ?`,
				name, millis(now.Add(lease)), batch[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, f.fail(ctx, "take notes", err)
	}
	return batch, next, nil
}

// Way is one of the ways to tell: a note of another one waits for a run that has it.
type Way struct {
	Channel   string
	Recipient string // "": any
}

func (w Way) leads(n Note) bool {
	return w.Channel == n.Channel && (w.Recipient == "" || w.Recipient == n.Recipient)
}

const noteColumns = `id, key, channel, recipient, kind, name, body, created, tries, batch`

// Both find what they want by an index: what was told stays in the table for months.
const (
	waitingNotes  = `SELECT ` + noteColumns + `, max(due, lease) FROM notes WHERE result = '' ORDER BY id`
	notesTogether = `SELECT ` + noteColumns + ` FROM notes WHERE result = '' AND channel = ? AND recipient = ? AND kind = ?
		AND name = ? AND batch = ? AND (lease <= ? OR lease > ?) ORDER BY id LIMIT ?`
)

func scanNote(rows *sql.Rows, more ...any) (n Note, err error) {
	var created int64
	err = rows.Scan(append([]any{&n.ID, &n.Key, &n.Channel, &n.Recipient, &n.Kind, &n.Name, &n.Body, &created, &n.Tries, &n.Batch}, more...)...)
	n.Created = moment(created)
	return n, err
}

// firstNote finds the oldest that is due, else when the next will be.
func firstNote(ctx context.Context, c *sql.Conn, ways []Way, now time.Time) (first Note, next time.Time, err error) {
	rows, err := c.QueryContext(ctx, waitingNotes)
	if err != nil {
		return Note{}, time.Time{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var wait int64
		n, err := scanNote(rows, &wait)
		if err != nil {
			return Note{}, time.Time{}, err
		}
		if !slices.ContainsFunc(ways, func(w Way) bool { return w.leads(n) }) {
			continue
		}
		at := moment(wait)
		if !at.After(now) || at.After(now.Add(longest)) {
			return n, time.Time{}, nil
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return Note{}, next, rows.Err()
}

// batchOf are the notes that go with one: those it was begun with, else those of its kind that nobody began with.
func batchOf(ctx context.Context, c *sql.Conn, first Note, now time.Time) (batch []Note, err error) {
	rows, err := c.QueryContext(ctx, notesTogether,
		first.Channel, first.Recipient, first.Kind, first.Name, first.Batch, millis(now), millis(now.Add(longest)), maxBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		n, err := scanNote(rows)
		if err != nil {
			return nil, err
		}
		batch = append(batch, n)
	}
	return batch, rows.Err()
}

// NotesSent notes that a batch was delivered.
func (f *Fleet) NotesSent(ctx context.Context, batch []Note) error {
	return f.settle(ctx, batch, nil, `UPDATE notes SET result = '`+noteSent+`', lease = 0, text = '' WHERE id = ?`)
}

// NotesLater gives a batch back, to be tried at due and not before, and why. What else waits for the way that is down waits as
// long; the zero Way: nothing does. Another way is another server, and does not wait.
func (f *Fleet) NotesLater(ctx context.Context, batch []Note, due time.Time, why string, down Way) error {
	return f.settle(ctx, batch, func(c *sql.Conn) error {
		if down.Channel == "" {
			return nil
		}
		_, err := c.ExecContext(ctx, `UPDATE notes SET due = ?1 WHERE result = '' AND channel = ?2 AND (?3 = '' OR recipient = ?3) AND due < ?1`,
			millis(due), down.Channel, down.Recipient)
		return err
	}, `UPDATE notes SET lease = 0, due = ?, text = ? WHERE id = ?`, millis(due), clean(why, nil))
}

func (f *Fleet) settle(ctx context.Context, batch []Note, more func(*sql.Conn) error, query string, args ...any) error {
	err := f.update(ctx, func(c *sql.Conn) error {
		for _, n := range batch {
			if _, err := c.ExecContext(ctx, query, append(slices.Clone(args), n.ID)...); err != nil {
				return err
			}
		}
		if more != nil {
			return more(c)
		}
		return nil
	})
	return f.fail(ctx, "settle notes", err)
}

// NotesWaiting tells how many notes wait, and since when the oldest of them does.
func (f *Fleet) NotesWaiting(ctx context.Context) (n int64, oldest time.Time, err error) {
	var created int64
	err = f.db.QueryRowContext(ctx, `SELECT count(*), coalesce(min(created), 0) FROM notes WHERE result = ''`).Scan(&n, &created)
	return n, moment(created), f.fail(ctx, "count notes", err)
}

// GiveUpNotes gives up what waits since before a time, and says how much that was. It forgets what was over keepNotes before
// that: this reads the whole table, so it is for the beginning of a run.
func (f *Fleet) GiveUpNotes(ctx context.Context, before time.Time) (n int64, err error) {
	err = f.update(ctx, func(c *sql.Conn) error {
		done, err := c.ExecContext(ctx, `UPDATE notes SET result = '`+noteGivenUp+`' WHERE result = '' AND created < ?`, millis(before))
		if err == nil {
			n, err = done.RowsAffected()
		}
		if err == nil {
			_, err = c.ExecContext(ctx, `DELETE FROM notes WHERE result <> '' AND created < ?`, millis(before.Add(-keepNotes)))
		}
		return err
	})
	return n, f.fail(ctx, "give up notes", err)
}
