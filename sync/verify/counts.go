package verify

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// countGroup compares the numbers of a listing. With a ledger each side is held against what it should have; which
// messages differ is not known, and as many that came as went are not seen.
func (r *run) countGroup(ctx context.Context, g group) error {
	f := Folder{Equal: -1}
	var diffs []Difference
	add := func(n int64, w Word, detail string) {
		if n > 0 {
			d := Difference{Word: w, Target: g.name(), Messages: n, Detail: detail}
			if len(g) == 1 {
				d.Source = g[0].Source.Name
			}
			diffs = append(diffs, d)
		}
	}
	for _, p := range g {
		if p.Source.Mark == nil {
			add(1, Missing, "the source does not say how many messages it has")
		}
		r.sourceFolders = append(r.sourceFolders, listed(p.Source))
	}
	f.Source.Messages = g.messages()
	t := g.target()
	if t != nil {
		r.targetFolders = append(r.targetFolders, listed(t))
	}
	if t != nil && t.Mark == nil {
		add(f.Source.Messages, Missing, "the target does not say how many messages it has")
		r.folder(g, f, diffs)
		return nil
	}
	if t != nil {
		f.There.Messages = int64(t.Mark.Messages)
	}
	if r.State == nil || !holds(g) {
		add(f.Source.Messages-f.There.Messages, Missing, "")
		add(f.There.Messages-f.Source.Messages, Extra, "")
	} else {
		h, err := r.tally(ctx, g)
		if err != nil {
			return err
		}
		add(h.refused, KnownException, "not carried, with a reason: mailmove exceptions list")
		add(h.moved, ByUser, "moved on the target, as passes have found")
		add(h.gone, GoneOnTarget, "as passes have found")
		add(h.elsewhere, KnownException, "in another folder on the source too, and carried there (Gmail's labels)")
		add(h.deferred, Missing, "a filter left them out; a pass without the filter carries them")
		add(h.there-f.There.Messages, GoneOnTarget, "since the last pass, or moved to another folder")
		add(f.There.Messages-h.there, ArrivedSince, "on the target, not by a pass")
		add(h.source-f.Source.Messages, ByUser, "deleted or moved on the source since the last pass")
		if h.next {
			add(f.Source.Messages-h.source, ArrivedSince, "on the source, after the last pass")
		} else {
			add(f.Source.Messages-h.source, Missing, "no pass has carried them")
		}
		r.report.expected += h.there + h.gone
	}
	c := comparison{run: r, group: g}
	if f.Source.Messages == 0 {
		c.bare()
	}
	r.folder(g, f, append(diffs, c.diffs...))
	return nil
}

// holds reports that the ledger of a group can be counted: passes carried it, and the UIDs on both sides are still those
// that it has.
func holds(g group) bool {
	any := false
	for _, p := range g {
		if p.Stored == nil || p.Stored.SourceMark.UIDValidity == 0 {
			continue
		}
		any = true
		was, now := p.Stored.TargetMark.UIDValidity, g.target()
		if p.Source.Mark != nil && p.Source.Mark.UIDValidity != p.Stored.SourceMark.UIDValidity || now != nil && was != 0 && now.Mark.UIDValidity != was {
			return false
		}
	}
	return any
}

// tally is what the ledger has of a group, in messages.
type tally struct {
	source                         int64 // should be on the source
	there                          int64 // should be on the target
	refused, moved, gone, deferred int64
	elsewhere                      int64 // of Gmail's All Mail: carried with the folders of their labels
	next                           bool  // a source folder has given out UIDs since the last pass
}

func (r *run) tally(ctx context.Context, g group) (t tally, err error) {
	for _, p := range g {
		if p.Stored == nil {
			t.next = true
			continue
		}
		m := p.Source.Mark
		t.next = t.next || m == nil || m.UIDNext == 0 || uint32(m.UIDNext) > p.Stored.SourceMark.UIDNext ||
			m.UIDValidity != p.Stored.SourceMark.UIDValidity
		err := r.State.Rows(ctx, p.Stored.ID, 0, func(row state.Row) error {
			if row.Status != state.SourceGone {
				t.source++
			}
			switch row.Status {
			case state.Refused:
				t.refused++
			case state.Moved:
				t.moved++
			case state.Gone:
				t.gone++
			case state.Deferred:
				if r.everything(p.Source) {
					t.elsewhere++
				} else {
					t.deferred++
				}
			}
			return nil
		})
		if err != nil {
			return t, err
		}
	}
	if f := g.target(); f != nil {
		uids, err := r.State.CarriedTo(ctx, g.raw(), f.Mark.UIDValidity, 1)
		t.there = int64(len(uids))
		return t, err
	}
	for _, p := range g { // the folder is gone, and all that was in it
		if p.Stored == nil {
			continue
		}
		rows, err := r.State.RowsByTarget(ctx, p.Stored.ID, 1)
		if err != nil {
			return t, err
		}
		t.there += int64(len(rows))
	}
	return t, nil
}

// listed is a folder's part of a receipt where it was not opened.
func listed(f *imapx.Folder) FolderReceipt {
	out := FolderReceipt{Folder: f.Name, Raw: f.Raw}
	if f.Mark != nil {
		out.UIDValidity, out.UIDNext, out.Messages = f.Mark.UIDValidity, uint32(f.Mark.UIDNext), int64(f.Mark.Messages)
	}
	return out
}

// everything reports Gmail's All Mail: what the ledger defers there lies in another folder too.
func (r *run) everything(f *imapx.Folder) bool {
	return r.listedSource.Labels && f.SpecialUse == imap.MailboxAttrAll
}
