package verify

import (
	"crypto/sha256"

	mailsync "mailmove/sync"
)

// couple are the places of a message in both lists.
type couple struct {
	a, b  int
	doubt bool // only their bytes can tell whether they are the same
}

// byLedger pairs what the ledger says belongs together, where both sides agree with it. What it says and they do not is
// given apart: one of the two was altered, unless another partner is nearer.
func byLedger(src, dst []rec, carriedAs func(*rec) uint32) (sure, claimed []couple) {
	at := make(map[uint32]int, len(dst))
	for i := range dst {
		at[dst[i].uid] = i
	}
	for i := range src {
		uid := carriedAs(&src[i])
		b, ok := at[uid]
		if uid == 0 || !ok || dst[b].mated {
			continue
		}
		c := couple{a: i, b: b}
		s, t := &src[i], &dst[b]
		if s.failed || t.failed || s.fp != t.fp || s.date != t.date || unlike(s, t) {
			claimed = append(claimed, c)
			continue
		}
		src[i].mated, dst[b].mated = true, true
		sure = append(sure, c)
	}
	return sure, claimed
}

// unlike reports that the bytes, or the sizes where nothing else is known, are not the same. A server's word for a size
// is a hint (some count line ends as one byte): bytes decide.
func unlike(s, t *rec) bool {
	if s.hashed && t.hashed {
		return s.exact != t.exact
	}
	return s.size != t.size && s.size != 0 && t.size != 0
}

// likeness is what two messages have in common; what does not count is zero.
type likeness struct {
	fp    mailsync.Print
	exact [sha256.Size]byte
	size  int64
	date  int64
	flags string
}

// tiers are likenesses, the nearest first: messages that have one are paired before those that have the next. ok is
// false for a message that has nothing to go by in it.
func tiers() []func(k *rec) (l likeness, ok bool) {
	return []func(k *rec) (likeness, bool){
		func(k *rec) (likeness, bool) { return likeness{k.fp, k.exact, 0, k.date, k.flags}, k.hashed },
		func(k *rec) (likeness, bool) { return likeness{k.fp, k.exact, 0, k.date, ""}, k.hashed },
		func(k *rec) (likeness, bool) { return likeness{k.fp, k.exact, 0, 0, ""}, k.hashed },
		func(k *rec) (likeness, bool) {
			return likeness{k.fp, [32]byte{}, k.size, k.date, k.flags}, k.named || !k.hashed
		},
		func(k *rec) (likeness, bool) {
			return likeness{k.fp, [32]byte{}, k.size, k.date, ""}, k.named || !k.hashed
		},
		func(k *rec) (likeness, bool) { return likeness{k.fp, [32]byte{}, k.size, 0, ""}, k.named },
		func(k *rec) (likeness, bool) {
			return likeness{k.fp, [32]byte{}, 0, k.date, ""}, k.named && k.date != 0
		},
		func(k *rec) (likeness, bool) { return likeness{fp: k.fp}, k.named },
	}
}

// certain is how many of the tiers are needed where two messages are looked for that nothing else connects.
const certain = 7

// byFingerprint pairs what is left as multisets, by the first of the tiers.
func byFingerprint(src, dst []rec, first int) (out []couple) {
	for _, tier := range tiers()[:first] {
		free := make(map[likeness][]int)
		for i := range dst {
			if l, ok := tier(&dst[i]); ok && !dst[i].mated && !dst[i].failed {
				free[l] = append(free[l], i)
			}
		}
		for i := range src {
			s := &src[i]
			if len(free) == 0 || s.mated || s.failed {
				continue
			}
			l, ok := tier(s)
			list := free[l]
			if !ok || len(list) == 0 {
				continue
			}
			b := list[0]
			free[l] = list[1:]
			s.mated, dst[b].mated = true, true
			out = append(out, couple{i, b, unlike(s, &dst[b])})
		}
	}
	return out
}

// nameless are the messages of a list that nothing but their bytes tells apart.
func nameless(list []rec) (at []int) {
	for i := range list {
		if k := &list[i]; !k.mated && !k.named && !k.failed && !k.hashed {
			at = append(at, i)
		}
	}
	return at
}
