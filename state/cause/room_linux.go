package cause

import (
	"os"
	"path/filepath"
	"syscall"
)

// leastRoom is what SQLite asks for at once, in bytes: 32 KiB of shared memory, and as much for the log.
const leastRoom = 64 << 10

// noRoom tells whether the file system that path lies on has too little room left, or none for another file.
func noRoom(path string) bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return false
	}
	blocks := fs.Bavail
	if os.Geteuid() == 0 {
		blocks = fs.Bfree // the reserved ones too
	}
	full := fs.Blocks > 0 && blocks < leastRoom/uint64(max(1, fs.Bsize)) // 0 blocks: a tmpfs without a limit
	return full || fs.Files > 0 && fs.Ffree == 0
}
