package sync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailmove/imapx"
	"mailmove/state"
)

// Source and target can become one mailbox: a proxy at the old server answers from the new one, or the host name moved.
// A pass would then carry the mailbox into itself. Marks that look alike are a suspicion, for servers that number their
// folders by the clock can agree by chance; a folder that is made on the target and shows up on the source is the proof.

// likelyArrivals is by how much the next UID of one INBOX may differ between the two listings of a pass.
const likelyArrivals = 16

// scratchPrefix begins the names of such folders; the account's digest and a random part follow, so that neither
// another account's proof nor one of an earlier migration is taken for this one.
const scratchPrefix = "mailmove-scratch-"

// dropPatience is how long the removal of a scratch folder may take, also after a stop.
const dropPatience = 30 * time.Second

// apart makes sure that the two sides are two mailboxes. Without a suspicion it costs nothing.
func (a *attempt) apart(ctx context.Context) error {
	leftover, err := a.hideScratch(ctx)
	if err != nil {
		return err
	}
	stored, err := a.State.Pairs(ctx)
	if err != nil {
		return err
	}
	same := sameMailbox(a.source, a.target)
	switch {
	case leftover:
		return oneMailbox("a folder that an earlier pass made on the target to find that out is on the source too")
	case everAlike(stored) && still(a.source, stored):
		return nil // nothing is there to be carried
	case !same && !(inboxesAlike(a.source, a.target) && !inboxEverAlike(stored)):
		return nil
	case a.DryRun && same && !everAlike(stored):
		return oneMailbox("every folder has the same UIDVALIDITY and UIDNEXT on both sides")
	case a.DryRun:
		return nil // the proof would write
	}
	shows, err := a.showsUp(ctx)
	var ie *imapx.Error
	switch {
	case errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount && same && !everAlike(stored):
		return oneMailbox("every folder has the same UIDVALIDITY and UIDNEXT on both sides, and no folder can be made to find out: " + ie.Error())
	case errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount:
		a.notice("INBOX has the same UIDVALIDITY on both sides, and no folder can be made on the target to find out whether they are one mailbox: " + ie.Error())
		return nil
	case err != nil:
		return err
	case shows:
		return oneMailbox("a folder made on the target showed up on the source")
	}
	return nil
}

func oneMailbox(why string) error { return fmt.Errorf("%w: %s", ErrSameMailbox, why) }

// inboxesAlike reports that both INBOXes may be one: the same UIDVALIDITY, and a next UID that only what arrived between
// the two listings can tell apart.
func inboxesAlike(source, target imapx.Listing) bool {
	s, t := inboxOf(source), inboxOf(target)
	if s == nil || t == nil || s.UIDValidity == 0 || s.UIDValidity != t.UIDValidity {
		return false
	}
	return max(s.UIDNext, t.UIDNext)-min(s.UIDNext, t.UIDNext) <= likelyArrivals
}

func inboxOf(l imapx.Listing) *imapx.Mark {
	for i := range l.Folders {
		if isInbox(&l.Folders[i]) {
			return l.Folders[i].Mark
		}
	}
	return nil
}

// everAlike reports that mail was moved between these two when they had the same UIDVALIDITY already: two servers
// that count alike, and not a source that leads to the target since.
func everAlike(stored []state.Pair) bool {
	alike := false
	for _, p := range stored {
		if p.SourceMark.UIDValidity != 0 && p.TargetMark.UIDValidity != 0 {
			if alike = p.SourceMark.UIDValidity == p.TargetMark.UIDValidity; !alike {
				return false
			}
		}
	}
	return alike
}

// still reports that the source is as an earlier pass left it.
func still(source imapx.Listing, stored []state.Pair) bool {
	marks := make(map[string]state.Mark, len(stored))
	for _, p := range stored {
		marks[p.Source] = p.SourceMark
	}
	for _, f := range source.Folders {
		if m, ok := marks[f.Raw]; f.Selectable && (!ok || f.Mark == nil || !unchanged(f.Mark, m)) {
			return false
		}
	}
	return true
}

// inboxEverAlike is everAlike for INBOX alone: the other folders of such servers may have been made at different times.
func inboxEverAlike(stored []state.Pair) bool {
	for _, p := range stored {
		if inboxKey(p.Source) == "INBOX" {
			return p.SourceMark.UIDValidity != 0 && p.SourceMark.UIDValidity == p.TargetMark.UIDValidity
		}
	}
	return false
}

// scratchOf begins the names of this account's scratch folders.
func (a *attempt) scratchOf() string {
	sum := sha256.Sum256([]byte(a.Account))
	return scratchPrefix + hex.EncodeToString(sum[:4]) + "-"
}

// showsUp makes a folder on the target, looks for it on the source, and removes it.
func (a *attempt) showsUp(ctx context.Context) (shows bool, err error) {
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return false, err
	}
	raw := personal(a.target).Prefix + a.scratchOf() + hex.EncodeToString(nonce[:])
	dst := a.lanes[0].dst
	made, err := dst.Prepare(ctx, []imapx.Prepare{{Folder: raw, Create: true}})
	if err == nil {
		err = made[0].Err
	}
	if err != nil {
		return false, err
	}
	defer func() {
		dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropPatience)
		defer cancel()
		if gone := dst.Drop(dropping, raw); gone != nil && err == nil {
			err = gone
		}
	}()
	l, err := a.lanes[0].src.List(ctx)
	return find(l, raw) != nil, err
}

// hideScratch takes scratch folders out of both listings: they are no mail. Those that a killed pass of this account left
// on the target are removed, if they are empty. It reports that one of them is on the source too.
func (a *attempt) hideScratch(ctx context.Context) (onBoth bool, err error) {
	own := a.scratchOf()
	for _, f := range a.target.Folders {
		if !isScratch(f, own) {
			continue
		}
		onBoth = onBoth || find(a.source, f.Raw) != nil
		if a.DryRun {
			continue
		}
		err := a.lanes[0].dst.Drop(ctx, f.Raw)
		var ie *imapx.Error
		if err != nil && !(errors.As(err, &ie) && ie.Scope != imapx.ScopeAccount) {
			return onBoth, err
		}
		if ie != nil {
			a.notice(f.Name + " is a leftover of an earlier pass and cannot be removed: " + ie.Error())
		}
	}
	scratch := func(f imapx.Folder) bool { return isScratch(f, scratchPrefix) }
	a.source.Folders = slices.DeleteFunc(a.source.Folders, scratch)
	a.target.Folders = slices.DeleteFunc(a.target.Folders, scratch)
	return onBoth, nil
}

// isScratch reports that a folder has one of our names, as a whole, and is empty.
func isScratch(f imapx.Folder, prefix string) bool {
	name := f.Name
	if i := strings.LastIndex(name, scratchPrefix); i > 0 && f.Delim != "" && strings.HasSuffix(name[:i], f.Delim) {
		name = name[i:] // below a personal namespace
	}
	const digits = 8 + 1 + 16
	return strings.HasPrefix(name, prefix) && len(name) == len(scratchPrefix)+digits && f.Mark != nil && f.Mark.Messages == 0
}
