package sync

import (
	"errors"
	"fmt"
)

// Budget bounds the message bodies in memory, and those that wait on disk, over all passes that it is given to. Whoever waits
// for room first makes all of them send what they hold, so that no two passes wait for each other.
type Budget struct{ shared *budget }

// NewBudget makes a budget of so many bytes, of which half is for bodies; at least 16 MiB.
func NewBudget(memory int64) (*Budget, error) {
	if memory < smallestMemory {
		return nil, fmt.Errorf("memory of %d bytes is too small: at least %d", memory, smallestMemory)
	}
	return &Budget{newBudget(memory / 2)}, nil
}

// budget is the one that was given, or one of the pass's own.
func (o *Options) budget() *budget {
	if o.Budget != nil {
		return o.Budget.shared
	}
	return newBudget(o.Memory / 2)
}

// ErrNoLane is what ConnectSource and ConnectTarget return where the run has no further connection to spare. A pass
// that has one goes on with it, and says nothing of it.
var ErrNoLane = errors.New("no further connection to spare")
