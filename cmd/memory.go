package cmd

import (
	"os"
	"runtime/debug"
)

// besideBodies is the heap that a pass has beside the bodies that --memory bounds: buffers of connections, lists of
// UIDs, rows on their way to the state.
const besideBodies = 24 << 20

// boundHeap lets the heap grow up to what --memory allows before it is collected, and collects harder from there on. Most
// of the heap is bodies on their way: collecting it whenever it has doubled costs a tenth of a pass. What somebody
// set for the Go runtime stays.
func boundHeap(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory + besideBodies)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}
