package verify

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	mailsync "mailmove/sync"
)

// comparison is a target folder and its source folders, read and compared.
type comparison struct {
	*run
	*line
	group
	reader   reader
	src, dst []rec
	opened   []imapx.Opened // source folders
	there    imapx.Opened   // the target folder
	ledger   *ledger
	sums     Folder
	diffs    []Difference
	lost     []lost
	strays   []stray
}

// compare reads a folder on both sides and says what differs. Until it is done nothing is told, so that it can be done
// again.
func (r *run) compare(ctx context.Context, l *line, g group) error {
	c := &comparison{run: r, line: l, group: g, reader: reader{r.Level, r.Sample}, opened: make([]imapx.Opened, len(g))}
	err := c.read(ctx)
	if err == nil {
		c.ledger, err = r.ledger(ctx, g, c.opened, c.there)
	}
	if err == nil {
		err = c.match(ctx)
	}
	if ie, is := ofFolder(err); is && ctx.Err() == nil {
		r.unread(g, ie)
		return nil
	}
	if err != nil {
		return err
	}
	c.leftOnSource()
	c.leftOnTarget()
	c.bare()
	r.folder(g, c.sums, c.diffs)
	r.keep(c)
	return nil
}

// read reads all of the source folders and the target folder, both sides at once.
func (c *comparison) read(ctx context.Context) error {
	lists := make([][]rec, len(c.group))
	err := sides(ctx, func(ctx context.Context) error {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(2)
		for i, p := range c.group {
			g.Go(func() (err error) {
				lists[i], c.opened[i], err = c.reader.folder(gctx, c.line.src, p.Source.Raw, 0, 0)
				return err
			})
		}
		return g.Wait()
	}, func(ctx context.Context) (err error) {
		if c.target() != nil && c.target().Selectable {
			c.dst, c.there, err = c.reader.folder(ctx, c.line.dst, c.raw(), 0, 0)
		}
		return err
	})
	for i, list := range lists {
		for k := range list {
			list[k].from = int32(i)
		}
		if i == 0 {
			c.src = list
		} else {
			c.src = append(c.src, list...)
		}
		lists[i] = nil
	}
	c.sums.Source, c.sums.There = totalOf(c.src), totalOf(c.dst)
	return err
}

func totalOf(list []rec) (t Total) {
	for i := range list {
		t.Messages++
		t.Bytes += list[i].size
	}
	return t
}

// match pairs both sides and tells what differs between the two of a pair.
func (c *comparison) match(ctx context.Context) error {
	sure, claimed := byLedger(c.src, c.dst, c.ledger.carriedAs)
	if err := c.unveil(ctx); err != nil {
		return err
	}
	sure = append(sure, byFingerprint(c.src, c.dst, len(tiers()))...)
	for _, k := range claimed {
		if s, t := &c.src[k.a], &c.dst[k.b]; !s.mated && !t.mated {
			s.mated, t.mated, k.doubt = true, true, true
			sure = append(sure, k)
		}
	}
	doubts, err := c.resolve(ctx, sure)
	if err != nil {
		return err
	}
	for _, k := range sure {
		d, differs := c.differ(k, doubts)
		if differs {
			c.diffs = append(c.diffs, d)
		} else {
			c.sums.Equal++
		}
	}
	return nil
}

// unveil reads the bodies of messages that nothing else tells from others, where the other side has such too.
func (c *comparison) unveil(ctx context.Context) error {
	a, b := nameless(c.src), nameless(c.dst)
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	there, here, err := c.both(ctx, a, b, false)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		list []rec
		sums map[int]mailsync.Sums
	}{{c.src, here.sums}, {c.dst, there.sums}} {
		for i, s := range side.sums {
			side.list[i].exact, side.list[i].hashed = s.Exact, true
		}
	}
	return nil
}

// both reads bodies of both sides by their places.
func (c *comparison) both(ctx context.Context, a, b []int, normal bool) (there, here read, err error) {
	here = read{sums: make(map[int]mailsync.Sums), failed: make(map[int]bool)}
	err = sides(ctx, func(ctx context.Context) error {
		for i, p := range c.group {
			var at []int
			for _, k := range a {
				if int(c.src[k].from) == i {
					at = append(at, k)
				}
			}
			got, err := bodies(ctx, c.line.src, p.Source.Raw, c.opened[i].UIDValidity, c.src, at, normal)
			if err != nil {
				return err
			}
			for k, s := range got.sums {
				here.sums[k] = s
			}
			for k := range got.failed {
				here.failed[k] = true
			}
		}
		return nil
	}, func(ctx context.Context) (err error) {
		there, err = bodies(ctx, c.line.dst, c.raw(), c.there.UIDValidity, c.dst, b, normal)
		return err
	})
	return there, here, err
}

// doubt is what the bytes of both messages of a couple say.
type doubt int

const (
	same        doubt = iota // the servers' words for the sizes differ, and nothing else
	sameInForm               // the normal forms are equal
	sameAltered              // equal but for what the ladder may alter
	different                // other bytes
	notOnSource              // the source lists it and does not give it
	notOnTarget
	vanished // while this ran
)

// resolve reads the bytes of the couples in doubt, in the normal form too.
func (c *comparison) resolve(ctx context.Context, couples []couple) (map[int]doubt, error) {
	var a, b []int
	for _, k := range couples {
		if k.doubt {
			a, b = append(a, k.a), append(b, k.b)
		}
	}
	if len(a) == 0 {
		return nil, nil
	}
	there, here, err := c.both(ctx, a, b, true)
	if err != nil {
		return nil, err
	}
	out := make(map[int]doubt, len(a))
	for i := range a {
		out[a[i]] = doubtOf(a[i], b[i], here, there)
	}
	return out, nil
}

func doubtOf(a, b int, here, there read) doubt {
	s, onSource := here.sums[a]
	t, onTarget := there.sums[b]
	switch {
	case here.failed[a]:
		return notOnSource
	case there.failed[b]:
		return notOnTarget
	case !onSource || !onTarget:
		return vanished
	case s.Exact == t.Exact:
		return same
	case s.Normal == t.Normal:
		return sameInForm
	case s.Loose == t.Loose:
		return sameAltered
	}
	return different
}

// bare tells of a folder without messages that the target lacks. Where it has some, they tell it.
func (c *comparison) bare() {
	if c.target() != nil || len(c.src) > 0 {
		return
	}
	p := c.group[0]
	d := Difference{Word: Missing, Source: p.Source.Name, Target: c.name(), Detail: "the target has no such folder"}
	switch detail, known := c.folderException(p); {
	case known:
		d.Word, d.Detail = KnownException, detail
	case p.Stored != nil && p.Stored.SourceMark.UIDValidity != 0:
		d.Word, d.Detail = ByUser, "the target has no such folder any more"
	case p.Stored == nil && c.State != nil:
		d.Word, d.Detail = ArrivedSince, "the folder is new on the source"
	}
	c.diffs = append(c.diffs, d)
}

// folderException gives the reason for which a folder could not be carried.
func (r *run) folderException(p mailsync.Pairing) (detail string, known bool) {
	e, known := r.except(p, 0, func(reason string) bool { return reason == mailsync.ReasonFolder })
	return e.Reason + ": " + e.Detail, known
}

// unread is for a folder that a server does not open: nothing in it is known to be the same.
func (r *run) unread(g group, ie *imapx.Error) {
	var f Folder
	f.Source.Messages = g.messages()
	if t := g.target(); t != nil && t.Mark != nil {
		f.There.Messages = int64(t.Mark.Messages)
	}
	p := g[0]
	d := Difference{Word: Missing, Source: p.Source.Name, Target: g.name(), Messages: f.Source.Messages,
		Detail: fmt.Sprintf("cannot be compared: %v", ie)}
	if detail, known := r.folderException(p); known {
		d.Word, d.Detail = KnownException, detail
	}
	r.folder(g, f, []Difference{d})
}
