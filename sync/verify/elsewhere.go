package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
)

// lost is a message of the source that was carried and is not in its target folder.
type lost struct {
	rec
	raw  string // target folder where it was
	diff Difference
}

// stray is a message of the target that no pass has brought there.
type stray struct {
	rec
	raw  string
	took bool // it is a lost one that was moved
	diff Difference
}

// keep holds what only all folders together explain.
func (r *run) keep(c *comparison) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, c.lost...)
	r.found = append(r.found, c.strays...)
	r.report.expected += c.ledger.all
	for i, p := range c.group {
		own := c.src
		if len(c.group) > 1 {
			own = slices.DeleteFunc(slices.Clone(own), func(k rec) bool { return int(k.from) != i })
		}
		r.sourceFolders = append(r.sourceFolders, c.reader.receipt(p.Source.Name, p.Source.Raw, c.opened[i], own))
	}
	if c.target() != nil {
		r.targetFolders = append(r.targetFolders, c.reader.receipt(c.name(), c.raw(), c.there, c.dst))
	}
	for _, list := range [][]rec{c.src, c.dst} {
		for i := range list {
			if list[i].hashed {
				r.report.Read += list[i].size
			}
		}
	}
}

// elsewhere looks for lost messages among those that no pass brought to their folders, also in folders of the target
// that no source folder maps to: who moved a message did not lose it.
func (r *run) elsewhere(ctx context.Context, l *line) error {
	if len(r.lost) > 0 {
		if err := r.strangersRead(ctx, l); err != nil {
			return err
		}
	}
	src, dst := make([]rec, len(r.lost)), make([]rec, len(r.found))
	for i := range r.lost {
		src[i] = r.lost[i].rec
	}
	for i := range r.found {
		dst[i] = r.found[i].rec
	}
	couples := byFingerprint(src, dst, certain)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range couples {
		was, now := r.lost[c.a], &r.found[c.b]
		now.took = true
		d := was.diff
		d.Word, d.TargetUID, d.Detail = ByUser, now.uid, "now in "+now.diff.Target
		if c.doubt && src[c.a].hashed && dst[c.b].hashed {
			d.Word, d.Detail = Altered, d.Detail+", with other bytes"
		}
		r.tell(was.raw, d)
	}
	for i, k := range r.lost {
		if !src[i].mated {
			k.diff.Word, k.diff.Detail = GoneOnTarget, "it was carried, and is in no folder of the target"
			r.tell(k.raw, k.diff)
		}
	}
	for i, k := range r.found {
		if _, compared := r.at[k.raw]; !dst[i].mated && compared {
			k.diff.Word, k.diff.Detail = ArrivedSince, "on the target, not by a pass"
			r.tell(k.raw, k.diff)
		}
	}
	return nil
}

// strangersRead reads the target folders that no source folder maps to.
func (r *run) strangersRead(ctx context.Context, l *line) error {
	for _, f := range r.alone() {
		rd := reader{r.Level, r.Sample}
		var list []rec
		err := r.again(ctx, l, func() (err error) {
			list, _, err = rd.folder(ctx, l.dst, f.Raw, 0, imap.UID(0))
			return err
		})
		if _, is := ofFolder(err); is && ctx.Err() == nil {
			continue // what is in it does not explain anything, then
		}
		if err != nil {
			return err
		}
		for _, k := range list {
			r.found = append(r.found, stray{rec: k, raw: f.Raw, diff: Difference{Target: f.Name}})
		}
	}
	return nil
}

// alone are the target folders with mail that no source folder maps to.
func (r *run) alone() (out []imapx.Folder) {
	for _, f := range r.listedTarget.Folders {
		if _, compared := r.at[f.Raw]; f.Selectable && !compared && (f.Mark == nil || f.Mark.Messages > 0) {
			out = append(out, f)
		}
	}
	return out
}

// strangers tells of those folders, as far as the whole mailbox is compared: whoever compares a part of it knows that
// there is more.
func (r *run) strangers(ctx context.Context) error {
	if m := r.Mapping; m.Into != "" || m.From != "" || len(m.Include) > 0 {
		return nil
	}
	carriedTo := make(map[string]bool)
	if r.State != nil {
		pairs, err := r.State.Pairs(ctx)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			carriedTo[p.Target] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.alone() {
		if f.Mark == nil || r.asked(f) {
			continue
		}
		n := int64(f.Mark.Messages) - r.tookIn(f.Raw)
		if n <= 0 {
			continue
		}
		d := Difference{Word: Extra, Target: f.Name, Messages: n, Detail: "no source folder maps to this folder"}
		switch {
		case carriedTo[f.Raw]:
			d.Word, d.Detail = ByUser, "its source folder is not there any more"
		case r.State != nil:
			d.Word = ArrivedSince
		}
		r.tell(f.Raw, d)
	}
	return nil
}

// asked reports that the mapping leaves out the folder of that name.
func (r *run) asked(f imapx.Folder) bool {
	for _, o := range r.leftOut {
		if strings.EqualFold(o.Source.Name, f.Name) {
			return true
		}
	}
	return false
}

// tookIn counts the lost messages that were found in a folder.
func (r *run) tookIn(raw string) (n int64) {
	for _, k := range r.found {
		if k.raw == raw && k.took {
			n++
		}
	}
	return n
}
