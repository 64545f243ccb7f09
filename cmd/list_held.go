package cmd

import (
	"context"
	"time"

	"mailmove/imapx"
	mailsync "mailmove/sync"
)

// heldSource is a connection of a run over a list: it counts until it is closed.
type heldSource struct {
	mailsync.Source
	run     *listRun
	server  string
	release func()
}

func (h *heldSource) Visit(ctx context.Context, v imapx.Visit, handler imapx.VisitHandler) (imapx.VisitResult, error) {
	if err := h.run.patience(ctx, h.server); err != nil {
		return imapx.VisitResult{}, err
	}
	return h.Source.Visit(ctx, v, handler)
}

func (h *heldSource) Close() error {
	defer h.release()
	return h.Source.Close()
}

// heldTarget also holds back what is to be stored.
type heldTarget struct {
	mailsync.Target
	run     *listRun
	server  string
	release func()
}

// longestHold is how long one batch waits for a server that wants a pause: what it holds is room that accounts of other
// servers need. Longer pauses are kept by asking for nothing new.
const longestHold = 10 * time.Second

// Append waits for its turn. What was fetched when the run is stopped is stored at once: that is what settling is.
func (h *heldTarget) Append(ctx context.Context, b imapx.AppendBatch) (imapx.Pending, error) {
	var bytes int64
	for _, m := range b.Messages {
		bytes += m.Body.Len()
	}
	err := h.run.untilStopped(ctx, func(ctx context.Context) error {
		short, cancel := context.WithTimeout(ctx, longestHold)
		defer cancel()
		if err := h.run.servers.Wait(short, h.server); err != nil && ctx.Err() != nil {
			return err
		}
		if err := h.run.messages.Take(ctx, int64(len(b.Messages))); err != nil {
			return err
		}
		return h.run.bytes.Take(ctx, bytes)
	})
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return h.Target.Append(ctx, b)
}

func (h *heldTarget) Close() error {
	defer h.release()
	return h.Target.Close()
}
