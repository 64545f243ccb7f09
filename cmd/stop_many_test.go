//go:build e2e

package cmd

import (
	"os"
	"strconv"

	"mailmove/imapx/imaptest"
)

// Passes are stopped at so many moments, which MAILMOVE_E2E_SEED chooses.
const (
	stopMoments = 10
	stopPreset  = imaptest.S // 42 MB
	stopRate    = 7 << 20    // bytes a second
)

func stopSeed() uint64 {
	seed, _ := strconv.ParseUint(os.Getenv("MAILMOVE_E2E_SEED"), 10, 64) // 0 without
	return seed
}
