package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Mark is what a server said of a folder when it was opened. Zero values: not said.
type Mark struct {
	UIDValidity   uint32
	UIDNext       uint32
	Messages      uint32
	HighestModSeq uint64
}

// Pair is a source folder and the target folder it maps to.
type Pair struct {
	ID              int64
	Source          string // raw name on the wire
	Target          string
	SourceName      string // decoded
	TargetName      string
	SourceMark      Mark // committed: everything below it is settled
	TargetMark      Mark
	SourceMailboxID string // RFC 8474
	TargetMailboxID string
}

var errNoName = errors.New("state: a folder pair needs both raw names")

func noPair(id int64) error { return fmt.Errorf("no folder pair %d", id) }

const selectPairs = `SELECT id, source, target, source_name, target_name, source_mailboxid, target_mailboxid,
	source_uidvalidity, source_uidnext, source_messages, source_highestmodseq,
	target_uidvalidity, target_uidnext, target_messages, target_highestmodseq
	FROM pairs WHERE reverse = ? ORDER BY id`

// Pairs gives every folder pair that the state knows, in the order in which they were first seen.
func (f *File) Pairs(ctx context.Context) ([]Pair, error) {
	pairs, err := queryPairs(ctx, f.reader, f.reverse)
	return pairs, f.fail("read folder pairs", err)
}

func queryPairs(ctx context.Context, db *sql.DB, d direction) ([]Pair, error) {
	return queryAll(ctx, db, selectPairs, func(rows *sql.Rows) (Pair, error) {
		var (
			p                    Pair
			sourceMod, targetMod int64
		)
		s, t := &p.SourceMark, &p.TargetMark
		err := rows.Scan(&p.ID, &p.Source, &p.Target, &p.SourceName, &p.TargetName, &p.SourceMailboxID, &p.TargetMailboxID,
			&s.UIDValidity, &s.UIDNext, &s.Messages, &sourceMod,
			&t.UIDValidity, &t.UIDNext, &t.Messages, &targetMod)
		s.HighestModSeq, t.HighestModSeq = uint64(sourceMod), uint64(targetMod)
		return p, err
	}, d)
}

// PutPair stores a folder pair under its raw source name and sets p.ID. Of a pair that is already there the
// other names and the mailbox ids are brought up to date; its marks stay (CommitMarks).
func (f *File) PutPair(ctx context.Context, p *Pair) error {
	if p.Source == "" || p.Target == "" {
		return errNoName
	}
	var id int64
	err := f.write(ctx, "store folder pair", func(t *tx) error {
		return t.queryRow(`INSERT INTO pairs (reverse, source, target, source_name, target_name, source_mailboxid, target_mailboxid)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (reverse, source) DO UPDATE SET target = excluded.target, source_name = excluded.source_name,
				target_name = excluded.target_name, source_mailboxid = excluded.source_mailboxid,
				target_mailboxid = excluded.target_mailboxid
			RETURNING id`,
			[]any{f.reverse, p.Source, p.Target, p.SourceName, p.TargetName, p.SourceMailboxID, p.TargetMailboxID}, &id)
	})
	if err == nil {
		p.ID = id
	}
	return err
}

// ErrPairExists is what RenamePair returns where another pair has the new source name.
var ErrPairExists = errors.New("another folder pair has this source folder")

// RenamePair follows a folder that was renamed on the source or the target: the pair takes the names (raw and
// decoded) and mailbox ids of p; its ledger, marks, windows and exceptions stay with it, p.ID and the marks of p
// are not looked at. Where another pair has that source name nothing is changed: ErrPairExists.
func (f *File) RenamePair(ctx context.Context, id int64, p Pair) error {
	if p.Source == "" || p.Target == "" {
		return errNoName
	}
	return f.write(ctx, "rename folder pair", func(t *tx) error {
		var taken bool
		if err := t.queryRow(`SELECT EXISTS (SELECT 1 FROM pairs WHERE reverse = ? AND source = ? AND id <> ?)`, []any{f.reverse, p.Source, id}, &taken); err != nil {
			return err
		}
		if taken {
			return fmt.Errorf("%q: %w", p.Source, ErrPairExists)
		}
		n, err := t.exec(`UPDATE pairs SET source = ?, target = ?, source_name = ?, target_name = ?, source_mailboxid = ?,
			target_mailboxid = ? WHERE id = ?`, p.Source, p.Target, p.SourceName, p.TargetName, p.SourceMailboxID, p.TargetMailboxID, id)
		if err == nil && n == 0 {
			return noPair(id)
		}
		if err == nil { // what people look for is the folder's present name
			_, err = t.exec(`UPDATE exceptions SET folder = ? WHERE pair = ?`, shorten(p.SourceName, maxExceptionText), id)
		}
		return err
	})
}

// CommitMarks replaces both marks of a pair. The caller has settled everything below them.
func (f *File) CommitMarks(ctx context.Context, pair int64, source, target Mark) error {
	return f.write(ctx, "commit marks", func(t *tx) error {
		n, err := t.exec(`UPDATE pairs SET source_uidvalidity = ?, source_uidnext = ?, source_messages = ?, source_highestmodseq = ?,
			target_uidvalidity = ?, target_uidnext = ?, target_messages = ?, target_highestmodseq = ? WHERE id = ?`,
			source.UIDValidity, source.UIDNext, source.Messages, int64(source.HighestModSeq),
			target.UIDValidity, target.UIDNext, target.Messages, int64(target.HighestModSeq), pair)
		if err == nil && n == 0 {
			err = noPair(pair)
		}
		return err
	})
}

// CommitTargetMark replaces the target's mark of a pair alone: the target was looked at, or its UIDs were followed
// (Retarget), and the source is not settled yet.
func (f *File) CommitTargetMark(ctx context.Context, pair int64, target Mark) error {
	return f.write(ctx, "commit target mark", func(t *tx) error {
		n, err := t.exec(`UPDATE pairs SET target_uidvalidity = ?, target_uidnext = ?, target_messages = ?, target_highestmodseq = ?
			WHERE id = ?`, target.UIDValidity, target.UIDNext, target.Messages, int64(target.HighestModSeq), pair)
		if err == nil && n == 0 {
			err = noPair(pair)
		}
		return err
	})
}
