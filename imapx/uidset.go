package imapx

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// maxSetText bounds a UID set in a command, in bytes: some servers take lines of 8 KiB only (RFC 7162 section 4).
const maxSetText = 4000

// subtract gives the UIDs of a that are not in b. An open end (`n:*`) stays open.
func subtract(a, b imap.UIDSet) imap.UIDSet {
	if len(b) == 0 {
		return a
	}
	var out imap.UIDSet
	bs := ordered(b)
	for _, r := range ordered(a) {
		from, to := uint64(r.Start), uint64(r.Stop)
		for len(bs) > 0 && uint64(bs[0].Stop) < from {
			bs = bs[1:]
		}
		for _, x := range bs {
			if uint64(x.Start) > to {
				break
			}
			if uint64(x.Start) > from {
				out = append(out, closed(from, uint64(x.Start)-1))
			}
			from = uint64(x.Stop) + 1
		}
		if from <= to {
			out = append(out, closed(from, to))
		}
	}
	return reopen(out, a)
}

// intersect gives the UIDs that are in both.
func intersect(a, b imap.UIDSet) imap.UIDSet {
	var out imap.UIDSet
	as, bs := ordered(a), ordered(b)
	for i, j := 0, 0; i < len(as) && j < len(bs); {
		from, to := max(as[i].Start, bs[j].Start), min(as[i].Stop, bs[j].Stop)
		if from <= to {
			out = append(out, imap.UIDRange{Start: from, Stop: to})
		}
		if as[i].Stop < bs[j].Stop {
			i++
		} else {
			j++
		}
	}
	return out
}

// ordered gives the set's ranges ascending, joined where they touch, with `*` as the largest UID. A set made by AddNum
// and AddRange has that order already.
func ordered(s imap.UIDSet) imap.UIDSet {
	var out imap.UIDSet
	for i, r := range s {
		if r.Stop == 0 {
			r.Stop = math.MaxUint32
		}
		if r.Start == 0 {
			r.Start = math.MaxUint32
		}
		if r.Start > r.Stop {
			r.Start, r.Stop = r.Stop, r.Start
		}
		if i > 0 && len(out) > 0 && r.Start <= out[len(out)-1].Stop {
			return sorted(s)
		}
		if n := len(out); n > 0 && out[n-1].Stop+1 == r.Start {
			out[n-1].Stop = r.Stop
			continue
		}
		out = append(out, r)
	}
	return out
}

// sorted is ordered for a set in any order. A server may answer with a million UIDs from the highest down: one sort, not
// an insertion for each.
func sorted(s imap.UIDSet) imap.UIDSet {
	all := make(imap.UIDSet, 0, len(s))
	for _, r := range s {
		if r.Stop == 0 {
			r.Stop = math.MaxUint32
		}
		if r.Start == 0 {
			r.Start = math.MaxUint32
		}
		all = append(all, imap.UIDRange{Start: min(r.Start, r.Stop), Stop: max(r.Start, r.Stop)})
	}
	slices.SortFunc(all, func(a, b imap.UIDRange) int { return cmp.Compare(a.Start, b.Start) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && uint64(r.Start) <= uint64(out[n-1].Stop)+1 {
			out[n-1].Stop = max(out[n-1].Stop, r.Stop)
			continue
		}
		out = append(out, r)
	}
	return out
}

func closed(from, to uint64) imap.UIDRange {
	return imap.UIDRange{Start: imap.UID(from), Stop: imap.UID(min(to, math.MaxUint32))}
}

// reopen writes the largest UID as `*` again where the set came with an open end.
func reopen(s, from imap.UIDSet) imap.UIDSet {
	if n := len(s); n > 0 && from.Dynamic() && s[n-1].Stop == math.MaxUint32 {
		s[n-1].Stop = 0
	}
	return s
}

// size counts the UIDs of a set; an open end counts to the largest UID.
func size(s imap.UIDSet) uint64 {
	var n uint64
	for _, r := range ordered(s) {
		n += uint64(r.Stop) - uint64(r.Start) + 1
	}
	return n
}

// cutSet takes at most n UIDs off the front, and no more than fit into a command.
func cutSet(s imap.UIDSet, n uint64) (head, rest imap.UIDSet) {
	rest = ordered(s)
	text := 0
	for len(rest) > 0 && n > 0 {
		r := rest[0]
		have := uint64(r.Stop) - uint64(r.Start) + 1
		if text += len(strconv.Itoa(int(r.Start))) + len(strconv.Itoa(int(r.Stop))) + 2; text > maxSetText {
			break
		}
		if have > n {
			head = append(head, closed(uint64(r.Start), uint64(r.Start)+n-1))
			rest = append(imap.UIDSet{closed(uint64(r.Start)+n, uint64(r.Stop))}, rest[1:]...)
			return head, rest
		}
		head, rest = append(head, r), rest[1:]
		n -= have
	}
	return head, rest
}

// brief gives a set that holds s and fits into a command: s itself, or from its first to its last UID.
func brief(s imap.UIDSet) imap.UIDSet {
	if len(s.String()) <= maxSetText {
		return s
	}
	o := ordered(s)
	return reopen(imap.UIDSet{{Start: o[0].Start, Stop: o[len(o)-1].Stop}}, s)
}

// parseSet reads a sequence-set of an ESEARCH answer; `*` has no place there.
func parseSet(text string) (imap.UIDSet, error) {
	var s imap.UIDSet
	for _, part := range strings.Split(text, ",") {
		a, b, ranged := strings.Cut(part, ":")
		if !ranged {
			b = a
		}
		from, err1 := strconv.ParseUint(a, 10, 32)
		to, err2 := strconv.ParseUint(b, 10, 32)
		if err1 != nil || err2 != nil || from == 0 || to == 0 {
			return nil, wire.Malformed("UID set %.40q", part)
		}
		s = append(s, closed(min(from, to), max(from, to)))
	}
	return ordered(s), nil
}
