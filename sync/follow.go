package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"mailmove/imapx"
	"mailmove/state"
)

// Folders are renamed while passes go on. Followed is a folder that is gone under its old name, where exactly one
// folder without a pair has the same MAILBOXID (RFC 8474), or the same UIDVALIDITY and the messages that the
// ledger knows. What an incomplete listing does not show is not gone.

// followRenames brings the stored pairs up to date with what was renamed on either side. A rename on the source is
// repeated on the target.
func (a *attempt) followRenames(ctx context.Context, stored []state.Pair) ([]state.Pair, error) {
	if a.DryRun {
		return stored, nil
	}
	slices.SortFunc(stored, func(x, y state.Pair) int { return cmp.Compare(len(x.Source), len(y.Source)) }) // parents first
	for i := range stored {
		if err := a.followTarget(ctx, stored, i); err != nil {
			return nil, err
		}
	}
	for i := range stored {
		if err := a.followSource(ctx, stored, i); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// heir looks for the folder that a missing one has become.
type heir struct {
	conn      Source
	listing   imapx.Listing
	taken     map[string]bool // raw names that pairs have
	mailboxID string
	mark      state.Mark
	uid       func(state.Row) uint32
}

func find(l imapx.Listing, raw string) *imapx.Folder {
	for i := range l.Folders {
		if l.Folders[i].Raw == raw {
			return &l.Folders[i]
		}
	}
	return nil
}

// heirOf gives the one folder that a pair's missing folder has become, or nil; with an error the one that could not
// be looked into.
func (a *attempt) heirOf(ctx context.Context, pair state.Pair, h heir) (*imapx.Folder, error) {
	var candidates []*imapx.Folder
	for i := range h.listing.Folders {
		f := &h.listing.Folders[i]
		if !f.Selectable || h.taken[f.Raw] || f.Mark == nil {
			continue
		}
		if h.mailboxID != "" && f.MailboxID == h.mailboxID {
			return f, nil
		}
		if (f.MailboxID == "" || h.mailboxID == "") && f.Mark.Messages > 0 && h.mark.UIDValidity != 0 &&
			f.Mark.UIDValidity == h.mark.UIDValidity && uint32(f.Mark.UIDNext) >= h.mark.UIDNext {
			candidates = append(candidates, f)
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	rows, err := a.sample(ctx, pair.ID, h.uid)
	if err != nil {
		return nil, err
	}
	var out *imapx.Folder
	for _, f := range candidates {
		same, err := holds(ctx, h.conn, f, rows)
		if err != nil {
			return f, err
		}
		if same && out != nil {
			return nil, nil // two of them: no proof
		}
		if same {
			out = f
		}
	}
	return out, nil
}

// sample gives the newest rows of a pair, by their UID on one side.
func (a *attempt) sample(ctx context.Context, pair int64, uid func(state.Row) uint32) (map[uint32]state.Row, error) {
	const most = 200
	var ring [most]state.Row
	n := 0
	err := a.State.Rows(ctx, pair, 0, func(r state.Row) error {
		if uid(r) != 0 && r.Fingerprint != (key{}) {
			ring[n%most] = r
			n++
		}
		return nil
	})
	out := make(map[uint32]state.Row)
	for _, r := range ring[:min(n, most)] {
		out[uid(r)] = r
	}
	return out, err
}

// holds reports whether a folder has at least one of the rows' messages under their UIDs, and no other there.
func holds(ctx context.Context, s Source, f *imapx.Folder, rows map[uint32]state.Row) (bool, error) {
	if len(rows) == 0 {
		return false, nil
	}
	var uids []uint32
	for uid := range rows {
		uids = append(uids, uid)
	}
	there, _, err := survey(ctx, s, f.Raw, f.Mark.UIDValidity, uidSet(sortedUIDs(uids)))
	if err != nil {
		return false, err
	}
	same := 0
	for _, k := range there {
		if r := rows[k.uid]; k.fp != r.Fingerprint && k.date != r.Date {
			return false, nil
		}
		same++
	}
	return same > 0, nil
}

// followTarget follows a target folder that its user renamed.
func (a *attempt) followTarget(ctx context.Context, stored []state.Pair, i int) error {
	p := &stored[i]
	if !a.target.Complete || openable(find(a.target, p.Target)) != nil {
		return nil
	}
	taken := make(map[string]bool)
	for _, q := range stored {
		taken[q.Target] = true
	}
	f, err := a.heirOf(ctx, *p, heir{conn: a.lanes[0].dst, listing: a.target, taken: taken, mailboxID: p.TargetMailboxID,
		mark: p.TargetMark, uid: func(r state.Row) uint32 { return r.TargetUID }})
	if err != nil && a.setAside(err, p.ID, p.Source) {
		return nil
	}
	if err != nil || f == nil {
		return err
	}
	a.notice(p.TargetName + " is named " + f.Name + " on the " + a.to() + " now: followed")
	return a.renameShared(ctx, stored, p.Target, f)
}

// followSource follows a folder that was renamed on the source, and renames it on the target if it still has the
// name there that it was given.
func (a *attempt) followSource(ctx context.Context, stored []state.Pair, i int) error {
	p := &stored[i]
	if !a.source.Complete || find(a.source, p.Source) != nil {
		return nil
	}
	taken := make(map[string]bool)
	for _, q := range stored {
		taken[q.Source] = true
	}
	f, err := a.heirOf(ctx, *p, heir{conn: a.lanes[0].src, listing: a.source, taken: taken, mailboxID: p.SourceMailboxID,
		mark: p.SourceMark, uid: func(r state.Row) uint32 { return r.SourceUID }})
	if err != nil && f != nil && a.setAside(err, p.ID, f.Raw) {
		return nil
	}
	if err != nil || f == nil {
		return err
	}
	a.notice(p.SourceName + " is named " + f.Name + " on the " + a.from() + " now: followed")
	old := *p
	p.Source, p.SourceName, p.SourceMailboxID = f.Raw, f.Name, f.MailboxID
	// The target first: a pair whose source has its new name would not be looked at again.
	if !a.appendOnly {
		if err := a.renameTarget(ctx, stored, old, f); err != nil {
			return err
		}
	}
	return a.State.RenamePair(ctx, p.ID, *p)
}

// renameTarget repeats a rename on the target, its children with it.
func (a *attempt) renameTarget(ctx context.Context, stored []state.Pair, old state.Pair, f *imapx.Folder) error {
	m := newMapper(a.source, a.target, nil, a.rules)
	was := m.byName(&imapx.Folder{Raw: old.Source, Name: old.SourceName, Path: strings.Split(old.SourceName, f.Delim), Delim: f.Delim})
	is := m.byName(f)
	folder := openable(find(a.target, old.Target))
	if was.raw != old.Target || folder == nil || find(a.target, is.raw) != nil || isInbox(f) || inboxKey(old.Target) == "INBOX" ||
		sharesTarget(stored, old) {
		return nil // it has another name there anyway, or is not its alone
	}
	var ie *imapx.Error
	err := a.lanes[0].dst.Rename(ctx, old.Target, is.raw)
	switch {
	case err == nil, errors.As(err, &ie) && ie.Op == "SUBSCRIBE": // renamed all the same
	case ie != nil && ie.Scope != imapx.ScopeAccount && !a.mayPass(ie):
		a.notice(old.TargetName + " keeps its name on the target: " + ie.Error())
		return nil
	default:
		return err
	}
	delim := folder.Delim
	rename := func(raw, from, to string) string {
		if raw == from {
			return to
		}
		if delim != "" && strings.HasPrefix(raw, from+delim) {
			return to + raw[len(from):]
		}
		return raw
	}
	for k := range a.target.Folders {
		t := &a.target.Folders[k]
		t.Raw, t.Name = rename(t.Raw, old.Target, is.raw), rename(t.Name, old.TargetName, is.name)
	}
	for k := range stored {
		q := &stored[k]
		raw, name := rename(q.Target, old.Target, is.raw), rename(q.TargetName, old.TargetName, is.name)
		if raw == q.Target {
			continue
		}
		q.Target, q.TargetName = raw, name
		if q.ID == old.ID {
			continue // written with its source
		}
		if err := a.State.RenamePair(ctx, q.ID, *q); err != nil {
			return err
		}
	}
	return nil
}
