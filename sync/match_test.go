package sync

import (
	"fmt"
	"slices"
	"testing"
)

func k(fp byte, size, date int64, digest byte) known {
	m := known{fp: key{fp}, named: fp != 0, size: size, date: date}
	if digest != 0 {
		m.digest = key{digest}
	}
	return m
}

func TestMatchSure(t *testing.T) {
	cases := []struct {
		name   string
		a, b   []known
		sure   int
		doubtA int
		doubtB int
	}{
		{"size agrees", []known{k(1, 10, 5, 0)}, []known{k(1, 10, 6, 0)}, 1, 0, 0},
		{"date agrees, a server added a header", []known{k(1, 10, 5, 0)}, []known{k(1, 99, 5, 0)}, 1, 0, 0},
		{"neither: two versions of a draft", []known{k(1, 10, 5, 0)}, []known{k(1, 11, 6, 0)}, 0, 1, 1},
		{"unknown sizes and dates prove nothing", []known{k(1, 0, 0, 0)}, []known{k(1, 0, 0, 0)}, 0, 1, 1},
		{"two on one side", []known{k(1, 10, 5, 0), k(1, 10, 5, 0)}, []known{k(1, 10, 5, 0)}, 0, 2, 1},
		{"nameless", []known{k(0, 10, 5, 0)}, []known{k(0, 10, 5, 0)}, 0, 1, 1},
		{"nothing in common", []known{k(1, 10, 5, 0)}, []known{k(2, 10, 5, 0)}, 0, 0, 0},
	}
	for _, c := range cases {
		sure, da, db := matchSure(c.a, c.b)
		if len(sure) != c.sure || len(da) != c.doubtA || len(db) != c.doubtB {
			t.Errorf("%s: sure %v, doubts %v and %v", c.name, sure, da, db)
		}
	}
}

func TestMatchDigestsIsAMultiset(t *testing.T) {
	a := []known{k(1, 0, 5, 7), k(1, 0, 6, 7), k(1, 0, 6, 8), k(1, 0, 0, 0)}
	b := []known{k(1, 0, 6, 7), k(1, 0, 9, 7), k(1, 0, 5, 7), k(1, 0, 0, 0)}
	got := matchDigests(a, b, []int{0, 1, 2, 3}, []int{0, 1, 2, 3})
	slices.SortFunc(got, func(x, y couple) int { return x.a - y.a })
	if s := fmt.Sprint(got); s != "[{0 2} {1 0}]" {
		t.Errorf("got %s: equal bytes go with equal dates, each message once, a zero digest with nothing", s)
	}
}
