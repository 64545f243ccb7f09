package sync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// A target without room ends the account's pass, and says how much is missing. As long as that is known (the exception
// over-quota is open), each pass asks the target first, and ends before it has sent anything where what is to come does not fit (a
// batch is refused as a whole, and would be sent for nothing). An admin who accepts the exception has it tried all the same.

// quotaTeller is a target that can be asked for its quota (imapx.Target).
type quotaTeller interface {
	Quota(ctx context.Context) ([]imapx.Quota, error)
}

// measureMost bounds the look at both sides after a target was full.
const measureMost = 2 * time.Minute

// toCome is what this pass has to carry: what no ledger row stands for on the source, or one that was deferred, as far as the
// filter lets it through.
type toCome struct {
	messages, bytes int64
}

// measured gives the error of a full target with what is missing, and notes it for the next pass. Where that cannot be
// told it gives the error as it is.
func (p *pass) measured(ctx context.Context, err error) error {
	var ie *imapx.Error
	if !errors.As(err, &ie) || ie.Kind != imapx.KindQuota || p.DryRun || p.back {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, measureMost)
	defer cancel()
	detail := ie.Text
	if p.tooFull == "" {
		a := newAttempt(p)
		defer a.close()
		if a.addLanes(ctx, 1) == nil && a.list(ctx) == nil {
			if come, e := a.toCome(ctx); e == nil {
				p.tooFull, _ = a.shortage(ctx, come)
			}
		}
	}
	if p.tooFull != "" {
		detail += "; " + p.tooFull
	}
	if e := p.except(ctx, state.Exception{Reason: reasonOverQuota, Code: string(ie.Code), Detail: detail}); e != nil {
		return errors.Join(err, e)
	}
	with := *ie
	with.Text = detail
	return &with
}

// fits looks at the quota before anything is sent, where an earlier pass found the target full.
func (a *attempt) fits(ctx context.Context) error {
	if a.DryRun || a.back || a.quotaAsked {
		return nil
	}
	a.quotaAsked = true
	list, err := a.State.AccountExceptions(ctx, reasonOverQuota)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(e state.Exception) bool { return !e.Accepted }) {
		return nil
	}
	come, err := a.toCome(ctx)
	if err != nil || come.messages == 0 {
		return err
	}
	text, full := a.shortage(ctx, come)
	if !full {
		return nil
	}
	a.tooFull = text
	return &imapx.Error{Op: "GETQUOTAROOT", Side: "target", Code: "OVERQUOTA", Kind: imapx.KindQuota, Scope: imapx.ScopeAccount, Text: "nothing was sent: the mailbox is as full as before"}
}

// toCome counts what is still to be carried, as the source tells sizes.
func (a *attempt) toCome(ctx context.Context) (toCome, error) {
	out := toCome{}
	pairs, _, err := Pairings(ctx, a.State, a.source, a.target, a.Mapping)
	if err != nil {
		return out, err
	}
	for _, p := range pairs {
		if p.Source.Mark == nil || p.Source.Mark.Messages == 0 {
			continue
		}
		known, err := a.settledUIDs(ctx, p)
		if err != nil {
			return out, err
		}
		if uint32(len(known)) >= p.Source.Mark.Messages && uint32(p.Source.Mark.UIDNext) <= p.Stored.SourceMark.UIDNext {
			continue
		}
		_, err = a.lanes[0].src.Visit(ctx, imapx.Visit{Folder: p.Source.Raw, UIDValidity: p.Source.Mark.UIDValidity,
			Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantSize | imapx.WantDate}}},
			imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
				if !known[uint32(m.UID)] && a.Filter.passes(unixOf(m.Date), m.Size) {
					out.messages, out.bytes = out.messages+1, out.bytes+m.Size
				}
				return nil
			}})
		var ie *imapx.Error
		if errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount {
			continue // the folder is told by the pass itself
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// settledUIDs are the messages of a source folder that no pass has to carry any more.
func (a *attempt) settledUIDs(ctx context.Context, p Pairing) (map[uint32]bool, error) {
	known := make(map[uint32]bool)
	if p.Stored == nil || p.Stored.SourceMark.UIDValidity != p.Source.Mark.UIDValidity {
		return known, nil
	}
	uids, err := a.State.SourceUIDs(ctx, p.Stored.ID, 1)
	if err != nil {
		return nil, err
	}
	for _, uid := range uids {
		known[uid] = true
	}
	if isArchive(a.source, p.Source) { // what is deferred there is carried with the folders that its labels are
		return known, nil
	}
	return known, a.State.DeferredRows(ctx, p.Stored.ID, func(r state.Row) error {
		delete(known, r.SourceUID)
		return nil
	})
}

// shortage holds what is to come against what the target says of its quota. full: it does not fit.
func (a *attempt) shortage(ctx context.Context, come toCome) (text string, full bool) {
	text = fmt.Sprintf("%s (%s) still to come", counted(int(come.messages), "message", "messages"), mebibytes(come.bytes))
	t, is := a.lanes[0].dst.(quotaTeller)
	if !is {
		return text, false
	}
	list, err := t.Quota(ctx)
	if err != nil {
		return text, false
	}
	for _, q := range list {
		if l := q.Bytes; l.Limit > 0 {
			free := max(0, l.Limit-l.Used)
			if come.bytes > free {
				full = true
				text += fmt.Sprintf(", room for %s: %s missing", mebibytes(free), mebibytes(come.bytes-free))
			}
		}
		if l := q.Messages; l.Limit > 0 {
			free := max(0, l.Limit-l.Used)
			if come.messages > free {
				full = true
				text += fmt.Sprintf(", room for %s: %d missing", counted(int(free), "message", "messages"), come.messages-free)
			}
		}
	}
	return text, full
}

// mebibytes rounds up: what is missing is not less than it says.
func mebibytes(n int64) string {
	return fmt.Sprintf("%.1f MiB", math.Ceil(float64(n)/(1<<20)*10)/10)
}
