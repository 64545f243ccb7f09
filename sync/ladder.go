package sync

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// climb offers a message that was refused as it is with the least change that the target takes (docs/refused.md). Its
// ledger row stays that of the source's bytes. carried is false where none of it was taken. That the copy is altered is in the state before the altered bytes go out, so that a death in between
// never leaves one that nobody knows of.
func (w *window) climb(ctx context.Context, i int, first error, stored map[uint32]state.Row) (carried bool, err error) {
	m := w.letters[i]
	as, err := inspect(m.body)
	if err != nil {
		return false, err
	}
	steps := as.steps()
	system := slices.DeleteFunc(slices.Clone(m.kept), func(f imap.Flag) bool { return !strings.HasPrefix(string(f), `\`) })
	if len(system) < len(m.kept) {
		steps |= alterKeywords
	}
	for _, c := range choices(steps, m.body.size) {
		message := imapx.AppendMessage{Flags: m.kept, Date: w.inZone(m), Body: m.body}
		if c&alterKeywords != 0 {
			message.Flags = system
		}
		if c&^alterKeywords != 0 {
			a, err := alter(m.body, as, c)
			if err != nil {
				return false, err
			}
			message.Body = a
			if found, err := w.earlier(ctx, i, a, stored); found || err != nil {
				if err == nil {
					err = w.tellAltered(ctx, w.alteredAs(m, as, c, first))
				}
				return found, err
			}
		}
		e := w.alteredAs(m, as, c, first)
		if err := w.noteAltered(ctx, e); err != nil {
			return false, err
		}
		refused, err := w.offer(ctx, i, message, stored)
		if err != nil {
			return false, err
		}
		if refused == nil {
			return true, w.tellAltered(ctx, e)
		}
	}
	if steps != 0 {
		return false, w.State.ClearException(ctx, w.job.pair.ID, m.uid, reasonAltered)
	}
	return false, nil
}

// alteredAs is the exception of a message that is carried in another form.
func (w *window) alteredAs(m *letter, as *nature, c alteration, why error) state.Exception {
	h := &m.body.header
	e := state.Exception{Pair: w.job.pair.ID, Folder: w.job.source.Name, UID: m.uid, Reason: reasonAltered,
		Detail: "carried in another form: " + c.words(as), MessageID: h.text(fieldMessageID), Subject: h.text(fieldSubject), Date: h.text(fieldDate)}
	var ie *imapx.Error
	if errors.As(why, &ie) {
		e.Code, e.Detail = string(ie.Code), e.Detail+"; as it is the target refused it: "+ie.Text
	}
	return e
}

// offer sends one message of the window by itself. refused is what the target has against this message alone.
func (w *window) offer(ctx context.Context, i int, m imapx.AppendMessage, stored map[uint32]state.Row) (refused, err error) {
	pending, err := w.dst.Append(ctx, imapx.AppendBatch{Folder: w.job.raw, Messages: []imapx.AppendMessage{m}})
	if err != nil {
		return nil, err
	}
	res, err := pending.Wait(ctx)
	if err != nil {
		return nil, err
	}
	if e := res.Errs[0]; e != nil {
		if !ofMessage(e) {
			return nil, e
		}
		return e, nil
	}
	r := w.intent.Rows[i]
	if res.UIDValidity == w.intent.UIDValidity {
		r.TargetUID = uint32(res.UIDs[0])
	}
	stored[r.SourceUID] = r
	if r.TargetUID == 0 { // no UIDPLUS
		return nil, w.reconcile(ctx, stored)
	}
	return nil, nil
}

// ofMessage reports a refusal that concerns one message, for good.
func ofMessage(err error) bool {
	var ie *imapx.Error
	return errors.As(err, &ie) && ie.Scope == imapx.ScopeMessage && ie.Retry == imapx.RetryNever
}

// earlier looks for an altered copy that a pass made whose state was lost. Such a copy is matched like any other as
// long as the step left the fingerprint alone; where it did not (a header that only now is one), its bytes are looked
// for among what was there before this window and no row explains.
func (w *window) earlier(ctx context.Context, i int, a *alteredBody, stored map[uint32]state.Row) (found bool, err error) {
	row := w.intent.Rows[i]
	fp, err := a.fingerprint()
	if err != nil || fp == row.Fingerprint || w.floor <= 1 {
		return false, err
	}
	there, _, err := survey(ctx, w.dst, w.job.raw, w.intent.UIDValidity, imap.UIDSet{{Start: 1, Stop: imap.UID(w.floor - 1)}})
	if err != nil {
		return false, err
	}
	taken, err := w.carriedTo(ctx, w.job.raw, w.intent.UIDValidity, 1)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock() // held over the look: two equal messages must not find the same copy
	there = slices.DeleteFunc(there, func(k known) bool { return k.uid >= w.floor || taken[k.uid] || w.claimed[k.uid] || k.fp != fp })
	couples, err := identify(ctx, w.dst, w.job.raw, w.intent.UIDValidity, rowsKnown([]state.Row{row}), there)
	if err != nil || len(couples) == 0 {
		return false, err
	}
	row.TargetUID = there[couples[0].b].uid
	w.claimed[row.TargetUID] = true
	stored[row.SourceUID] = row
	return true, nil
}

// told is a message whose exception is to be told once the message is carried.
type told struct {
	pair int64
	uid  uint32
}

// noteAltered writes an exception before it is true. tellAltered tells it once it is.
func (p *pass) noteAltered(ctx context.Context, e state.Exception) error {
	e.FirstPass, e.LastPass = p.report.Pass, p.report.Pass
	isNew, err := p.State.PutException(ctx, e)
	if err != nil || !isNew {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted[told{e.Pair, e.UID}] = true
	return nil
}

func (p *pass) tellAltered(ctx context.Context, e state.Exception) error {
	e.FirstPass, e.LastPass = p.report.Pass, p.report.Pass
	isNew, err := p.State.PutException(ctx, e)
	if err != nil {
		return err
	}
	at := told{e.Pair, e.UID}
	p.mu.Lock()
	isNew = isNew || p.noted[at]
	delete(p.noted, at)
	if isNew {
		p.report.NewExceptions++
	}
	p.mu.Unlock()
	p.emit(Exception{Account: p.Account, Folder: e.Folder, UID: e.UID, Reason: e.Reason, Detail: e.Detail, New: isNew})
	return nil
}

// settleAltered looks at what was noted of the messages of windows that a death left open: it is told where the copy is there,
// else forgotten, for the message is offered as it is again.
func (a *attempt) settleAltered(ctx context.Context, windows []state.Window) error {
	in := make(map[told]bool)
	for _, w := range windows {
		for _, r := range w.Rows {
			in[told{w.Pair, r.SourceUID}] = true
		}
	}
	var list []state.Exception
	err := a.State.EachException(ctx, func(e state.Exception) error {
		if e.Reason == reasonAltered && in[told{e.Pair, e.UID}] {
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range list {
		rows, err := a.State.RowsBySource(ctx, e.Pair, []uint32{e.UID})
		if err != nil {
			return err
		}
		if r, is := rows[e.UID]; is && r.Status == state.Stored {
			err = a.tellAltered(ctx, e)
		} else {
			err = a.State.ClearException(ctx, e.Pair, e.UID, reasonAltered)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepRefused puts a message that stays behind into the quarantine, and says in words where it is, or why it is not.
func (l *lane) keepRefused(j *job, m *letter) string {
	path, err := l.State.Keep(state.Kept{Pair: j.pair.ID, UIDValidity: j.sourceValidity(), UID: m.uid}, m.body.size, m.date, m.body)
	if err != nil {
		return "; not kept: " + err.Error()
	}
	return "; kept: " + path
}
