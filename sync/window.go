package sync

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// window is one batch between its intent and its record.
type window struct {
	*writer
	letters []*letter
	intent  state.Window
}

// send writes the intent, then the batch.
func (w *window) send(ctx context.Context) (imapx.Pending, error) {
	w.intent = state.Window{
		Pair: w.job.pair.ID, Pass: w.report.Pass, UIDValidity: w.opened.UIDValidity, Floor: w.floor,
		Created: time.Now(), Rows: make([]state.Row, len(w.letters)),
	}
	for i, m := range w.letters {
		w.intent.Rows[i] = m.row()
	}
	if err := w.knowTarget(ctx); err != nil {
		return nil, err
	}
	if err := w.State.Intend(ctx, &w.intent); err != nil {
		return nil, err
	}
	return w.dst.Append(ctx, w.batch(w.letters))
}

// inZone is the date that a message is sent with: in UTC where the target is known to refuse its zone.
func (w *window) inZone(m *letter) time.Time {
	_, offset := m.date.Zone()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.zones[offset] {
		return m.date.UTC()
	}
	return m.date
}

// knowTarget notes, on the way back, the UIDVALIDITY that the rows to come have: the ledger takes them also where the
// folder itself is never finished.
func (w *window) knowTarget(ctx context.Context) error {
	p := &w.job.pair
	if !w.back || p.TargetMark.UIDValidity != 0 {
		return nil
	}
	p.TargetMark = stateMark(w.opened.Mark)
	return w.State.CommitTargetMark(ctx, p.ID, p.TargetMark)
}

func (w *window) batch(letters []*letter) imapx.AppendBatch {
	b := imapx.AppendBatch{Folder: w.job.raw, Messages: make([]imapx.AppendMessage, len(letters))}
	for i, m := range letters {
		b.Messages[i] = imapx.AppendMessage{Flags: m.kept, Date: w.inZone(m), Body: m.body}
	}
	return b
}

// settle waits for the answer and records it. When it returns nil, every letter is in the ledger, stored or
// refused; otherwise the intent stays open and recovery decides.
func (w *window) settle(ctx context.Context, pending imapx.Pending) error {
	res, err := pending.Wait(ctx)
	if err != nil {
		return err
	}
	rows, rest, why := w.sort(res)
	if len(rest) == 0 && len(rows) == len(w.letters) && named(rows) {
		if err := w.State.Record(ctx, w.intent.ID, rows, true); err != nil {
			return err
		}
		w.done(rows, nil)
		return nil
	}
	return w.mend(ctx, rows, rest, why)
}

// sort tells stored letters (as rows) from refused ones.
func (w *window) sort(res imapx.Appended) (rows []state.Row, rest []int, why error) {
	trusted := res.UIDValidity == w.intent.UIDValidity
	for i := range w.letters {
		if e := res.Errs[i]; e != nil {
			rest, why = append(rest, i), e
			continue
		}
		r := w.intent.Rows[i]
		if trusted {
			r.TargetUID = uint32(res.UIDs[i])
		}
		rows = append(rows, r)
	}
	return rows, rest, why
}

func named(rows []state.Row) bool {
	for _, r := range rows {
		if r.TargetUID == 0 {
			return false
		}
	}
	return true
}

// mend deals with whatever is not a plain success: UIDs that the server did not tell, and refusals. Every message
// has its answer, so nothing can land late and the intent is closed, also where the reason ends the account's
// pass (over quota).
func (w *window) mend(ctx context.Context, rows []state.Row, rest []int, why error) error {
	if len(rest) == 0 {
		w.done(rows, &w.intent)
		return nil
	}
	stored := make(map[uint32]state.Row)
	for _, r := range rows {
		stored[r.SourceUID] = r
	}
	if !named(rows) {
		if err := w.reconcile(ctx, stored); err != nil {
			return err
		}
	}
	var ie *imapx.Error
	if errors.As(why, &ie) && ie.Scope == imapx.ScopeMessage && ie.Retry == imapx.RetryNever {
		why = w.split(ctx, rest, why, stored)
	}
	if errors.As(why, &ie) && ie.Kind == imapx.KindLost {
		return why // what was sent again may still land
	}
	if !named(slices.Collect(maps.Values(stored))) { // of what was sent again, too
		if err := w.reconcile(ctx, stored); err != nil {
			return err
		}
	}
	all := make([]state.Row, 0, len(stored))
	for _, r := range w.intent.Rows {
		if s, ok := stored[r.SourceUID]; ok {
			all = append(all, s)
		}
	}
	if err := w.State.Record(ctx, w.intent.ID, all, true); err != nil {
		return err
	}
	w.done(all, nil)
	return why
}

func (w *window) absent(of []int, stored map[uint32]state.Row) []int {
	var out []int
	for _, i := range of {
		if _, ok := stored[w.letters[i].uid]; !ok {
			out = append(out, i)
		}
	}
	return out
}

// reconcile looks from the floor for what is stored of the window.
func (w *window) reconcile(ctx context.Context, stored map[uint32]state.Row) error {
	found, err := w.locate(ctx, w.dst, w.job.pair, w.intent.UIDValidity, w.intent.Floor, w.intent.Rows)
	if err != nil {
		return err
	}
	fresh := found // those that were there at the last look have their flags
	fresh.uids = slices.Clone(found.uids)
	for i, r := range w.intent.Rows {
		if stored[r.SourceUID].TargetUID != 0 {
			fresh.uids[i] = 0
		}
	}
	if err := w.giveFlags(ctx, w.dst, w.job.pair, w.intent.UIDValidity, w.intent.Rows, fresh); err != nil {
		return err
	}
	for i, uid := range found.uids {
		if uid != 0 {
			r := w.intent.Rows[i]
			r.TargetUID = uid
			stored[r.SourceUID] = r
		}
	}
	return nil
}

// split sends refused letters again in halves until the one that the target does not want is alone: it becomes
// an exception. Before anything is sent again the target is asked what it holds, for a part may be stored.
func (w *window) split(ctx context.Context, refused []int, why error, stored map[uint32]state.Row) error {
	if len(refused) == 0 {
		return nil
	}
	if len(refused) == 1 {
		return w.alone(ctx, refused[0], why, stored)
	}
	if err := w.reconcile(ctx, stored); err != nil {
		return err
	}
	refused = w.absent(refused, stored)
	half := (len(refused) + 1) / 2
	for _, part := range [][]int{refused[:half], refused[half:]} {
		if err := w.again(ctx, part, stored); err != nil {
			return err
		}
	}
	return nil
}

// alone deals with the one message that the target does not want. A server that says nothing but NO may mean the
// INTERNALDATE (RFC 9051 section 6.3.12 names it among the reasons): the message is tried with the same moment in UTC,
// for imap4d knows few zones, and once with the date that its header has. Else the least change is looked for that the target takes; without one the message stays behind.
func (w *window) alone(ctx context.Context, i int, why error, stored map[uint32]state.Row) error {
	m := w.letters[i]
	var ie *imapx.Error
	// Dovecot says LIMIT of a size (quota_max_mail_size); of one message it says nothing else with that code.
	if errors.As(why, &ie) && (ie.Code == imap.ResponseCodeTooBig || ie.Code == imap.ResponseCodeLimit) {
		return w.leave(ctx, m, w.intent.Rows[i], reasonTooBig, why)
	}
	if ie != nil && ie.Code == "" {
		if carried, err := w.redate(ctx, i, stored); carried || err != nil {
			return err
		}
	}
	if !w.AlterNever {
		if carried, err := w.climb(ctx, i, why, stored); carried || err != nil {
			return err
		}
	}
	return w.leave(ctx, m, w.intent.Rows[i], reasonRefused, why)
}

// redate tries a message with its date in UTC, which is the same, and with the date of its header, which is told.
func (w *window) redate(ctx context.Context, i int, stored map[uint32]state.Row) (carried bool, err error) {
	m, row := w.letters[i], &w.intent.Rows[i]
	if _, offset := w.inZone(m).Zone(); offset != 0 {
		refused, err := w.offer(ctx, i, imapx.AppendMessage{Flags: m.kept, Date: m.date.UTC(), Body: m.body}, stored)
		if refused == nil && err == nil {
			w.mu.Lock()
			w.zones[offset] = true
			w.mu.Unlock()
		}
		if refused == nil || err != nil {
			return err == nil, err
		}
	}
	date, from := m.body.header.substitute(w.report.Started)
	if unixOf(date) == unixOf(m.date) {
		return false, nil
	}
	given := row.Date
	row.Date = unixOf(date)
	refused, err := w.offer(ctx, i, imapx.AppendMessage{Flags: m.kept, Date: date.UTC(), Body: m.body}, stored)
	if err != nil {
		return false, err
	}
	if refused != nil {
		row.Date = given
		return false, nil
	}
	return true, w.tellDate(ctx, m, "the target refused the INTERNALDATE "+m.date.Format(time.RFC3339), from)
}

// again sends a part of the window once more, under the same intent.
func (w *window) again(ctx context.Context, part []int, stored map[uint32]state.Row) error {
	letters := make([]*letter, len(part))
	for k, i := range part {
		letters[k] = w.letters[i]
	}
	pending, err := w.dst.Append(ctx, w.batch(letters))
	if err != nil {
		return err
	}
	res, err := pending.Wait(ctx)
	if err != nil {
		return err
	}
	var refused []int
	var why error
	for k, i := range part {
		if e := res.Errs[k]; e != nil {
			var ie *imapx.Error
			if !errors.As(e, &ie) || ie.Scope != imapx.ScopeMessage || ie.Retry != imapx.RetryNever {
				return e
			}
			refused, why = append(refused, i), e
			continue
		}
		r := w.intent.Rows[i]
		if res.UIDValidity == w.intent.UIDValidity {
			r.TargetUID = uint32(res.UIDs[k])
		}
		stored[r.SourceUID] = r
	}
	return w.split(ctx, refused, why, stored)
}

// release gives back the bodies. Nothing is sent of them any more.
func (w *window) release() {
	for _, m := range w.letters {
		m.body.Release()
	}
}
