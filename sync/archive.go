package sync

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Gmail's \All shows every message. Those that lie in another folder that is carried are deferred there, in the ledger as
// what a filter leaves out is: marks can rise above them, and the pass that finds one in no other folder carries it. So a
// message that its user archives between two passes is taken from \All then, once; where its copy is still in the folder
// that it left, that copy is moved (moves.go). And one that gets a label when it is archived already is moved out of the
// archive, for it is new in the label's folder; from then on it is deferred again.

// homeless reports that a message is in no other folder that is carried; true wherever folders are not labels.
func (j *job) homeless(uid uint32) bool {
	return !j.archive || j.archived.Contains(imap.UID(uid)) || uid >= j.unasked
}

// arrived is what may be new in a folder from n on: of \All also what was in another folder before.
func (j *job) arrived(n uint32) imap.UIDSet {
	set := j.listed(n)
	if j.archive {
		set = append(uidSet(j.recopy), set...)
	}
	return set
}

// have takes out of what is to be carried what was moved instead. Its rows are counted already.
func (j *job) have(rows []state.Row) {
	if len(j.recopy) == 0 {
		return
	}
	moved := make(map[uint32]bool, len(rows))
	for _, r := range rows {
		moved[r.SourceUID] = true
	}
	were := len(j.recopy)
	j.recopy = slices.DeleteFunc(j.recopy, func(uid uint32) bool { return moved[uid] })
	j.rows -= int64(were - len(j.recopy))
}

// findArchived asks for the labels of what is in \All: of all of it in the first pass, in a final one and where copies may
// be deleted, else of what changed since the marks.
func (a *attempt) findArchived(ctx context.Context, src Source, j *job, m mapped) error {
	if j.archive = isArchive(a.source, j.source); !j.archive {
		return nil
	}
	j.unasked = math.MaxUint32
	now := j.source.Mark
	whole := now == nil || now.UIDNext == 0 || j.rows == 0 || j.task == matchLedger || a.Mode == Whole || a.deletes
	if j.task == nothing && !whole || now != nil && now.Messages == 0 {
		return nil
	}
	var seen gmailIDs
	if whole {
		if err := a.gmailIDs(ctx, src, j, m, &seen); err != nil {
			return err
		}
	}
	read := imapx.Read{UIDs: j.listed(1), Want: imapx.WantLabels | imapx.WantGmailID}
	if !whole {
		read.ChangedSince = j.pair.SourceMark.HighestModSeq
	}
	homes := homesOf(m)
	var highest imap.UID
	res, err := src.Visit(ctx, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(), Reads: []imapx.Read{read}},
		imapx.VisitHandler{Message: func(_ int, msg imapx.Message) error {
			highest = max(highest, msg.UID)
			if !slices.ContainsFunc(msg.Labels, homes.has) || whole && !seen.has(msg.GmailID) {
				j.archived.AddNum(msg.UID)
			} else {
				j.labelled.AddNum(msg.UID)
			}
			return nil
		}})
	for uid := range res.Failed { // whatever its labels are: it is tried, and told
		j.archived.AddNum(uid)
	}
	if now == nil || now.UIDNext == 0 { // what comes from here on was not asked about
		j.unasked = uint32(highest) + 1
	}
	if count := int64(countUIDs(j.archived)); j.task == copyAll || j.task == matchTarget {
		j.estimate = min(j.estimate, count)
	}
	return err
}

// homes are the labels of folders from which mail is carried, or left out because the admin says so.
type homes map[string]bool

// has knows a label by the folder's name on the wire; system labels by their use. A label that is not known is no home:
// in doubt a message is carried once more.
func (h homes) has(label string) bool {
	if strings.HasPrefix(label, `\`) {
		return h[strings.ToLower(label)]
	}
	return h[label]
}

func homesOf(m mapped) homes {
	h := make(homes)
	add := func(f *imapx.Folder) {
		switch {
		case isInbox(f):
			h[`\inbox`] = true
		case f.SpecialUse == imap.MailboxAttrSent:
			h[`\sent`] = true
		case f.SpecialUse == imap.MailboxAttrDrafts:
			h[`\draft`], h[`\drafts`] = true, true
		case f.SpecialUse == "":
			h[f.Raw], h[f.Name] = true, true
		}
	}
	for _, p := range m.pairs {
		add(p.source)
	}
	for _, o := range m.out {
		if strings.HasPrefix(o.why, "--exclude ") {
			add(o.folder)
		}
	}
	return h
}

// gmailIDs are X-GM-MSGIDs, sorted. Eight bytes a message: what one account has fits.
type gmailIDs []uint64

func (g gmailIDs) has(id uint64) bool {
	_, found := slices.BinarySearch(g, id)
	return found
}

// gmailIDs reads which messages the other folders really show. A label says where a message lies, and this proves it: of
// a folder that IMAP shows a part of, or that is known by another name, the rest is carried from \All.
func (a *attempt) gmailIDs(ctx context.Context, src Source, j *job, m mapped, into *gmailIDs) error {
	read := func(f *imapx.Folder) error {
		if f == j.source || f.Mark != nil && f.Mark.Messages == 0 || !f.Selectable {
			return nil
		}
		v := imapx.Visit{Folder: f.Raw, Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantGmailID}}}
		if f.Mark != nil {
			v.UIDValidity = f.Mark.UIDValidity
			v.Reads[0].UIDs = imap.UIDSet{imap.UIDRange{Start: 1, Stop: max(f.Mark.UIDNext, 2) - 1}}
		}
		_, err := src.Visit(ctx, v, imapx.VisitHandler{Message: func(_ int, msg imapx.Message) error {
			if msg.GmailID != 0 {
				*into = append(*into, msg.GmailID)
			}
			return nil
		}})
		if err != nil && a.hinder(err) {
			return nil // its messages are carried from \All
		}
		return err
	}
	for _, p := range m.pairs {
		if err := read(p.source); err != nil {
			return err
		}
	}
	for _, o := range m.out {
		if strings.HasPrefix(o.why, "--exclude ") {
			if err := read(o.folder); err != nil {
				return err
			}
		}
	}
	slices.Sort(*into)
	*into = slices.Compact(*into)
	return nil
}

// leftArchive are the copies in the archive of messages that have a label by now. They are in \All as before: only what is
// found in another folder has left it.
func (a *attempt) leftArchive(ctx context.Context, jobs []*job) (out []lost, err error) {
	if !slices.ContainsFunc(jobs, func(j *job) bool { return !j.archive && j.gainedOnSource() }) {
		return nil, nil
	}
	for _, j := range jobs {
		if a.hindered[j] != nil || j.pair.ID == 0 || j.task == matchLedger {
			continue
		}
		uids, _ := j.labelled.Nums()
		for part := range slices.Chunk(uids, flagsAtOnce) {
			ask := make([]uint32, len(part))
			for i, uid := range part {
				ask[i] = uint32(uid)
			}
			rows, err := a.State.RowsBySource(ctx, j.pair.ID, ask)
			if err != nil {
				return nil, err
			}
			for _, uid := range ask {
				if r, is := rows[uid]; is && (r.Status == state.Stored && r.TargetUID != 0 || r.Status == state.Moved || r.Status == state.Gone) {
					out = append(out, lost{j.pair.ID, r})
				}
			}
		}
	}
	return out, nil
}

// elsewhere ends what \All knew of messages with a label whose copy is not in the archive and came to no folder in this pass:
// a death came between the move and this. Else it would not be carried again when the label goes.
func (a *attempt) elsewhere(ctx context.Context, jobs []*job, labelled []lost, couples []couple) error {
	moved := make(map[int]bool)
	for _, c := range couples {
		moved[c.a] = true
	}
	for _, j := range jobs {
		var rows []state.Row
		for i, l := range labelled {
			if l.pair == j.pair.ID && l.row.Status == state.Gone && !moved[i] {
				rows = append(rows, l.row)
			}
		}
		if len(rows) == 0 || a.DryRun || a.appendOnly {
			continue
		}
		if err := a.departed(ctx, j, rows); err != nil {
			return err
		}
	}
	return nil
}

// shows reports that a message which is new in another folder is in this one as before: in \All.
func (j *job) shows(uid uint32) bool { return j.archive && j.labelled.Contains(imap.UID(uid)) }

// departed ends what a folder knew of messages that another folder has now. What \All still shows is carried again once it
// has no label any more.
func (a *attempt) departed(ctx context.Context, j *job, rows []state.Row) error {
	var gone []uint32
	var again []state.Row
	for _, r := range rows {
		if j.shows(r.SourceUID) {
			again = append(again, deferredRow(r.SourceUID, r.Date, r.Size))
		} else {
			gone = append(gone, r.SourceUID)
		}
	}
	if err := a.State.PutRows(ctx, j.pair.ID, again); err != nil {
		return err
	}
	return a.State.SetStatus(ctx, j.pair.ID, gone, state.SourceGone)
}
