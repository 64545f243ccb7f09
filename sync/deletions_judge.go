package sync

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// A copy is deleted only where all of this is proven in the pass that deletes it: its message is not in its source folder
// (a list of all UIDs that is complete, and a question for this one that is answered), nor in another folder of the source;
// the copy is where we stored it and as we left it; and it is not one of so many that something else must have happened.

// look finds the copies of one folder pair that may be deleted; nil for none.
func (g *purge) look(ctx context.Context, j *job) (*doomed, error) {
	d := &doomed{job: j, pair: g.pairs[j.pair.ID]}
	if g.trash != nil && d.pair.Target == g.trash.Raw {
		return nil, nil // it is there already
	}
	if why := g.unready(d); why != "" {
		g.putOff(j, why)
		return nil, nil
	}
	if err := g.candidates(ctx, d); err != nil {
		return nil, err
	}
	full, err := g.absent(ctx, d)
	if err != nil || len(d.rows) == 0 {
		return nil, err
	}
	if full == 0 {
		g.hold(j, fmt.Sprintf("the folder has no messages any more on the source; %s on the target stay", copiesText(len(d.rows))))
		return nil, nil
	}
	if err := g.ownCopies(ctx, d); err != nil || len(d.rows) == 0 {
		return nil, err
	}
	if most := g.MaxDeletions.of(g.copies[d.pair.ID]); int64(len(d.rows))+g.deleted[d.pair.ID] > most {
		g.hold(j, fmt.Sprintf("%s of %d would be deleted on the target, more than the ceiling of %s (%d) allows: none was",
			copiesText(len(d.rows)), g.copies[d.pair.ID], g.MaxDeletions, most))
		return nil, nil
	}
	if g.Deletions == TrashDeleted && g.trash == nil {
		g.hold(j, fmt.Sprintf("the target has no folder for deleted mail (\\Trash); %s stay", copiesText(len(d.rows))))
		return nil, nil
	}
	return d, nil
}

func copiesText(n int) string { return counted(n, "copy", "copies") }

// unready says why nothing can be proven of a folder pair in this pass, "" where it can.
func (g *purge) unready(d *doomed) string {
	src, dst := d.job.source.Mark, d.pair.TargetMark
	switch {
	case g.hindered[d.job] != nil:
		return g.hindered[d.job].Error()
	case d.task == matchLedger || src == nil || src.UIDValidity == 0 || !g.DryRun && src.UIDValidity != d.pair.SourceMark.UIDValidity:
		return "the source gave its messages other UIDs"
	case d.retarget || d.target == nil || dst.UIDValidity == 0:
		return "the target gave its messages other UIDs"
	case g.busy[d.pair.Target] || g.trash != nil && g.busy[g.trash.Raw]:
		return "an interrupted pass is not settled there yet"
	}
	return ""
}

// candidates reads the rows of messages that left the source, and counts what the ceiling is a share of.
func (g *purge) candidates(ctx context.Context, d *doomed) error {
	err := g.State.LeftRows(ctx, d.pair.ID, func(r state.Row) error {
		d.rows = append(d.rows, r)
		return nil
	})
	if err != nil {
		return err
	}
	noted := len(d.rows)
	var fresh []uint32 // of a dry run
	for _, l := range g.foreseen.left {
		if l.pair == d.pair.ID {
			fresh = append(fresh, l.row.SourceUID)
		}
	}
	ours, err := g.State.StoredByUs(ctx, d.pair.ID, fresh)
	if err != nil {
		return err
	}
	for _, l := range g.foreseen.left {
		if l.pair == d.pair.ID && ours[l.row.SourceUID] {
			d.rows = append(d.rows, l.row)
		}
	}
	counts, err := g.State.CountByStatus(ctx, d.pair.ID)
	g.copies[d.pair.ID] = counts[state.Stored] + int64(noted) + g.deleted[d.pair.ID]
	return err
}

// absent takes out messages that are on the source after all, and gives the number of messages that the folder has.
// Which UIDs there are is asked for all of them: an answer that is shorter than the folder is no answer.
func (g *purge) absent(ctx context.Context, d *doomed) (full uint32, err error) {
	var there imap.UIDSet
	visit, cancel := both(ctx, g.intake)
	defer cancel()
	res, err := g.lanes[0].src.Visit(visit, imapx.Visit{Folder: d.job.source.Raw, UIDValidity: d.job.source.Mark.UIDValidity,
		Reads: []imapx.Read{{UIDs: from(1)}}}, imapx.VisitHandler{UIDs: func(_ int, uids imap.UIDSet) error {
		there = append(there, uids...)
		return nil
	}})
	if err != nil {
		return 0, err
	}
	if n := countUIDs(there); n < uint64(res.Opened.Messages) {
		g.putOff(d.job, fmt.Sprintf("the source lists %d of %d messages", n, res.Opened.Messages))
		d.rows = nil
		return 0, nil
	}
	return res.Opened.Messages, g.takeBack(ctx, d, func(uid uint32) bool { return there.Contains(imap.UID(uid)) })
}

func countUIDs(s imap.UIDSet) (n uint64) {
	for _, r := range s {
		n += uint64(r.Stop) - uint64(r.Start) + 1
	}
	return n
}

// takeBack keeps the copies of messages that are on the source, and notes that they are.
func (g *purge) takeBack(ctx context.Context, d *doomed, there func(uid uint32) bool) error {
	var back []uint32
	d.rows = slices.DeleteFunc(d.rows, func(r state.Row) bool {
		if there(r.SourceUID) {
			back = append(back, r.SourceUID)
			return true
		}
		return false
	})
	if g.DryRun {
		return nil
	}
	return g.State.NoteBack(ctx, d.pair.ID, back)
}

// ownCopies leaves the copies that are still what was stored, as we left them. Flags alone do not tell: a target that was
// restored gives UIDs out again, under the same UIDVALIDITY (RFC 9051 section 2.3.1.1 forbids it), and a UID of APPENDUID may be
// another message's.
func (g *purge) ownCopies(ctx context.Context, d *doomed) error {
	now, err := g.copiesNow(ctx, d, imapx.WantFlags|imapx.WantIdentity)
	if err != nil {
		return err
	}
	if err := g.others(ctx, d, now); err != nil {
		return err
	}
	return g.untouched(ctx, d, now)
}

// copyNow is a copy as the target shows it: of one of which nothing can be read, unread is set.
type copyNow struct {
	flags  string
	fp     key
	named  bool
	unread bool
}

// copiesNow looks at the copies, by target UID.
func (g *purge) copiesNow(ctx context.Context, d *doomed, want imapx.Want) (map[uint32]copyNow, error) {
	var ask imap.UIDSet
	for _, r := range d.rows {
		ask.AddNum(imap.UID(r.TargetUID))
	}
	now := make(map[uint32]copyNow, len(d.rows))
	visit, cancel := both(ctx, g.intake)
	defer cancel()
	res, err := g.lanes[0].dst.Visit(visit, imapx.Visit{Folder: d.pair.Target, UIDValidity: d.pair.TargetMark.UIDValidity,
		Reads: []imapx.Read{{UIDs: ask, Want: want}}}, imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
		c := copyNow{flags: flagText(m.Flags)}
		c.fp, c.named = fingerprintOf(m.Header)
		now[uint32(m.UID)] = c
		return nil
	}})
	for uid := range res.Failed {
		now[uint32(uid)] = copyNow{unread: true}
	}
	d.since = res.Opened.HighestModSeq
	return now, err
}

// others takes out the copies whose UIDs stand for other messages on the target: by the header, and where that is another one
// or says nothing (a server may show it differently) by the bytes.
func (g *purge) others(ctx context.Context, d *doomed, now map[uint32]copyNow) error {
	var doubt []known
	var all []int
	for _, r := range d.rows {
		c, there := now[r.TargetUID]
		if there && !c.unread && (c.fp != r.Fingerprint || !c.named) {
			doubt, all = append(doubt, known{uid: r.TargetUID}), append(all, len(all))
		}
	}
	if len(doubt) == 0 {
		return nil
	}
	visit, cancel := both(ctx, g.intake)
	defer cancel()
	if _, err := digests(visit, g.lanes[0].dst, d.pair.Target, d.pair.TargetMark.UIDValidity, doubt, all); err != nil {
		return err
	}
	has := make(map[uint32]key, len(doubt))
	for _, k := range doubt {
		has[k.uid] = k.digest
	}
	var gone []uint32
	d.rows = slices.DeleteFunc(d.rows, func(r state.Row) bool {
		digest, doubted := has[r.TargetUID]
		if !doubted || digest != (key{}) && digest == r.Digest {
			return false
		}
		gone = append(gone, r.SourceUID)
		return true
	})
	if len(gone) == 0 {
		return nil
	}
	g.notice(fmt.Sprintf("%s: %s deleted on the source; the target has other messages in place of the copies: they stay", d.job.source.Name,
		counted(len(gone), "message was", "messages were")))
	if g.DryRun {
		return nil
	}
	return g.State.SetStatus(ctx, d.pair.ID, gone, state.SourceGone)
}

// untouched leaves of the copies those that are in their folder as we left them. What its user changed is his from now
// on; what he took away needs no deletion.
func (g *purge) untouched(ctx context.Context, d *doomed, now map[uint32]copyNow) error {
	var away, changed []uint32
	lacking := g.lacking(d.pair.ID)
	d.rows = slices.DeleteFunc(d.rows, func(r state.Row) bool {
		c, there := now[r.TargetUID]
		switch {
		case c.unread: // it is there, and nothing is known of it
		case !there:
			away = append(away, r.SourceUID)
		case changedByUser(c.flags, r.Flags, lacking):
			changed = append(changed, r.SourceUID)
		default:
			return false
		}
		return true
	})
	if g.DryRun {
		return nil
	}
	if err := g.State.SetStatus(ctx, d.pair.ID, away, state.SourceGone); err != nil {
		return err
	}
	if len(changed) > 0 {
		g.notice(fmt.Sprintf("%s: %s deleted on the source; the copies were changed on the target and stay", d.job.source.Name,
			counted(len(changed), "message was", "messages were")))
	}
	return g.State.Disown(ctx, d.pair.ID, changed)
}

// changedByUser compares a copy's flags with those that it was given. A mark \Deleted that the source showed while
// deletions were kept was never given.
func changedByUser(now, carried string, lacking []string) bool {
	if hasFlag(parseFlags(carried), imap.FlagDeleted) && !hasFlag(parseFlags(now), imap.FlagDeleted) {
		lacking = append(slices.Clone(lacking), string(imap.FlagDeleted))
	}
	return touched(now, carried, lacking)
}

// spareMoved keeps the copies whose messages may only have been moved: to a folder that is not carried, to one that was
// listed before it came there, or among what the target does not take. By their headers they are looked for in all that
// the ledger does not know as carried.
func (g *purge) spareMoved(ctx context.Context, list []*doomed) error {
	wanted := make(map[key]bool)
	for _, d := range list {
		for _, r := range d.rows {
			wanted[r.Fingerprint] = true
		}
	}
	visit, cancel := both(ctx, g.intake)
	defer cancel()
	now, err := g.listed(visit, g.lanes[0].src)
	if err != nil {
		return err
	}
	found := make(map[key]bool)
	unsure := ""
	if !now.Complete {
		unsure = "the source did not list all of its folders"
	}
	for i := range now.Folders {
		if unsure != "" {
			break
		}
		if unsure, err = g.lookElsewhere(visit, &now.Folders[i], wanted, found); err != nil {
			return err
		}
	}
	for _, d := range list {
		if unsure != "" {
			d.rows = nil
			g.putOff(d.job, unsure)
			continue
		}
		before := len(d.rows)
		d.rows = slices.DeleteFunc(d.rows, func(r state.Row) bool { return found[r.Fingerprint] })
		if n := before - len(d.rows); n > 0 {
			g.putOff(d.job, counted(n, "message that left it may be", "messages that left it may be")+" in another folder of the source")
		}
	}
	return nil
}

// lookElsewhere looks for headers among the messages of a source folder that the ledger does not have as carried. It says
// why the answer is not to be trusted, "" where it is.
func (g *purge) lookElsewhere(ctx context.Context, f *imapx.Folder, wanted, found map[key]bool) (unsure string, err error) {
	if !f.Selectable {
		return "", nil
	}
	if f.Mark == nil {
		return f.Name + " cannot be looked into", nil
	}
	ask, err := g.notCarried(ctx, f)
	if err != nil || len(ask) == 0 || f.Mark.Messages == 0 {
		return "", err
	}
	res, err := g.lanes[0].src.Visit(ctx, imapx.Visit{Folder: f.Raw, UIDValidity: f.Mark.UIDValidity, Reads: []imapx.Read{{UIDs: ask, Want: imapx.WantIdentity}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			if fp, _ := fingerprintOf(m.Header); wanted[fp] {
				found[fp] = true
			}
			return nil
		}})
	var ie *imapx.Error
	switch {
	case err != nil && asFolder(err, &ie):
		return f.Name + " cannot be looked into: " + ie.Error(), nil
	case len(res.Failed) > 0:
		return f.Name + " has messages that cannot be read", err
	}
	return "", err
}

// notCarried are the UIDs of a source folder of which no copy is known: of one without marks all.
func (g *purge) notCarried(ctx context.Context, f *imapx.Folder) (imap.UIDSet, error) {
	var pair state.Pair
	for _, p := range g.pairs {
		if p.Source == f.Raw {
			pair = p
		}
	}
	then := pair.SourceMark
	if pair.ID == 0 || then.UIDValidity == 0 || then.UIDNext == 0 || identityBroken(f.Mark, then) || f.Mark.UIDValidity == 0 {
		return from(1), nil
	}
	uids, err := g.State.ExceptionUIDs(ctx, pair.ID)
	if err != nil {
		return nil, err
	}
	uids = slices.DeleteFunc(uids, func(uid uint32) bool { return uid >= then.UIDNext })
	rows, err := g.State.RowsBySource(ctx, pair.ID, uids)
	if err != nil {
		return nil, err
	}
	uids = slices.DeleteFunc(uids, func(uid uint32) bool { return rows[uid].Status != state.Refused })
	if err := g.State.DeferredRows(ctx, pair.ID, func(r state.Row) error {
		if r.SourceUID < then.UIDNext {
			uids = append(uids, r.SourceUID)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	ask := uidSet(slices.Compact(sortedUIDs(uids)))
	if f.Mark.UIDNext == 0 || uint32(f.Mark.UIDNext) > then.UIDNext {
		ask = append(ask, from(then.UIDNext)...)
	}
	return ask, nil
}
