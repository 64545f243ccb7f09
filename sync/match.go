package sync

import "time"

// known is what is known of one message without its body: 40 bytes and a flag set, for matching whole folders.
type known struct {
	uid    uint32
	fp     key
	named  bool // the fingerprint has something to go by
	size   int64
	date   int64 // INTERNALDATE, Unix seconds, 0: none to believe
	digest key   // zero until it was needed
	flags  string
}

// unixOf keeps zero for "none".
func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// couple is a pair of indexes into two lists of known messages.
type couple struct{ a, b int }

// matchSure pairs what is the same beyond doubt without a body: alone with its fingerprint on both sides, and
// equal in size or INTERNALDATE. doubtA and doubtB are the rest of each side that shares a fingerprint with the
// other side, or has none to go by while the other side has such too: their bodies decide.
func matchSure(a, b []known) (sure []couple, doubtA, doubtB []int) {
	type group struct{ a, b []int }
	groups := make(map[key]*group)
	for i, m := range a {
		g := groups[m.fp]
		if g == nil {
			g = &group{}
			groups[m.fp] = g
		}
		g.a = append(g.a, i)
	}
	for i, m := range b {
		if g := groups[m.fp]; g != nil {
			g.b = append(g.b, i)
		}
	}
	for i, m := range a { // in a's order, so that the result does not depend on the map's
		g := groups[m.fp]
		if g == nil || len(g.b) == 0 {
			continue
		}
		if len(g.a) == 1 && len(g.b) == 1 && m.named && alike(m, b[g.b[0]]) {
			sure = append(sure, couple{i, g.b[0]})
		} else {
			doubtA = append(doubtA, g.a...)
			doubtB = append(doubtB, g.b...)
		}
		delete(groups, m.fp)
	}
	return sure, doubtA, doubtB
}

// alike is what two messages with one fingerprint need to be the same without a look at their bytes.
func alike(x, y known) bool {
	return x.size == y.size && x.size > 0 || x.date == y.date && x.date != 0
}

// matchDigests pairs the given messages as multisets of digests; among equal ones those with the same
// INTERNALDATE and flags go together first, then those with the same INTERNALDATE, so that a copy keeps its own.
// A zero digest matches nothing.
func matchDigests(a, b []known, ia, ib []int) []couple {
	free := make(map[key][]int)
	for _, i := range ib {
		if b[i].digest != (key{}) {
			free[b[i].digest] = append(free[b[i].digest], i)
		}
	}
	var out []couple
	for tier := 0; tier < 3; tier++ {
		var rest []int
		for _, i := range ia {
			list := free[a[i].digest]
			k := -1
			if a[i].digest != (key{}) {
				k = nearest(a[i], b, list, tier)
			}
			if k < 0 {
				rest = append(rest, i)
				continue
			}
			out = append(out, couple{i, list[k]})
			free[a[i].digest] = append(list[:k:k], list[k+1:]...)
		}
		ia = rest
	}
	return out
}

// nearest gives the place in list of the first message of b that is as near to m as the tier asks, or -1.
func nearest(m known, b []known, list []int, tier int) int {
	for k, i := range list {
		switch {
		case tier == 0 && (b[i].date != m.date || b[i].flags != m.flags):
		case tier == 1 && b[i].date != m.date:
		default:
			return k
		}
	}
	return -1
}
