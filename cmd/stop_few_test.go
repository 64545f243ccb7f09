//go:build !e2e

package cmd

import "mailmove/imapx/imaptest"

// Passes are stopped at so many moments; make e2e takes more, with more mail.
const (
	stopMoments = 3
	stopPreset  = imaptest.Small // 166 kB
	stopRate    = 30 << 10       // bytes a second
)

func stopSeed() uint64 { return 1 }
