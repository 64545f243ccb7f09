package sync

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Filter leaves messages out of a pass, for pre-staging. What it leaves out is deferred: it is in the ledger, so
// that marks can rise above it, and the pass whose filter lets it through carries it. The zero Filter lets
// everything through.
type Filter struct {
	NewerThan time.Time // defers what has an INTERNALDATE before it; zero: nothing
	OlderThan time.Time // defers what has it at or after it; zero: nothing
	MaxSize   int64     // bytes; defers what has an RFC822.SIZE above it; 0: nothing
}

func (f Filter) active() bool { return f != Filter{} }

// passes compares an INTERNALDATE in Unix seconds and a size. A date that is none, or none to believe, is no reason
// to leave a message out.
func (f Filter) passes(date, size int64) bool {
	if f.MaxSize > 0 && size > f.MaxSize {
		return false
	}
	if date = believed(date); date == 0 {
		return true
	}
	return (f.NewerThan.IsZero() || date >= f.NewerThan.Unix()) && (f.OlderThan.IsZero() || date < f.OlderThan.Unix())
}

// carries reports whether a message of a pair is for this pass. What an open intent names may be on the target
// already, or still land there: it is carried whatever the filter says, for recovery to find the two together.
func (a *attempt) carries(j *job, uid uint32, date, size int64) bool {
	return a.Filter.passes(date, size) && j.homeless(uid) || a.intended[j.pair.ID][uid]
}

// sifts reports that some messages of a pair may be left to a later pass.
func (a *attempt) sifts(j *job) bool { return a.Filter.active() || j.archive }

// noteIntended remembers what the intents name that earlier attempts left open.
func (a *attempt) noteIntended(windows []state.Window) {
	for _, w := range windows {
		for _, r := range openRows(w) {
			if a.intended[w.Pair] == nil {
				a.intended[w.Pair] = make(map[uint32]bool)
			}
			a.intended[w.Pair][r.SourceUID] = true
		}
	}
}

// sifted is what a filter made of new messages.
type sifted struct {
	pass imap.UIDSet
	mark imapx.Mark // of the folder when dates and sizes were read, UIDNEXT as far as they were
}

// deferAtOnce is how many rows are written together while a folder is sifted.
const deferAtOnce = 1000

// sift reads date and size of new messages and defers what the filter leaves out: the rows are written before any
// mark that covers them. No body is asked for.
func (l *lane) sift(ctx context.Context, j *job, uids, except imap.UIDSet) (sifted, error) {
	var out sifted
	var rows []state.Row
	next := j.pair.SourceMark.UIDNext
	visit, cancel := both(ctx, l.intake)
	defer cancel()
	put := func() error {
		err := l.putDeferred(ctx, j, rows)
		rows = rows[:0]
		return err
	}
	res, err := l.src.Visit(visit, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(),
		Reads: []imapx.Read{{UIDs: uids, Except: except, Want: imapx.WantDate | imapx.WantSize}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			next = max(next, uint32(m.UID)+1)
			if l.carries(j, uint32(m.UID), unixOf(m.Date), m.Size) {
				out.pass.AddNum(m.UID)
				return nil
			}
			rows = append(rows, deferredRow(uint32(m.UID), unixOf(m.Date), m.Size))
			if len(rows) < deferAtOnce {
				return nil
			}
			return put()
		}})
	if err == nil {
		err = put()
	}
	for uid := range res.Failed { // what gives not even its date is for the copy to try, and to tell
		out.pass.AddNum(uid)
	}
	if out.mark = j.covered(res.Opened.Mark); out.mark.UIDNext == 0 {
		out.mark.UIDNext = imap.UID(next)
	}
	return out, err
}

func deferredRow(uid uint32, date, size int64) state.Row {
	return state.Row{SourceUID: uid, Date: date, Size: size, Status: state.Deferred}
}

// wholeMessage is what a copy reads.
const wholeMessage = imapx.WantBody | imapx.WantFlags | imapx.WantDate

// copyAll carries a folder of which nothing is on the target.
func (l *lane) copyAll(ctx context.Context, j *job) (outcome, error) {
	if !l.sifts(j) {
		return l.copy(ctx, j, imapx.Read{UIDs: j.listed(1), Want: wholeMessage})
	}
	s, err := l.sift(ctx, j, j.listed(1), nil)
	if err != nil || len(s.pass) == 0 {
		return outcome{mark: s.mark}, err
	}
	r, err := l.copy(ctx, j, imapx.Read{UIDs: s.pass, Want: wholeMessage})
	r.mark = s.mark // what came since was not looked at
	return r, err
}

// deferSome takes out of messages that were surveyed those that the filter leaves out, and writes their rows.
func (l *lane) deferSome(ctx context.Context, j *job, src []known) (uids []uint32, err error) {
	var rows []state.Row
	for _, k := range src {
		if l.carries(j, k.uid, k.date, k.size) {
			uids = append(uids, k.uid)
		} else {
			rows = append(rows, deferredRow(k.uid, k.date, k.size))
		}
	}
	return uids, l.putDeferred(ctx, j, rows)
}

// putDeferred writes rows and tells them.
func (l *lane) putDeferred(ctx context.Context, j *job, rows []state.Row) error {
	if len(rows) == 0 {
		return nil
	}
	if err := l.State.PutRows(ctx, j.pair.ID, rows); err != nil {
		return err
	}
	if j.archive {
		return nil // they are carried: with the folders that their labels are
	}
	l.emit(MessagesDeferred{Account: l.Account, Folder: j.source.Name, Messages: int64(len(rows))})
	return nil
}
