package sync

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
)

// askSource reads what is needed of each message, in one stream a folder, and how large the folders are.
func (g *gathering) askSource(ctx context.Context) error {
	f := &g.facts
	var raws []string
	for _, p := range f.mapped.pairs {
		one := folderFacts{name: p.source.Name, raw: p.source.Raw, messages: int64(messages(p.source)), err: p.source.Err}
		if p.source.Mark != nil {
			one.validity = p.source.Mark.UIDValidity
		}
		if err := g.onlyArchived(ctx, p, &one); err != nil {
			return err
		}
		f.folders = append(f.folders, one)
		raws = append(raws, p.source.Raw)
	}
	sizes, err := g.src.Sizes(ctx, raws)
	if err != nil {
		return err
	}
	w, wctx := errgroup.WithContext(ctx)
	w.SetLimit(foldersAtOnce)
	for i := range f.folders {
		one := &f.folders[i]
		size, told := sizes[inboxKey(one.raw)]
		if one.part != nil {
			size, told = 0, false
		}
		want := g.wants(told)
		if one.bytes = size; one.messages == 0 || want == 0 || one.err != nil {
			continue
		}
		w.Go(func() error { return g.read(wctx, one, want, told) })
	}
	err = w.Wait()
	for _, name := range slices.Sorted(maps.Keys(g.flags)) {
		f.unkept = append(f.unkept, countedFlag{name, g.flags[name]})
	}
	return err
}

// onlyArchived leaves of Gmail's All Mail what a pass would carry from there.
func (g *gathering) onlyArchived(ctx context.Context, p folderPair, f *folderFacts) error {
	if !isArchive(g.source, p.source) || f.messages == 0 || f.err != nil {
		return nil
	}
	j := &job{folderPair: p, pair: pairOf(p)}
	if f.err = g.findArchived(ctx, g.src, j, g.facts.mapped); widest(f.err) {
		return f.err
	}
	f.part, f.messages = append(imap.UIDSet{}, j.archived...), int64(countUIDs(j.archived))
	return nil
}

// wants is what must be read of each message: nothing where the server's sums say all that is asked for.
func (g *gathering) wants(sized bool) (want imapx.Want) {
	if !sized || g.facts.limit > 0 {
		want |= imapx.WantSize
	}
	if !g.Retention.IsZero() {
		want |= imapx.WantDate | imapx.WantSize
	}
	if len(g.facts.permanent) > 0 && !hasFlag(g.facts.permanent, imap.FlagWildcard) {
		want |= imapx.WantFlags
	}
	return want
}

// read goes through one folder. What the server refuses of it alone is that folder's trouble.
func (g *gathering) read(ctx context.Context, f *folderFacts, want imapx.Want, sized bool) error {
	keep := newKeeper(g.facts.permanent)
	uids := from(1)
	if f.part != nil {
		uids = f.part
	}
	var sum int64
	_, err := g.src.Visit(ctx, imapx.Visit{Folder: f.raw, UIDValidity: f.validity, Reads: []imapx.Read{{UIDs: uids, Want: want}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			sum += m.Size
			f.largest = max(f.largest, m.Size)
			if limit := g.facts.limit; limit > 0 && uint64(max(m.Size, 0)) > limit {
				f.tooLarge++
			}
			if want&imapx.WantSize != 0 && m.Size == 0 {
				f.hollow++
			}
			if date := believed(unixOf(m.Date)); date != 0 && date < g.Retention.Unix() && !g.Retention.IsZero() {
				f.older++
				f.olderBytes += m.Size
			}
			if want&imapx.WantFlags != 0 {
				_, dropped := keep.filter(m.Flags)
				g.lost(dropped)
			}
			return nil
		}})
	if !sized {
		f.bytes = sum
	}
	if f.err = err; widest(err) {
		return err
	}
	return nil
}

// lost counts flags that the target does not keep.
func (g *gathering) lost(flags []imap.Flag) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flags == nil {
		g.flags = make(map[string]int64)
	}
	for _, f := range flags {
		if _, known := g.flags[string(f)]; known || len(g.flags) < mostFlags {
			g.flags[string(f)]++
		}
	}
}

// measure sums up a side: by the server's own sums, else by the sizes of its messages.
func (g *gathering) measure(ctx context.Context, s CheckSource, l imapx.Listing) (sum int64, err error) {
	var raws []string
	for _, f := range l.Folders {
		if f.Selectable {
			raws = append(raws, f.Raw)
		}
	}
	sizes, err := s.Sizes(ctx, raws)
	if err != nil {
		return 0, err
	}
	for _, f := range l.Folders {
		size, told := sizes[inboxKey(f.Raw)]
		if sum += size; told || !f.Selectable || messages(&f) == 0 {
			continue
		}
		_, err := s.Visit(ctx, imapx.Visit{Folder: f.Raw, Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantSize}}},
			imapx.VisitHandler{Message: func(_ int, m imapx.Message) error { sum += m.Size; return nil }})
		if widest(err) {
			return 0, err
		}
	}
	return sum, nil
}

// widest reports an error that ends everything, and not one folder.
func widest(err error) bool {
	var ie *imapx.Error
	return err != nil && (!errors.As(err, &ie) || ie.Scope == imapx.ScopeAccount)
}
