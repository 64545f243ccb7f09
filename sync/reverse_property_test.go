package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"

	"mailmove/state"
)

// bothWays is what the property knows of an account after its final pass: by content, what the source was given, what
// the target was given, and what its user deleted there of the source's.
type bothWays struct {
	*world
	ours, theirs map[string]int
	late         map[string]int // doubles that a tail found on the source, which it does not write to
	told         map[string]bool
	fresh        map[string]int  // what the source got since the last tail, by content
	touched      map[string]bool // contents that people moved or deleted on the target
	given        map[string]bool // contents of the source with their dates
}

// ambiguous is true where the rules take a new message of the source for one that is there already: where people moved
// equal bytes into its folder on the target, and where bytes and date are those of a message that they moved or deleted.
func (w *bothWays) ambiguous(folder string, date time.Time, content string) bool {
	stamp := content + date.String()
	before := w.given[stamp]
	w.given[stamp] = true
	return w.dst.holds(folder, content) > w.src.holds(folder, content) || before && w.touched[content]
}

func (s *fakeServer) holds(folder, content string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.folders[folder]; f != nil {
		for _, m := range f.messages {
			if string(m.data) == content {
				n++
			}
		}
	}
	return n
}

func (w *bothWays) tail() {
	w.pass()
	clear(w.fresh)
}

// lookedByTail is the last look of a pass that only reads the source: what landed late stays there, and is told.
func (w *bothWays) lookedByTail(t *rapid.T) {
	w.pass()
	late := 0
	src := w.src.total()
	for c, n := range w.theirs {
		w.late[c] = max(0, src[c]-n)
		late += w.late[c]
	}
	w.ledger(func(ctx context.Context, st *state.File) {
		list, err := st.Exceptions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Reason == reasonLateDouble { // it stays until the message leaves its folder
				w.told[fmt.Sprint(e.Pair, e.UID, e.FirstPass)] = true
			}
		}
	})
	if len(w.told) < late {
		t.Fatalf("%d late doubles on the source, %d told", late, len(w.told))
	}
}

// total counts a server's messages by content, whatever their folder.
func (s *fakeServer) total() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int)
	for _, f := range s.folders {
		for _, m := range f.messages {
			out[string(m.data)]++
		}
	}
	return out
}

// loses makes a server lose the connections of some batches.
func loses(t *rapid.T, s *fakeServer) {
	fates := make([]fate, 3)
	for i := range fates {
		fates[i] = fate{dies: rapid.Bool().Draw(t, "dies"), stored: rapid.IntRange(0, 5).Draw(t, "stored"),
			when: landing(rapid.IntRange(0, 4).Draw(t, "when"))}
	}
	s.batches = 0
	s.lose = func(n int) fate {
		if n > len(fates) {
			return fate{}
		}
		return fates[n-1]
	}
}

// settled ends the losses: what is late lands.
func (w *bothWays) settled() {
	w.src.lose, w.dst.lose = nil, nil
	w.src.releaseAll()
	w.dst.releaseAll()
}

func (w *bothWays) back(t *rapid.T) {
	if r, err := w.reverse(); err != nil {
		t.Fatalf("reverse: %v %+v", err, r)
	}
}

// checkWays: everything is on both sides, as often as it was written, and what was deleted stays so.
func (w *bothWays) checkWays(t *rapid.T) {
	src, dst := w.src.total(), w.dst.total()
	for c, n := range w.ours {
		if src[c] != n || dst[c] != n-w.deleted[c] {
			t.Fatalf("of the source: %q was written %d times, %d of them deleted on the target: %d and %d\n%s", c, n, w.deleted[c], src[c], dst[c], w.notices())
		}
	}
	for c, n := range w.theirs {
		if src[c] != n+w.late[c] || dst[c] != n {
			t.Fatalf("of the target: %q was written %d times: %d and %d\n%s", c, n, src[c], dst[c], w.notices())
		}
	}
}

// TestBothWays lets people work on both sides after the final pass, while mail goes back and tails go on.
func TestBothWays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &bothWays{world: &world{bench: &bench{t: t, src: newFakeServer(100), dst: newFakeServer(5000)}, deleted: map[string]int{}},
			ours: map[string]int{}, theirs: map[string]int{}, late: map[string]int{}, told: map[string]bool{}, fresh: map[string]int{},
			touched: map[string]bool{}, given: map[string]bool{}}
		w.dir = tempDir(t)
		folder := rapid.SampledFrom([]string{"INBOX", "A", "A/B"})
		given := func(t *rapid.T, s *fakeServer, by map[string]int, from int) {
			id, version := from+rapid.IntRange(0, 4).Draw(t, "id"), rapid.IntRange(0, 1).Draw(t, "version")
			if from > 0 { // what agrees in every byte and in its date is taken for one message where people move it
				id, version = from, len(by)
			}
			// Versions differ in size and in date: where one of these agrees, the rules take two messages for one.
			c := letterOf(id, "version "+strings.Repeat("x", version))
			date := day.AddDate(0, 0, version).Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "hours")) * time.Hour)
			f := folder.Draw(t, "folder")
			if s == w.src {
				if w.ambiguous(f, date, c) {
					return
				}
				w.fresh[c]++
			}
			s.add(f, date, c, imap.FlagSeen)
			by[c]++
		}
		for range rapid.IntRange(0, 10).Draw(t, "at first") {
			given(t, w.src, w.ours, 0)
		}
		if rapid.Bool().Draw(t, "junk before") {
			w.dst.add("Junk", day, letterOf(999, "was there before"))
		}
		w.mustFinal()
		clear(w.fresh)
		t.Repeat(map[string]func(*rapid.T){
			"new on the source": func(t *rapid.T) { given(t, w.src, w.ours, 0) },
			"new on the target": func(t *rapid.T) { given(t, w.dst, w.theirs, 100) },
			"moved on the source": func(t *rapid.T) {
				if f, uid, _, ok := one(t, w.src); ok {
					if to := folder.Draw(t, "to"); to != f {
						w.src.move(f, uid, to)
					}
				}
			},
			"moved on the target": func(t *rapid.T) {
				if f, uid, c, ok := one(t, w.dst); ok && f != "Junk" {
					if to := rapid.SampledFrom([]string{"INBOX", "A", "A/B", "Mine"}).Draw(t, "to"); to != f && w.fresh[c] == 0 {
						w.touched[c] = true
						w.dst.move(f, uid, to)
					}
				}
			},
			"deleted on the target": func(t *rapid.T) {
				if f, uid, c, ok := one(t, w.dst); ok && w.ours[c] > 0 && w.fresh[c] == 0 {
					w.touched[c] = true
					w.dst.expunge(f, uid)
					w.deleted[c]++
				}
			},
			"tail": func(*rapid.T) { w.tail() },
			"back": func(t *rapid.T) { w.back(t) },
			"tail with losses": func(t *rapid.T) {
				loses(t, w.dst)
				w.pass()
				w.settled()
				if _, err := w.reverse(); err != nil && !errors.Is(err, ErrForwardOpen) {
					t.Fatal(err)
				}
				w.tail() // the last look
			},
			"back with losses": func(t *rapid.T) {
				loses(t, w.src)
				w.back(t)
				w.settled()
				if rapid.Bool().Draw(t, "a tail looks last") {
					w.lookedByTail(t)
				} else {
					w.back(t)
				}
			},
			"": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "look") > 0 {
					return
				}
				w.pass()
				w.back(t)
				w.tail()
				w.checkWays(t)
			},
		})
	})
}
