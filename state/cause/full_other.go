//go:build !unix

package cause

// isFull tells a disk that is full; here only SQLite's own code does.
func isFull(error) bool { return false }
