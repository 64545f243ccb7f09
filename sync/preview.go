package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"mailmove/imapx"
	"mailmove/state"
)

// preview counts what a pass over these folder pairs would do, for a dry run. It reads what the pass would read to
// decide, sizes and flags of messages or, where both sides hold mail without a ledger, what they are told apart by;
// bodies only where the pass needs them for that. What was moved on the source, and what is gone on the target, was found
// before (foretell).
func (a *attempt) preview(ctx context.Context, jobs []*job) error {
	for _, j := range jobs {
		if j.task != matchLedger && !j.archive { // there all is looked at anew
			a.count(func(r *Report) { r.Deferred += j.deferred - j.resumed })
		}
	}
	l := a.lanes[0]
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(foldersAtOnce)
	for _, j := range jobs {
		if j.task == nothing || j.task == createOnly {
			continue
		}
		if err := a.hindered[j]; err != nil {
			a.notice("cannot be looked at: " + err.Error())
			continue
		}
		g.Go(func() error {
			err := l.previewFolder(gctx, j)
			var ie *imapx.Error
			if errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount && gctx.Err() == nil {
				a.notice("cannot be looked at: " + ie.Error())
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

func (l *lane) previewFolder(ctx context.Context, j *job) error {
	switch j.task {
	case copyAll:
		return l.previewNew(ctx, j, imapx.Read{UIDs: j.listed(1)})
	case copyDelta:
		return l.previewDelta(ctx, j)
	case matchTarget:
		return l.previewMatch(ctx, j)
	case matchLedger:
		return l.previewRekey(ctx, j)
	}
	return nil
}

// previewDelta reads as delta does, without bodies.
func (l *lane) previewDelta(ctx context.Context, j *job) error {
	then, now := j.pair.SourceMark, j.source.Mark
	start := max(then.UIDNext, 1)
	have, err := l.State.SourceUIDs(ctx, j.pair.ID, start)
	if err != nil {
		return err
	}
	if err := l.previewAgain(ctx, j); err != nil {
		return err
	}
	if now == nil || now.UIDNext == 0 || uint32(now.UIDNext) != then.UIDNext {
		if err := l.previewNew(ctx, j, imapx.Read{UIDs: j.listed(start), Except: uidSet(have)}); err != nil {
			return err
		}
	}
	if j.rows == 0 || now != nil && now.HighestModSeq != 0 && now.HighestModSeq == then.HighestModSeq {
		return nil
	}
	if l.appendOnly {
		return nil
	}
	return l.previewFlags(ctx, j, then.HighestModSeq)
}

// previewAgain counts what the ledger knows and this pass would carry: the filter has been asked already.
func (l *lane) previewAgain(ctx context.Context, j *job) error {
	return l.previewRead(ctx, j, imapx.Read{UIDs: uidSet(j.recopy)}, func(imapx.Message) bool { return true })
}

// previewNew counts new messages that would be copied, and those that the filter leaves out.
func (l *lane) previewNew(ctx context.Context, j *job, r imapx.Read) error {
	return l.previewRead(ctx, j, r, func(m imapx.Message) bool { return l.carries(j, uint32(m.UID), unixOf(m.Date), m.Size) })
}

func (l *lane) previewRead(ctx context.Context, j *job, r imapx.Read, carried func(imapx.Message) bool) error {
	if len(r.UIDs) == 0 {
		return nil
	}
	r.Want = imapx.WantDate | imapx.WantSize
	t := tallied{limit: l.dst.Limits().Append}
	res, err := l.src.Visit(ctx, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(), Reads: []imapx.Read{r}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			if !l.foreseen.known[j][uint32(m.UID)] {
				t.add(m.Size, carried(m))
			}
			return nil
		}})
	t.unreadable = int64(len(res.Failed))
	if j.archive { // in another folder, and counted there
		t.deferred = 0
	}
	l.wouldCopy(j, t)
	return err
}

// tallied is what would be carried, and what not.
type tallied struct {
	limit                              uint64 // APPENDLIMIT, 0: none
	messages, bytes, refused, deferred int64
	unreadable                         int64 // already for what a dry run asks
}

// add counts a message by RFC822.SIZE, which is a hint: the pass itself goes by what it has read.
func (t *tallied) add(size int64, carried bool) {
	switch {
	case !carried:
		t.deferred++
	case size == 0 || t.limit > 0 && uint64(size) > t.limit:
		t.refused++
	default:
		t.messages++
		t.bytes += size
	}
}

func (l *lane) wouldCopy(j *job, t tallied) {
	l.count(func(r *Report) { r.ToCopy += t.messages; r.ToCopyBytes += t.bytes; r.Deferred += t.deferred })
	if t.refused > 0 {
		l.notice(fmt.Sprintf("%s: %s (%s or %s)", j.source.Name, counted(int(t.refused), "message would be an exception", "messages would be exceptions"), reasonTooBig, reasonEmpty))
	}
	if t.unreadable > 0 {
		l.notice(fmt.Sprintf("%s: %d messages would be exceptions (%s)", j.source.Name, t.unreadable, reasonUnreadable))
	}
}

// previewFlags counts messages whose flags would change on the target, if its folder keeps them all.
func (l *lane) previewFlags(ctx context.Context, j *job, since uint64) error {
	flags := &flagSieve{lane: l, pair: j.pair.ID}
	_, err := l.src.Visit(ctx, imapx.Visit{Folder: j.source.Raw, UIDValidity: j.sourceValidity(),
		Reads: []imapx.Read{{UIDs: from(1), Want: imapx.WantFlags, ChangedSince: since}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			return flags.add(ctx, seen{uint32(m.UID), m.Flags})
		}})
	if err == nil {
		err = flags.sift(ctx)
	}
	if err != nil {
		return err
	}
	var changed int64
	for part := range slices.Chunk(flags.changed, flagsAtOnce) {
		uids := make([]uint32, len(part))
		for i, u := range part {
			uids[i] = u.uid
		}
		rows, err := l.State.RowsBySource(ctx, j.pair.ID, uids)
		if err != nil {
			return err
		}
		marks, err := l.marks(ctx, j.pair.ID, uids)
		if err != nil {
			return err
		}
		for _, u := range part {
			row, ok := rows[u.uid]
			if add, remove := flagDiff(parseFlags(row.Flags), u.flags, marks[u.uid]); ok && row.Status == state.Stored && row.TargetUID != 0 && len(add)+len(remove) > 0 && !l.foreseen.absent[j.pair.ID][u.uid] {
				changed++
			}
		}
	}
	l.count(func(r *Report) { r.Flags += changed })
	return nil
}

// previewMatch compares as adopt does.
func (l *lane) previewMatch(ctx context.Context, j *job) error {
	m, err := l.matchSides(ctx, j, 0)
	if err != nil {
		return err
	}
	var flags int64
	for _, c := range m.couples {
		if add, _ := flagDiff(parseFlags(m.dst[c.b].flags), parseFlags(m.src[c.a].flags), false); len(add) > 0 && !l.appendOnly {
			flags++
		}
	}
	l.count(func(r *Report) { r.Matched += int64(len(m.couples)); r.Flags += flags })
	l.previewRest(j, m.src, m.couples)
	return nil
}

// previewRekey compares as rekey does.
func (l *lane) previewRekey(ctx context.Context, j *job) error {
	src, res, err := survey(ctx, l.src, j.source.Raw, j.sourceValidity(), j.listed(1))
	if err != nil {
		return err
	}
	var rows []state.Row
	if err := l.State.Rows(ctx, j.pair.ID, 0, func(r state.Row) error {
		if r.Status != state.Deferred {
			rows = append(rows, r)
		}
		return nil
	}); err != nil {
		return err
	}
	couples, err := l.matchRows(ctx, folderAt{l.src, j.source.Raw, res.Opened.UIDValidity}, src, rows,
		folderAt{l.dst, j.raw, j.pair.TargetMark.UIDValidity}, func(r state.Row) uint32 { return r.TargetUID })
	if err != nil {
		return err
	}
	l.count(func(r *Report) { r.Matched += int64(len(couples)) })
	l.previewRest(j, src, couples)
	return nil
}

// previewRest counts what no couple has.
func (l *lane) previewRest(j *job, src []known, couples []couple) {
	done := make([]bool, len(src))
	for _, c := range couples {
		done[c.a] = true
	}
	rest := tallied{limit: l.dst.Limits().Append}
	for _, i := range where(done, false) {
		if l.foreseen.known[j][src[i].uid] {
			continue
		}
		rest.add(src[i].size, l.carries(j, src[i].uid, src[i].date, src[i].size))
	}
	l.wouldCopy(j, rest)
}
