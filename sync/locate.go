package sync

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx"
	"mailmove/state"
)

// located is what a target folder holds of some messages, seen from a floor.
type located struct {
	opened  imapx.Opened
	uids    []uint32        // by row: where it is, 0: nowhere
	flags   []string        // by row: what it has there
	present map[uint32]bool // every UID from the floor on
	spare   []known         // those that are neither in the ledger nor one of the rows
	ours    int             // ledger rows from the floor on that are there no more
}

// identityWants is all that can be asked of a message without its body.
const identityWants = imapx.WantIdentity | imapx.WantDate | imapx.WantSize | imapx.WantFlags

// What the different flag sets of one folder may need while it is surveyed, in bytes; mail has few.
const (
	maxFlagSets = 16 << 20
	flagSetCost = 128 // beside the text
)

// survey lists a folder's messages as far as they can be told apart without their bodies.
func survey(ctx context.Context, s Source, folder string, uidValidity uint32, uids imap.UIDSet) ([]known, imapx.VisitResult, error) {
	var out []known
	sets := make(map[string]string) // few flag sets, many messages
	room := maxFlagSets
	res, err := s.Visit(ctx, imapx.Visit{Folder: folder, UIDValidity: uidValidity, Reads: []imapx.Read{{UIDs: uids, Want: identityWants}}},
		imapx.VisitHandler{Message: func(_ int, m imapx.Message) error {
			k := known{uid: uint32(m.UID), size: m.Size, date: believed(unixOf(m.Date))}
			k.fp, k.named = fingerprintOf(m.Header)
			text := flagText(m.Flags)
			if _, ok := sets[text]; !ok {
				if room -= len(text) + flagSetCost; room < 0 {
					return &imapx.Error{Op: "UID FETCH", Folder: folder, Kind: imapx.KindProtocol, Scope: imapx.ScopeFolder,
						Text: fmt.Sprintf("the flags of its messages need more than %d MiB", maxFlagSets>>20)}
				}
				sets[text] = text
			}
			k.flags = sets[text]
			out = append(out, k)
			return nil
		}})
	// What the server lists and tells nothing of is there all the same: it is asked for with the rest, and told.
	for uid := range res.Failed {
		fp, named := fingerprintOf(nil)
		out = append(out, known{uid: uint32(uid), fp: fp, named: named})
	}
	return out, res, err
}

// digests reads the bodies of the given messages and fills in their digests. A message that vanished keeps zero, and so
// does one that the server could not give: that is told with its reason.
func digests(ctx context.Context, s Source, folder string, uidValidity uint32, list []known, at []int) (map[imap.UID]error, error) {
	place := make(map[uint32]int, len(at))
	var set imap.UIDSet
	for _, i := range at {
		if list[i].digest == (key{}) {
			place[list[i].uid] = i
			set.AddNum(imap.UID(list[i].uid))
		}
	}
	if len(set) == 0 {
		return nil, nil
	}
	res, err := s.Visit(ctx, imapx.Visit{Folder: folder, UIDValidity: uidValidity, Reads: []imapx.Read{{UIDs: set, Want: imapx.WantBody}}},
		imapx.VisitHandler{
			Alloc: func(_ context.Context, size int64) (imapx.Body, error) { return newDigestOnly(size), nil },
			Message: func(_ int, m imapx.Message) error {
				if i, ok := place[uint32(m.UID)]; ok {
					list[i].digest = m.Body.(*digestOnly).sum.digest()
				}
				return nil
			},
		})
	return res.Failed, err
}

// rowsKnown gives ledger rows the form that is matched.
func rowsKnown(rows []state.Row) []known {
	nameless, _ := fingerprintOf(nil)
	out := make([]known, len(rows))
	for i, r := range rows {
		out[i] = known{uid: r.SourceUID, fp: r.Fingerprint, named: r.Fingerprint != nameless, size: r.Size,
			date: believed(r.Date), digest: r.Digest, flags: r.Flags}
	}
	return out
}

// locate finds the given messages among those that the target folder has from the floor on and the ledger does
// not know. What the fingerprint leaves open, and every message that no row explains while rows are missing, is
// decided by the bytes: a server may show a header field differently.
func (p *pass) locate(ctx context.Context, dst Target, pair state.Pair, uidValidity, floor uint32, rows []state.Row) (located, error) {
	out := located{uids: make([]uint32, len(rows)), flags: make([]string, len(rows)), present: make(map[uint32]bool)}
	there, res, err := survey(ctx, dst, pair.Target, uidValidity, from(max(floor, 1)))
	if err != nil {
		return out, err
	}
	out.opened = res.Opened
	inLedger, err := p.carriedTo(ctx, pair.Target, uidValidity, floor)
	if err != nil {
		return out, err
	}
	var free []known
	for _, k := range there {
		out.present[k.uid] = true
		if !inLedger[k.uid] {
			free = append(free, k)
		}
	}
	for uid := range inLedger {
		if !out.present[uid] {
			out.ours++
		}
	}
	couples, err := identify(ctx, dst, pair.Target, uidValidity, rowsKnown(rows), free)
	if err != nil {
		return out, err
	}
	used := make(map[int]bool)
	for _, c := range couples {
		out.uids[c.a], out.flags[c.a], used[c.b] = free[c.b].uid, free[c.b].flags, true
	}
	for i, k := range free {
		if !used[i] {
			out.spare = append(out.spare, k)
		}
	}
	return out, nil
}

// identify matches rows, whose digests are known, with messages of a target folder.
func identify(ctx context.Context, dst Source, folder string, uidValidity uint32, rows, there []known) ([]couple, error) {
	sure, _, _ := matchSure(rows, there)
	restA, restB := unmatched(sure, len(rows), len(there))
	if len(restA) == 0 || len(restB) == 0 {
		return sure, nil
	}
	if _, err := digests(ctx, dst, folder, uidValidity, there, restB); err != nil {
		return nil, err
	}
	return append(sure, matchDigests(rows, there, restA, restB)...), nil
}

// unmatched gives the indexes that no couple has.
func unmatched(couples []couple, lenA, lenB int) (a, b []int) {
	ua, ub := make([]bool, lenA), make([]bool, lenB)
	for _, c := range couples {
		ua[c.a], ub[c.b] = true, true
	}
	return where(ua, false), where(ub, false)
}

// where gives the places of v.
func where(list []bool, v bool) (out []int) {
	for i, x := range list {
		if x == v {
			out = append(out, i)
		}
	}
	return out
}

// vanished counts the UIDs that the folder gave out from the floor on and that nothing explains: neither a
// message that is there nor a ledger row whose message its user took away.
func (l *located) vanished(floor uint32) int {
	next := uint32(l.opened.UIDNext)
	if next <= floor {
		return 0
	}
	return max(0, int(next-floor)-len(l.present)-l.ours)
}
