package verify

import (
	"slices"
	"testing"

	"mailmove/state"
)

// letter is a message of one fingerprint; text 0: its bytes were not read.
func letter(uid uint32, text byte, date int64) rec {
	k := rec{uid: uid, named: true, size: 100, date: date, hashed: text != 0}
	k.exact[0] = text
	return k
}

// TestTwins: among messages with one fingerprint those go together that are nearest, whatever the ledger says of them.
func TestTwins(t *testing.T) {
	swapped := map[uint32]uint32{1: 12, 2: 11}
	for name, c := range map[string]struct {
		src, dst []rec
		want     []couple
	}{
		"bytes": {[]rec{letter(1, 'a', 5), letter(2, 'b', 5)}, []rec{letter(11, 'a', 5), letter(12, 'b', 5)},
			[]couple{{0, 0, false}, {1, 1, false}}},
		"dates": {[]rec{letter(1, 0, 5), letter(2, 0, 6)}, []rec{letter(11, 0, 5), letter(12, 0, 6)},
			[]couple{{0, 0, false}, {1, 1, false}}},
		"one altered": {[]rec{letter(1, 'a', 5), letter(2, 'b', 5)}, []rec{letter(11, 'c', 5), letter(12, 'b', 5)},
			[]couple{{0, 0, true}, {1, 1, false}}},
		"the ledger alone": {[]rec{letter(1, 0, 5), letter(2, 0, 5)}, []rec{letter(11, 0, 5), letter(12, 0, 5)},
			[]couple{{0, 1, false}, {1, 0, false}}},
	} {
		sure, claimed := byLedger(c.src, c.dst, func(k *rec) uint32 { return swapped[k.uid] })
		got := append(sure, byFingerprint(c.src, c.dst, len(tiers()))...)
		slices.SortFunc(got, func(x, y couple) int { return x.a - y.a })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (claimed %v), want %v", name, got, claimed, c.want)
		}
	}
}

// TestCertain: a likeness in the fingerprint alone is not enough for a message that was looked for elsewhere.
func TestCertain(t *testing.T) {
	a, b := []rec{letter(1, 'a', 5)}, []rec{letter(2, 'b', 6)}
	b[0].size = 99
	if got := byFingerprint(a, b, certain); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := byFingerprint(a, b, len(tiers())); len(got) != 1 || !got[0].doubt {
		t.Errorf("%v", got)
	}
}

// TestFlagWords: with the ledger it is known which side changed a flag.
func TestFlagWords(t *testing.T) {
	for _, c := range []struct {
		here, there, carried string
		known                bool
		want                 []Word
	}{
		{`\Seen a`, `A \Seen`, ``, false, nil},
		{`\Seen`, ``, ``, false, []Word{Altered}},
		{`\Seen`, ``, `\Seen`, true, []Word{Changed}},
		{`\Seen`, ``, ``, true, []Word{ArrivedSince}},
		{``, `\Seen`, ``, true, []Word{Changed}},
		{``, `\Seen`, `\Seen`, true, []Word{ArrivedSince}},
		{`x`, `y`, `x`, true, []Word{Changed, Changed}},
	} {
		l := &ledger{rows: [][]entry{nil}, known: []bool{c.known}}
		if c.known {
			l.rows[0] = []entry{{source: 1, flags: c.carried}}
		}
		x := &comparison{run: &run{}, group: group{{}}, ledger: l}
		var got []Word
		for _, f := range x.flagsDiffer(&rec{uid: 1, flags: c.here}, &rec{flags: c.there}) {
			got = append(got, f.word)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestMerged: of two messages that the target gave one UID, the one without a partner is known to be there.
func TestMerged(t *testing.T) {
	one, two, other := letter(1, 1, 1), letter(2, 1, 1), letter(3, 2, 1)
	one.mated = true
	there := letter(7, 1, 1)
	there.mated = true
	c := &comparison{src: []rec{one, two, other}, dst: []rec{there}, ledger: &ledger{target: true, rows: [][]entry{{
		{source: 1, target: 7, status: state.Stored}, {source: 2, target: 7, status: state.Stored}, {source: 3, target: 8, status: state.Stored}}}}}
	if !c.merged(&two) || c.merged(&other) {
		t.Errorf("merged %v, another message %v", c.merged(&two), c.merged(&other))
	}
	c.dst[0].uid = 6
	if c.merged(&two) {
		t.Error("merged into a message that is gone")
	}
}
