//go:build !unix

package fleet

// isFull tells a disk that is full; here only SQLite's own code does.
func isFull(error) bool { return false }
