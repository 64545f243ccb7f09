package verify

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
)

// line is a connection to each side.
type line struct{ src, dst Side }

func (r *run) connect(ctx context.Context) (*line, error) {
	l := new(line)
	g, gctx := errgroup.WithContext(ctx)
	for _, d := range []struct {
		dial func(context.Context) (Side, error)
		to   *Side
	}{{r.ConnectSource, &l.src}, {r.ConnectTarget, &l.dst}} {
		if d.dial != nil { // a receipt is held against one side alone
			g.Go(func() (err error) { *d.to, err = d.dial(gctx); return err })
		}
	}
	if err := g.Wait(); err != nil {
		l.close()
		return nil, err
	}
	if l.src != nil {
		l.src = r.Mapping.LabelsAsKeywords(l.src)
	}
	return l, nil
}

func (l *line) close() {
	for _, s := range []Side{l.src, l.dst} {
		if s != nil {
			s.Close() // a courtesy: nothing was written
		}
	}
}

// spread compares the folders over as many lines as there are, at most one for each. A server that takes no further
// connection still gives its mail through the first.
func (r *run) spread(ctx context.Context, first *line, groups []group) error {
	jobs := make(chan group)
	work, workCtx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(jobs)
		for _, g := range groups {
			select {
			case jobs <- g:
			case <-workCtx.Done():
				return workCtx.Err()
			}
		}
		return nil
	})
	work.Go(func() error { return r.drain(workCtx, first, jobs) })
	for range min(r.Connections, len(groups)) - 1 {
		work.Go(func() error {
			l, err := r.connect(workCtx)
			if err != nil {
				return nil // the first line does it all
			}
			defer func() { l.close() }()
			return r.drain(workCtx, l, jobs)
		})
	}
	return work.Wait()
}

func (r *run) drain(ctx context.Context, l *line, jobs <-chan group) error {
	for g := range jobs {
		if err := r.again(ctx, l, func() error { return r.compare(ctx, l, g) }); err != nil {
			return err
		}
	}
	return nil
}

// again does something, and does it anew over a new line where a connection is lost or a server wants a pause.
func (r *run) again(ctx context.Context, l *line, do func() error) error {
	pause := r.Pause
	var lost error // there is no line just now
	for try := 0; ; try++ {
		err := lost
		if err == nil {
			err = do()
		}
		var ie *imapx.Error
		if err == nil || try >= r.Retries || !errors.As(err, &ie) || ie.Retry == imapx.RetryNever || ie.Scope != imapx.ScopeAccount {
			return err
		}
		if err := sleep(ctx, max(pause, ie.Delay)); err != nil {
			return err
		}
		pause *= 2
		l.close() // first: the login may be allowed no connection more
		var fresh *line
		if fresh, lost = r.connect(ctx); lost == nil {
			*l = *fresh
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sides reads both sides at once.
func sides(ctx context.Context, source, target func(context.Context) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return source(gctx) })
	g.Go(func() error { return target(gctx) })
	return g.Wait()
}

// interned keeps one copy of each flag set: there are few of them, and many messages.
type interned struct {
	mu   sync.Mutex
	sets map[string]string
}

func (i *interned) of(text string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sets == nil {
		i.sets = make(map[string]string)
	}
	if _, ok := i.sets[text]; !ok {
		i.sets[text] = text
	}
	return i.sets[text]
}
