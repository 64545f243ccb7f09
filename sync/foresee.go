package sync

import "context"

// A dry run looks for what people moved and took away as the pass does, and remembers here what the pass would write
// into the state.

// foreseen is what the review and moves would settle before mail is carried.
type foreseen struct {
	absent map[int64]map[uint32]bool // ledger rows, by pair and source UID: their copy is gone or moved
	known  map[*job]map[uint32]bool  // new messages that need no copy, by source UID
	left   []lost                    // rows whose messages are nowhere on the source any more
}

func newForeseen() foreseen {
	return foreseen{absent: make(map[int64]map[uint32]bool), known: make(map[*job]map[uint32]bool)}
}

func add[K comparable](m map[K]map[uint32]bool, k K, uids ...uint32) {
	if m[k] == nil {
		m[k] = make(map[uint32]bool)
	}
	for _, uid := range uids {
		m[k][uid] = true
	}
}

// foretell is a dry run's way through a pass.
func (a *attempt) foretell(ctx context.Context, jobs []*job) error {
	for _, step := range []func(context.Context, []*job) error{a.review, a.followMoves, a.askAgain, a.purge} {
		if err := step(ctx, jobs); err != nil || a.stopped() {
			return err
		}
	}
	return a.preview(ctx, jobs)
}
