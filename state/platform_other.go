//go:build !unix

package state

// alive takes every process for a living one.
func alive(int) bool { return true }
