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

// outcome is what a pair's work came to.
type outcome struct {
	mark   imapx.Mark // the source folder as it was opened, UIDNEXT as far as it was covered
	copied int64
	flags  int64
}

// from is the UIDs from n on.
func from(n uint32) imap.UIDSet { return imap.UIDSet{imap.UIDRange{Start: imap.UID(n), Stop: 0}} }

// uidSet makes a compact set of ascending UIDs.
func uidSet(uids []uint32) imap.UIDSet {
	var s imap.UIDSet
	for i := 0; i < len(uids); {
		k := i
		for k+1 < len(uids) && uids[k+1] == uids[k]+1 {
			k++
		}
		s = append(s, imap.UIDRange{Start: imap.UID(uids[i]), Stop: imap.UID(uids[k])})
		i = k + 1
	}
	return s
}

// newestRows is how many of the ledger's newest messages are looked at again before new ones are believed.
const newestRows = 3

// errReused: the source gave UIDs of the ledger to other messages, as a restored server does (RFC 9051 section
// 2.3.1.1 forbids it). The UIDs mean nothing any more.
var errReused = errors.New("the source uses UIDs of earlier messages again")

// delta reads what came and what changed since the marks, in one visit.
func (l *lane) delta(ctx context.Context, j *job) (outcome, error) {
	then, now := j.pair.SourceMark, j.source.Mark
	start := max(then.UIDNext, 1)
	have, err := l.State.SourceUIDs(ctx, j.pair.ID, start)
	if err != nil {
		return outcome{}, err
	}
	newMail := now == nil || now.UIDNext == 0 || uint32(now.UIDNext) != then.UIDNext
	var flags imapx.Read
	if !l.appendOnly {
		flags = j.changedFlags(start, newMail && len(have) == 0)
	}
	if len(j.recopy) == 0 && !newMail && flags.Want == 0 {
		return outcome{mark: *now}, nil
	}
	check, err := l.newest(ctx, j)
	if err != nil {
		return outcome{}, err
	}
	if err := l.recheck(ctx, j, check); err != nil {
		return outcome{}, err
	}
	news := imapx.Read{UIDs: j.listed(start), Except: uidSet(have), Want: wholeMessage}
	filtered := newMail && l.sifts(j)
	var s sifted
	if filtered {
		if s, err = l.sift(ctx, j, news.UIDs, news.Except); err != nil {
			return outcome{}, err
		}
		news.UIDs, news.Except = s.pass, nil
	}
	var reads []imapx.Read
	if len(j.recopy) > 0 {
		reads = append(reads, imapx.Read{UIDs: uidSet(j.recopy), Want: wholeMessage})
	}
	if newMail && (!filtered || len(news.UIDs) > 0) {
		reads = append(reads, news)
	}
	if flags.Want != 0 {
		reads = append(reads, flags)
	}
	var r outcome
	if len(reads) > 0 {
		if r, err = l.copy(ctx, j, reads...); err == nil {
			err = l.neverCame(ctx, j)
		}
	}
	switch {
	case !newMail:
		r.mark.UIDNext = imap.UID(then.UIDNext) // what came meanwhile was not asked for
	case filtered:
		r.mark = s.mark // what came or changed since was not looked at
	}
	return r, err
}

// changedFlags asks for the flags of known messages where the marks say that some changed; the zero Read for nothing. Below
// start all is known, from there on nothing is if fresh.
func (j *job) changedFlags(start uint32, fresh bool) imapx.Read {
	then, now := j.pair.SourceMark, j.source.Mark
	if j.rows == 0 || now != nil && now.HighestModSeq != 0 && now.HighestModSeq == then.HighestModSeq {
		return imapx.Read{}
	}
	known := from(1)
	if fresh {
		known = imap.UIDSet{imap.UIDRange{Start: 1, Stop: imap.UID(max(start-1, 1))}}
	}
	return imapx.Read{UIDs: known, Want: imapx.WantFlags, ChangedSince: then.HighestModSeq}
}

// listed is the UIDs from n on as far as the listing of this pass goes. What came later is the next pass's: it may
// have been moved here from a folder that was listed before.
func (j *job) listed(n uint32) imap.UIDSet {
	now := j.source.Mark
	if now == nil || now.UIDNext == 0 {
		return from(n)
	}
	if uint32(now.UIDNext) <= n {
		return nil
	}
	return imap.UIDSet{imap.UIDRange{Start: imap.UID(n), Stop: now.UIDNext - 1}}
}

// covered is the mark to commit: never ahead of the listing.
func (j *job) covered(opened imapx.Mark) imapx.Mark {
	now := j.source.Mark
	if now == nil || now.UIDNext == 0 || opened.UIDNext == now.UIDNext && opened.Messages == now.Messages {
		return opened
	}
	return *now
}

// newest gives the ledger's newest rows below the mark by which a message can be known again.
func (l *lane) newest(ctx context.Context, j *job) (map[uint32]state.Row, error) {
	last := j.pair.SourceMark.UIDNext
	if j.rows == 0 || last == 0 {
		return nil, nil
	}
	var ring [newestRows]state.Row
	n := 0
	err := l.State.Rows(ctx, j.pair.ID, last-min(last, 1000), func(r state.Row) error {
		if r.Fingerprint != (key{}) || r.Status == state.Deferred {
			ring[n%newestRows] = r
			n++
		}
		return nil
	})
	out := make(map[uint32]state.Row)
	for _, r := range ring[:min(n, newestRows)] {
		out[r.SourceUID] = r
	}
	return out, err
}

// reused compares a message with the ledger's row of its UID. Two things have to differ, header and date: some servers
// show an odd header differently at times. A date that nobody believes is not what the ledger has, and a row that is
// deferred has no fingerprint: there the size takes its place.
func reused(r state.Row, m imapx.Message) bool {
	fp, _ := fingerprintOf(m.Header)
	date, size := unixOf(m.Date) != r.Date, m.Size != r.Size
	switch {
	case r.Status == state.Deferred:
		return date && size
	case believed(unixOf(m.Date)) == 0:
		return fp != r.Fingerprint && size
	}
	return fp != r.Fingerprint && date
}

// seen is a message whose flags were read and not its body.
type seen struct {
	uid   uint32
	flags []imap.Flag
}

// flagSieve keeps of the flags that are read those that the ledger does not know yet, so that memory grows with what
// changed: where a server cannot say what that is, all flags of a folder are read.
type flagSieve struct {
	*lane
	pair    int64
	batch   []seen
	bytes   int64 // of the flags in batch
	changed []seen
}

// What is compared with the ledger together: messages, and bytes of their flags.
const (
	flagsAtOnce     = 1000
	flagBytesAtOnce = 1 << 20
)

func (s *flagSieve) add(ctx context.Context, m seen) error {
	s.bytes += flagBytes(m.flags)
	if s.batch = append(s.batch, m); len(s.batch) < flagsAtOnce && s.bytes < flagBytesAtOnce {
		return nil
	}
	return s.sift(ctx)
}

// sift looks through what was read since the last time.
func (s *flagSieve) sift(ctx context.Context) error {
	uids := make([]uint32, len(s.batch))
	for i, m := range s.batch {
		uids[i] = m.uid
	}
	rows, err := s.State.RowsBySource(ctx, s.pair, uids)
	for _, m := range s.batch {
		if row, ok := rows[m.uid]; ok && row.Flags != flagText(m.flags) && row.Status != state.Deferred {
			s.changed = append(s.changed, m)
		}
	}
	s.batch, s.bytes = s.batch[:0], 0
	return err
}

// mergeFlags applies to the target what changed on the source since the ledger last saw it, and nothing else:
// what the user changed on the target stays.
func (l *lane) mergeFlags(ctx context.Context, j *job, updates []seen) (int64, error) {
	var changed int64
	if l.appendOnly {
		return 0, nil
	}
	for part := range slices.Chunk(updates, flagsAtOnce) {
		n, err := l.mergeSome(ctx, j, part)
		changed += n
		if err != nil {
			return changed, err
		}
	}
	l.count(func(r *Report) { r.Flags += changed })
	return changed, nil
}

func (l *lane) mergeSome(ctx context.Context, j *job, updates []seen) (int64, error) {
	uids := make([]uint32, len(updates))
	for i, u := range updates {
		uids[i] = u.uid
	}
	rows, err := l.State.RowsBySource(ctx, j.pair.ID, uids)
	if err != nil {
		return 0, err
	}
	marks, err := l.marks(ctx, j.pair.ID, uids)
	if err != nil {
		return 0, err
	}
	news := make(map[uint32]string)
	plan := newFlagPlan()
	for _, u := range updates {
		row, ok := rows[u.uid]
		text := flagText(u.flags)
		if !ok || row.Flags == text || row.Status == state.Deferred {
			continue
		}
		news[u.uid] = text
		if row.Status == state.Stored && row.TargetUID != 0 {
			if err := l.planFlags(ctx, j, plan, row.TargetUID, row.Flags, u.flags, marks[u.uid]); err != nil {
				return 0, err
			}
		}
	}
	if len(news) == 0 {
		return 0, nil
	}
	stored, err := l.store(ctx, j, plan)
	if err != nil {
		return 0, err
	}
	return stored, l.State.SetFlags(ctx, j.pair.ID, news)
}

// planFlags plans the difference between what was there and what is there now, as far as the target folder keeps
// it.
func (l *lane) planFlags(ctx context.Context, j *job, plan *flagPlan, target uint32, then string, now []imap.Flag, marks bool) error {
	opened, err := l.opened(ctx, j)
	if err != nil {
		return err
	}
	keep := newKeeper(opened.PermanentFlags)
	add, remove := flagDiff(parseFlags(then), now, marks)
	if add, err = l.keepFlags(ctx, j, keep, add); err != nil {
		return err
	}
	remove, _ = keep.filter(remove)
	plan.add(target, add, remove)
	return nil
}

// flagDiff tells what came and what went. \Deleted is a deletion: it is not merged into a mailbox that people work in, but
// where deletions are carried (marks).
func flagDiff(then, now []imap.Flag, marks bool) (add, remove []imap.Flag) {
	for _, f := range now {
		if !hasFlag(then, f) && (marks || !isDeleted(f)) {
			add = append(add, f)
		}
	}
	for _, f := range then {
		if !hasFlag(now, f) && (marks || !isDeleted(f)) {
			remove = append(remove, f)
		}
	}
	return add, remove
}

func isDeleted(f imap.Flag) bool { return strings.EqualFold(string(f), string(imap.FlagDeleted)) }

// store sends a plan to the target and says how many messages it changes.
func (l *lane) store(ctx context.Context, j *job, plan *flagPlan) (int64, error) {
	if len(plan.order) == 0 {
		return 0, nil
	}
	opened, err := l.opened(ctx, j)
	if err != nil {
		return 0, err
	}
	var changes []imapx.FlagChange
	var n int64
	for _, k := range plan.order {
		changes = append(changes, *plan.changes[k])
		n += plan.count[k]
	}
	return n, l.dst.Store(ctx, j.raw, opened.UIDValidity, changes)
}

// flagPlan groups messages by the same change.
type flagPlan struct {
	changes map[string]*imapx.FlagChange
	count   map[string]int64
	order   []string
}

func newFlagPlan() *flagPlan {
	return &flagPlan{changes: make(map[string]*imapx.FlagChange), count: make(map[string]int64)}
}

func (p *flagPlan) add(target uint32, add, remove []imap.Flag) {
	if len(add)+len(remove) == 0 {
		return
	}
	k := flagText(add) + "|" + flagText(remove)
	c := p.changes[k]
	if c == nil {
		c = &imapx.FlagChange{Add: add, Remove: remove}
		p.changes[k] = c
		p.order = append(p.order, k)
	}
	c.UIDs.AddNum(imap.UID(target))
	p.count[k]++
}
