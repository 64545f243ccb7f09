//go:build bench

package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	scratchName = "mailmove-bench-"
	spare       = 2 << 30 // bytes of memory that are left to everybody else
)

// makeScratch makes a folder with so much room, in memory if possible, else in the cache folder.
func makeScratch(cache string, room int64) (dir string, inMemory bool, err error) {
	sweepScratch("/dev/shm", cache)
	if free("/dev/shm") >= room && memory("MemAvailable") >= room+spare {
		dir, err = os.MkdirTemp("/dev/shm", scratchName)
		inMemory = true
	} else {
		if have := free(cache); have < room+spare {
			return "", false, fmt.Errorf("it wants %d GB of memory or disk; /dev/shm has %d, %d of memory are free, the disk has %d",
				room>>30, free("/dev/shm")>>30, memory("MemAvailable")>>30, have>>30)
		}
		dir, err = os.MkdirTemp(cache, scratchName)
	}
	if err != nil {
		return "", false, err
	}
	// The servers' user has to pass.
	return dir, inMemory, os.Chmod(dir, 0o755)
}

// free is the room of a file system for us, in bytes; 0 where there is none. A memory file system runs out of inodes
// first, for the room is given for small files: one takes a page, and leaves a little for the rest.
func free(path string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0
	}
	room := int64(st.Bavail) * st.Bsize
	if st.Files > 0 { // some count none
		room = min(room, int64(st.Ffree)*6<<10)
	}
	return room
}

// memory is a line of /proc/meminfo in bytes.
func memory(name string) int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, has := strings.CutPrefix(sc.Text(), name+":"); has {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

// hold marks a scratch folder as ours until this process dies.
func hold(dir string) (*os.File, error) {
	f, err := os.Create(filepath.Join(dir, "owner"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepScratch removes what killed runs left: gigabytes of memory. It is a courtesy: failures are no matter.
func sweepScratch(parents ...string) {
	for _, p := range parents {
		found, _ := filepath.Glob(filepath.Join(p, scratchName+"*", "owner"))
		for _, owner := range found {
			f, err := os.OpenFile(owner, os.O_RDWR|syscall.O_NOFOLLOW, 0)
			if err != nil {
				continue
			}
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				os.RemoveAll(filepath.Dir(owner))
			}
			f.Close()
		}
	}
}
