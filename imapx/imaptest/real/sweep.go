package real

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	ownerFile  = "owner"           // in the base folder, locked while its test binary lives
	mailPrefix = "mailmove-real-"  // of mail roots outside the base folder
	ownerMagic = "mailmove test\n" // first line of ownerFile; the mail root follows
)

// claim marks base as ours until this process dies. The lock is taken before the file has its name, so that
// sweep never sees it unlocked.
func claim(base, mailRoot string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(base, ownerFile+".new"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		if _, err = f.WriteString(ownerMagic + mailRoot); err == nil {
			err = os.Rename(f.Name(), filepath.Join(base, ownerFile))
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("claim %s: %w", base, err)
	}
	return f, nil
}

// sweep removes what killed test binaries of this user left behind. It is a courtesy: failures are no matter.
func sweep() {
	found, _ := filepath.Glob(strings.ReplaceAll(basePattern, "*", "?"))
	for _, base := range found {
		sweepOne(base)
	}
}

func sweepOne(base string) {
	st, err := os.Lstat(base)
	if err != nil || !st.IsDir() || !ours(st) {
		return
	}
	f, err := os.OpenFile(filepath.Join(base, ownerFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return // its test still runs
	}
	b := make([]byte, 4096)
	n, _ := f.Read(b)
	root, ok := strings.CutPrefix(string(b[:n]), ownerMagic)
	if !ok {
		return
	}
	if strings.HasPrefix(filepath.Base(root), mailPrefix) {
		removeAll(root)
	}
	removeAll(base)
}

func ours(st os.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Getuid()
}

// removeAll tries again for a moment: a dying server process may still write there.
func removeAll(dir string) {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if os.RemoveAll(dir) == nil || time.Now().After(end) {
			return
		}
	}
}
