package sync

import (
	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// task is what one folder pair needs in this pass.
type task int

const (
	nothing     task = iota // the source's marks are those of the last pass
	createOnly              // an empty folder that the target lacks
	copyAll                 // nothing of it is on the target: bodies, flags and dates in one stream
	copyDelta               // the ledger knows what was carried: new messages and changed flags
	matchTarget             // mail on both sides and no ledger: compare before copying
	matchLedger             // the source's UIDs mean something else now: compare with the ledger, then the target
)

// job is one folder pair with its task.
type job struct {
	folderPair
	task      task
	pair      state.Pair // with ID once stored
	recopy    []uint32   // source UIDs that the ledger has and that are to be carried: deferred ones, gone ones that are asked for again
	deferred  int64      // ledger rows that a filter left out
	resumed   int64      // of these, what the filter lets through now
	retarget  bool       // the target's UIDs mean something else now: the ledger's target side is matched anew
	create    bool
	subscribe bool
	rows      int64 // ledger rows; 1 stands for some where they are not counted
	counted   bool
	newOnly   bool        // new mail only
	archive   bool        // Gmail's All Mail: only what no other folder has is carried
	archived  imap.UIDSet // of it: what is in no other folder, as far as this pass has asked
	labelled  imap.UIDSet // of it: what is in another folder, as far as this pass has asked
	unasked   uint32      // from this UID on nobody has asked
	estimate  int64       // messages to be copied, for the progress bar
	order     int         // place among all jobs: parents before children
	open      opening
	later     *imapx.Mark // of the source, from a listing that began after the one that was planned with

	unsubscribed *imapx.Error // not nil: the folder is there and could not be subscribed
}

// planJob decides from marks alone. It is a pure function.
func planJob(p folderPair, rows int64, complete bool) job {
	j := job{folderPair: p, rows: rows, pair: pairOf(p), open: newOpening()}
	fresh := p.stored == nil
	j.create = p.target == nil && (fresh || complete)
	now, then := p.source.Mark, j.pair.SourceMark
	first := then == (state.Mark{}) // until marks are committed, nothing is known to be done
	j.subscribe = first && p.source.Subscribed && (p.target == nil || !p.target.Subscribed)

	switch {
	case now == nil: // no STATUS: the folder itself will say
		j.task = copyDelta
		if rows == 0 && messages(p.target) > 0 {
			j.task = matchTarget
		}
	case rows == 0 && then.UIDValidity == 0 && now.Messages == 0:
		j.task = createOnly
		if !j.create && !j.subscribe && !fresh {
			j.task = nothing
		}
	case rows > 0 && now.UIDValidity == 0: // RFC 9051 section 2.3.1.1 forbids it; UIDs are good for one visit
		j.task = matchLedger
	case then.UIDValidity != 0 && identityBroken(now, then):
		j.task = matchLedger
	case then.UIDValidity != 0 && unchanged(now, then):
		j.task = nothing
		j.create = false // a folder that its user removed from the target stays away until there is new mail for it
	case rows > 0 || then.UIDValidity != 0:
		j.task = copyDelta
	case messages(p.target) > 0 || p.target != nil && p.target.Mark == nil:
		j.task = matchTarget
	default:
		j.task = copyAll
	}
	// Also without rows of messages that are on the source: intents are written under the target's UIDVALIDITY, and the
	// ledger must not have another one.
	if t := p.target; rows > 0 || j.pair.TargetMark.UIDValidity != 0 {
		switch {
		case t == nil:
			j.retarget = j.create // a new folder: the ledger's UIDs are not its own
		case t.Mark != nil && j.pair.TargetMark.UIDValidity != 0:
			j.retarget = t.Mark.UIDValidity != j.pair.TargetMark.UIDValidity
		}
	}
	if now != nil {
		j.estimate = j.expected(now, then)
	}
	return j
}

// expected guesses how many messages will be copied. UIDs may have holes, so it is an upper bound.
func (j *job) expected(now *imapx.Mark, then state.Mark) int64 {
	switch j.task {
	case nothing, createOnly:
		return 0
	case copyDelta:
		if then.UIDNext > 0 && uint32(now.UIDNext) >= then.UIDNext {
			return min(int64(uint32(now.UIDNext)-then.UIDNext), int64(now.Messages))
		}
		return max(0, int64(now.Messages)-j.rows)
	case matchTarget:
		return max(0, int64(now.Messages)-int64(messages(j.target)))
	case matchLedger:
		return max(0, int64(now.Messages)-j.rows)
	}
	return int64(now.Messages)
}

// identityBroken: another UIDVALIDITY, none, or a UIDNEXT that fell (a restored server hands UIDs out again).
func identityBroken(now *imapx.Mark, then state.Mark) bool {
	return now.UIDValidity != then.UIDValidity || now.UIDNext != 0 && uint32(now.UIDNext) < then.UIDNext
}

// unchanged needs a mod-sequence: without one, flags can change and no mark shows it.
func unchanged(now *imapx.Mark, then state.Mark) bool {
	return now.HighestModSeq != 0 && *now == markOf(then)
}

func markOf(m state.Mark) imapx.Mark {
	return imapx.Mark{UIDValidity: m.UIDValidity, UIDNext: imap.UID(m.UIDNext), Messages: m.Messages, HighestModSeq: m.HighestModSeq}
}

func stateMark(m imapx.Mark) state.Mark {
	return state.Mark{UIDValidity: m.UIDValidity, UIDNext: uint32(m.UIDNext), Messages: m.Messages, HighestModSeq: m.HighestModSeq}
}

// pairOf is the state's view of a pair; marks come from earlier passes only.
func pairOf(p folderPair) state.Pair {
	var s state.Pair
	if p.stored != nil {
		s = *p.stored
	}
	s.Source, s.SourceName = p.source.Raw, p.source.Name
	s.Target, s.TargetName = p.raw, p.name
	s.SourceMailboxID = p.source.MailboxID
	if p.target != nil {
		s.TargetMailboxID = p.target.MailboxID
	}
	return s
}

// sameMailbox reports whether both sides are one mailbox under two names: every selectable folder of one is on
// the other with all its marks, and there is mail. Two servers never agree in that by chance; a mailbox that was
// copied with its server's own tools may, and is then not ours to tell apart.
func sameMailbox(source, target imapx.Listing) bool {
	marks := make(map[string]imapx.Mark)
	for _, f := range target.Folders {
		if f.Selectable && f.Mark != nil {
			marks[f.Raw] = *f.Mark
		}
	}
	n, mail := 0, false
	for _, f := range source.Folders {
		if !f.Selectable || f.Mark == nil {
			continue
		}
		m, ok := marks[f.Raw]
		if !ok || m != *f.Mark {
			return false
		}
		n++
		mail = mail || m.Messages > 0
	}
	return mail && n == len(marks)
}
