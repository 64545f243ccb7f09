package state

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzUnpack: a damaged value never panics and never takes more memory than it has bytes for; what is read
// is written again the same way.
func FuzzUnpack(f *testing.F) {
	f.Add(packRows(maybe(testRows(1, 5))))
	f.Add([]byte{packFormat, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{packFormat, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := unpackRows(b)
		if err != nil {
			return
		}
		again, err := unpackRows(packRows(rows))
		must(t, err)
		if !slices.Equal(rows, again) {
			t.Errorf("%v became %v", rows, again)
		}
	})
}

func TestUIDRanges(t *testing.T) {
	for want, uids := range map[string][]uint32{
		"1:3,7":          {1, 2, 3, 7},
		"9,8":            {9, 8},
		"4294967295,0:1": {1<<32 - 1, 0, 1},
		"5":              {5},
	} {
		rows := make([]Row, len(uids))
		for i := range uids {
			rows[i].SourceUID = uids[i]
		}
		if got := uidRanges(rows); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// model is what the file should hold.
type model struct {
	rows    map[uint32]Row
	owner   map[uint32]int64 // by source UID: the window that recorded the row last, 0 for none
	windows map[int64]Window
	order   []int64
}

func newModel() *model {
	return &model{rows: map[uint32]Row{}, owner: map[uint32]int64{}, windows: map[int64]Window{}}
}

func (m *model) put(r Row, window int64) { m.rows[r.SourceUID], m.owner[r.SourceUID] = r, window }

func (m *model) drop(id int64) {
	delete(m.windows, id)
	m.order = slices.DeleteFunc(m.order, func(o int64) bool { return o == id })
}

// expected gives a window as Windows should. A message that a later window or a match recorded again is the
// later one's.
func (m *model) expected(id int64) Window {
	w := m.windows[id]
	w.Rows = slices.Clone(w.Rows)
	for i, r := range w.Rows {
		if done, ok := m.rows[r.SourceUID]; ok && m.owner[r.SourceUID] == id {
			w.Rows[i].TargetUID, w.Rows[i].Status = done.TargetUID, done.Status
		}
	}
	return w
}

// TestLedgerAgainstModel runs random operations and compares everything that can be read with a plain map,
// across closing and opening the file.
func TestLedgerAgainstModel(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	f := openTest(t, dir)
	pair := testPair(t, f, "INBOX")
	other := testPair(t, f, "Other") // must never be touched
	must(t, f.PutRows(ctx, other, testRows(1, 700)))
	m := newModel()
	some := func() []Row { // distinct UIDs, in no order
		rows := make([]Row, 0, 120)
		for _, uid := range r.Perm(900)[:1+r.IntN(119)] {
			row := testRow(uint32(uid) + 1)
			row.TargetUID, row.Status = r.Uint32N(5000), Status(r.IntN(5))
			rows = append(rows, row)
		}
		return rows
	}
	for range 300 {
		switch op := r.IntN(12); {
		case op < 3 || len(m.order) == 0:
			w := Window{Pair: pair, Pass: 1, UIDValidity: r.Uint32(), Floor: r.Uint32(), Rows: maybe(some())}
			for i := range w.Rows {
				w.Rows[i].Status = Stored
			}
			must(t, f.Intend(ctx, &w))
			m.windows[w.ID], m.order = w, append(m.order, w.ID)
		case op < 6:
			id := m.order[r.IntN(len(m.order))]
			rows, done := slices.Clone(m.windows[id].Rows), r.IntN(2) == 0
			rows = rows[:1+r.IntN(len(rows))]
			for i := range rows {
				rows[i].TargetUID = 1 + r.Uint32N(5000)
				m.put(rows[i], id)
			}
			must(t, f.Record(ctx, id, rows, done))
			if done {
				m.drop(id)
			}
		case op == 6:
			rows := some()
			must(t, f.PutRows(ctx, pair, rows))
			for _, row := range rows {
				m.put(row, 0)
			}
		case op == 7:
			flags := map[uint32]string{}
			for _, row := range some() {
				flags[row.SourceUID] = []string{"", `\Flagged`, "$Label1 NonJunk"}[r.IntN(3)]
				if known, ok := m.rows[row.SourceUID]; ok {
					known.Flags = flags[row.SourceUID]
					m.rows[row.SourceUID] = known
				}
			}
			must(t, f.SetFlags(ctx, pair, flags))
		case op == 8:
			id := m.order[r.IntN(len(m.order))]
			if w := m.windows[id]; r.IntN(2) == 0 {
				w.State = WindowWatched
				m.windows[id] = w
				must(t, f.SetWindow(ctx, id, WindowWatched))
			} else {
				must(t, f.CloseWindow(ctx, id))
				m.drop(id)
			}
		case op == 9:
			uids, status := sourceUIDs(some()), Status(1+r.IntN(4))
			must(t, f.SetStatus(ctx, pair, uids, status))
			for _, uid := range uids {
				if known, ok := m.rows[uid]; ok {
					known.Status, known.TargetUID = status, 0
					m.rows[uid] = known
				}
			}
		case op == 10:
			uids := sourceUIDs(some())
			must(t, f.DropRows(ctx, pair, uids))
			for _, uid := range uids {
				delete(m.rows, uid)
				delete(m.owner, uid)
			}
		default:
			must(t, f.Close())
			f = openTest(t, dir)
		}
		compare(t, f, pair, m, r)
		if t.Failed() {
			return
		}
	}
	checkRows(t, f, other, 700)
}

func sourceUIDs(rows []Row) []uint32 {
	var uids []uint32
	for _, r := range rows {
		uids = append(uids, r.SourceUID)
	}
	return uids
}

func compare(t *testing.T, f *File, pair int64, m *model, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	from := r.Uint32N(900)
	uids := slices.Sorted(maps.Keys(m.rows))
	uids = slices.DeleteFunc(uids, func(uid uint32) bool { return uid < from })
	var rows []Row
	must(t, f.Rows(ctx, pair, from, func(r Row) error { rows = append(rows, r); return nil }))
	got, err := f.SourceUIDs(ctx, pair, from)
	must(t, err)
	byUID, err := f.RowsBySource(ctx, pair, append(uids, 5000, 0))
	must(t, err)
	if !slices.Equal(got, uids) || len(rows) != len(uids) || len(byUID) != len(uids) {
		t.Fatalf("%d UIDs, %d rows, %d by UID, want %d", len(got), len(rows), len(byUID), len(uids))
	}
	for i, uid := range uids {
		if rows[i] != m.rows[uid] || byUID[uid] != m.rows[uid] {
			t.Fatalf("%+v and %+v, want %+v", rows[i], byUID[uid], m.rows[uid])
		}
	}
	checkRows(t, f, pair, int64(len(m.rows)))
	all := slices.Sorted(maps.Keys(m.rows))
	for s := Stored; s <= Deferred; s++ {
		want := slices.DeleteFunc(slices.Clone(all), func(uid uint32) bool { return m.rows[uid].Status != s })
		var got []Row
		must(t, f.RowsByStatus(ctx, pair, s, func(r Row) error { got = append(got, r); return nil }))
		if !slices.EqualFunc(got, want, func(r Row, uid uint32) bool { return r == m.rows[uid] }) {
			t.Fatalf("%d rows that are %v, want %d", len(got), s, len(want))
		}
	}
	floor, above := r.Uint32N(5000), 0
	for _, row := range m.rows {
		if row.TargetUID > 0 && row.TargetUID >= floor {
			above++
		}
	}
	targets, err := f.RowsByTarget(ctx, pair, floor)
	must(t, err)
	if len(targets) != above || !slices.IsSortedFunc(targets, func(a, b Row) int { return int(a.TargetUID) - int(b.TargetUID) }) {
		t.Fatalf("%d rows from target UID %d, want %d", len(targets), floor, above)
	}
	windows, err := f.Windows(ctx)
	must(t, err)
	if len(windows) != len(m.order) {
		t.Fatalf("%d windows, want %d", len(windows), len(m.order))
	}
	for i, id := range m.order {
		want := m.expected(id)
		g := windows[i]
		if g.ID != id || g.Pair != want.Pair || g.State != want.State || g.Floor != want.Floor || g.UIDValidity != want.UIDValidity || !slices.Equal(g.Rows, want.Rows) {
			t.Fatalf("window %+v, want %+v", g, want)
		}
	}
}

func TestWindowErrors(t *testing.T) {
	ctx, f := context.Background(), openTest(t, t.TempDir())
	pair := testPair(t, f, "INBOX")
	if err := f.Intend(ctx, &Window{Pair: pair}); err == nil {
		t.Error("an empty window")
	}
	if err := f.Record(ctx, 99, testRows(1, 2), true); err == nil {
		t.Error("a window that is not there was recorded")
	}
	if err := f.SetWindow(ctx, 99, WindowWatched); err == nil {
		t.Error("a window that is not there was set")
	}
	must(t, f.CloseWindow(ctx, 99))
	w := Window{Pair: pair, Rows: maybe(testRows(1, 60))}
	must(t, f.Intend(ctx, &w))
	bad := testRows(1, 60)
	bad[55].SourceUID = 0
	if err := f.PutRows(ctx, pair, bad); err == nil {
		t.Error("source UID 0 was stored")
	}
	checkRows(t, f, pair, 0) // nothing of the failed one
	windows, err := f.Windows(ctx)
	must(t, err)
	if len(windows) != 1 {
		t.Errorf("%d windows", len(windows))
	}
	next := Window{Pair: pair, Rows: maybe(testRows(61, 90))}
	must(t, f.Advance(ctx, w.ID, testRows(1, 60), true, &next))
	windows, err = f.Windows(ctx)
	must(t, err)
	checkRows(t, f, pair, 60)
	if len(windows) != 1 || windows[0].ID != next.ID || next.ID == w.ID || !bytes.Equal(packRows(windows[0].Rows), packRows(next.Rows)) {
		t.Errorf("%+v", windows)
	}
}
