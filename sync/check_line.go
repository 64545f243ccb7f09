package sync

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"mailmove/imapx"
)

// lineFacts are a try of the line to the source.
type lineFacts struct {
	bytes int64
	took  time.Duration // 0: not tried
	err   error
}

// tryLine reads bodies for a while over a connection of its own in place of the other one. It ends with that: what is
// still on its way then is not waited for. The largest folders come first, for most of the mail is there.
func (g *gathering) tryLine(ctx context.Context) {
	if g.Try <= 0 {
		return
	}
	folders := slices.Clone(g.facts.folders)
	slices.SortStableFunc(folders, func(a, b folderFacts) int { return cmp.Compare(b.bytes, a.bytes) })
	g.src.Close() // a login may be allowed one connection only; everything else was asked before
	src, err := g.ConnectSource(ctx)
	if err != nil {
		g.facts.line.err = err
		return
	}
	defer src.Close()
	var read atomic.Int64
	short, cancel := context.WithTimeout(ctx, g.Try)
	defer cancel()
	started := time.Now()
	for _, f := range folders {
		if f.messages == 0 || f.err != nil {
			continue
		}
		if err = tryFolder(short, src, f, &read); short.Err() != nil || widest(err) {
			break
		}
	}
	line := &g.facts.line
	line.bytes, line.took = read.Load(), time.Since(started)
	if short.Err() == nil && widest(err) {
		line.err = err
	}
}

// tryFolder reads a folder's bodies to nowhere.
func tryFolder(ctx context.Context, src Source, f folderFacts, read *atomic.Int64) error {
	_, err := src.Visit(ctx, imapx.Visit{Folder: f.raw, UIDValidity: f.validity, Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantBody}}},
		imapx.VisitHandler{
			Alloc:   func(_ context.Context, size int64) (imapx.Body, error) { return &weighed{size: size, read: read}, nil },
			Message: func(int, imapx.Message) error { return nil },
		})
	return err
}

// weighed is a body of which nothing is kept.
type weighed struct {
	size int64
	read *atomic.Int64
}

func (c *weighed) Write(p []byte) (int, error)      { c.read.Add(int64(len(p))); return len(p), nil }
func (c *weighed) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (c *weighed) Len() int64                       { return c.size }
func (c *weighed) Release()                         {}
