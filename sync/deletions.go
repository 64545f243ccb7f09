package sync

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// Deletions says what becomes of the copies of messages that were deleted on the source since they were carried.
type Deletions int

const (
	KeepDeleted    Deletions = iota // they stay
	TrashDeleted                    // moved to the target's folder for deleted mail
	ExpungeDeleted                  // deleted for good
)

// Ceiling bounds the deletions of one folder and pass: above it none of them is carried out.
type Ceiling struct {
	Percent  int   // of the copies that the folder has, rounded up; 1 to 100
	Messages int64 // where it is not 0 this counts, and Percent does not
}

// defaultCeiling is what the zero Ceiling stands for.
const defaultCeiling = 10

// of gives the ceiling of a folder with so many copies.
func (c Ceiling) of(copies int64) int64 {
	switch {
	case c.Messages > 0:
		return c.Messages
	case c.Percent > 0:
		return (copies*int64(c.Percent) + 99) / 100
	}
	return (copies*defaultCeiling + 99) / 100
}

func (c Ceiling) String() string {
	switch {
	case c.Messages > 0:
		return fmt.Sprint(c.Messages)
	case c.Percent > 0:
		return fmt.Sprintf("%d%%", c.Percent)
	}
	return fmt.Sprintf("%d%%", defaultCeiling)
}

// ErrNoDeletions: deletions were asked for, and the target has no command that deletes single messages. Nothing was
// written.
var ErrNoDeletions = errors.New("the target cannot delete single messages (no UIDPLUS)")

// errFiltered: a filter hides messages, and what it hides looks deleted.
var errFiltered = errors.New("deletions are not carried by a pass with a filter")

// allowDeletions decides whether this pass may delete at all. After a final pass people live in the target.
func (p *pass) allowDeletions(ctx context.Context) error {
	if p.Deletions == KeepDeleted || p.appendOnly {
		return nil
	}
	at, err := p.State.Final(ctx)
	p.deletes = err == nil && at.IsZero()
	return err
}

// canDelete refuses the pass before anything is written where the target has no way to delete single messages.
func (a *attempt) canDelete() error {
	if a.deletes && !a.lanes[0].dst.CanMove() {
		return ErrNoDeletions
	}
	return nil
}

// marks tells of which messages \Deleted is carried: where deletions are, of those whose copies are ours.
func (p *pass) marks(ctx context.Context, pair int64, uids []uint32) (map[uint32]bool, error) {
	if !p.deletes {
		return nil, nil
	}
	return p.State.StoredByUs(ctx, pair, uids)
}

// doomed are copies of one folder pair whose messages left the source.
type doomed struct {
	*job
	pair  state.Pair // as the state has it now
	rows  []state.Row
	since uint64 // mod-sequence of the target folder before its copies were looked at
}

// purge is the step of a pass that carries deletions. What it does not carry stays a candidate for the next pass.
type purge struct {
	*attempt
	pairs  map[int64]state.Pair
	busy   map[string]bool // target folders with intents or deletions that are not settled
	trash  *imapx.Folder   // nil: there is none
	kept   []string        // source folders of which an earlier exception still holds
	held   []state.Exception
	copies map[int64]int64 // by pair, for the ceiling
}

// purge carries deletions once everything else of the pass is done.
func (a *attempt) purge(ctx context.Context, jobs []*job) error {
	if a.back || a.DryRun && !a.deletes {
		return nil
	}
	g := &purge{attempt: a, busy: make(map[string]bool), copies: make(map[int64]int64)}
	if a.deletes {
		if err := g.run(ctx, jobs); err != nil {
			return err
		}
	}
	if a.stopped() { // not all was looked at
		return nil
	}
	if a.DryRun {
		for _, e := range g.held {
			a.notice("would be an exception: " + e.Folder + ": " + e.Detail)
		}
		return nil
	}
	names := g.kept
	for _, e := range g.held {
		names = append(names, e.Folder)
		if err := a.except(ctx, e); err != nil {
			return err
		}
	}
	return a.State.KeepFolderExceptions(ctx, reasonDeletions, names)
}

func (g *purge) run(ctx context.Context, jobs []*job) error {
	left, err := g.State.LeftByPair(ctx)
	if err != nil {
		return err
	}
	for _, l := range g.foreseen.left {
		left[l.pair]++
	}
	if len(left) == 0 {
		return nil
	}
	if err := g.prepare(ctx); err != nil {
		return err
	}
	var list []*doomed
	for _, j := range jobs {
		if left[j.pair.ID] == 0 || g.stopped() {
			continue
		}
		d, err := g.look(ctx, j)
		if err != nil && g.passOver(err, j) {
			continue
		}
		if err != nil {
			return err
		}
		if d != nil && len(d.rows) > 0 {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := g.spareMoved(ctx, list); err != nil {
		return err
	}
	for _, d := range list {
		err := g.carryOut(ctx, d)
		if err != nil && !g.passOver(err, d.job) {
			return err
		}
	}
	return nil
}

// prepare reads what all folders have in common.
func (g *purge) prepare(ctx context.Context) (err error) {
	if g.pairs, err = g.pairsByID(ctx); err != nil {
		return err
	}
	windows, err := g.State.Windows(ctx)
	if err != nil {
		return err
	}
	for _, w := range windows { // what is counted from their floor would not add up any more
		g.busy[g.pairs[w.Pair].Target] = true
	}
	open, err := g.State.OpenDeletions(ctx)
	if err != nil {
		return err
	}
	for _, d := range open {
		g.busy[g.pairs[d.Pair].Target] = true
	}
	if g.Deletions == TrashDeleted {
		g.trash = g.trashOf()
	}
	return nil
}

// trashOf is the target's folder for deleted mail: by its attribute (RFC 6154), else by its name, nil without.
func (a *attempt) trashOf() (best *imapx.Folder) {
	m := newMapper(a.source, a.target, nil, a.rules)
	rank := func(f *imapx.Folder) int64 {
		if f.SpecialUse == imap.MailboxAttrTrash {
			return 1 << 40
		}
		return int64(messages(f))
	}
	for i := range a.target.Folders {
		f := &a.target.Folders[i]
		if !f.Selectable || isInbox(f) || foreign(a.target, f.Raw) ||
			f.SpecialUse != imap.MailboxAttrTrash && (f.SpecialUse != "" || m.specialName(ownPath(f, m.to)) != imap.MailboxAttrTrash) {
			continue
		}
		if best == nil || rank(f) > rank(best) {
			best = f
		}
	}
	return best
}

// passOver leaves a folder to the next pass where it is only this folder that a server refuses.
func (g *purge) passOver(err error, j *job) bool {
	var ie *imapx.Error
	if !asFolder(err, &ie) {
		return false
	}
	g.putOff(j, ie.Error())
	return true
}

// putOff leaves the deletions of a folder to the next pass. What was told of it before stays told.
func (g *purge) putOff(j *job, why string) {
	g.kept = append(g.kept, j.source.Name)
	g.notice(j.source.Name + ": deletions wait for the next pass: " + why)
}

// hold refuses the deletions of a folder, and tells it as an exception of the folder.
func (g *purge) hold(j *job, why string) {
	g.held = append(g.held, state.Exception{Folder: j.source.Name, Reason: reasonDeletions, Detail: why})
}
