//go:build unix

package cause

import (
	"errors"
	"syscall"
)

// isFull tells a disk or a quota that is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
