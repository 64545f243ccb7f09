package state

import (
	"os"
	"path/filepath"
)

// SQLite's write-ahead log needs shared memory between processes, and our lock needs the kernel's: file systems
// that reach another machine promise neither (https://sqlite.org/wal.html, https://sqlite.org/faq.html#q5).

// existing gives the nearest folder above path, or path itself, that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			return path
		}
		path = parent
	}
}
