package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full while a state file is made says so, leaves nothing behind, and with room again the file is made.
func TestFullDiskWhileAFileIsMade(t *testing.T) {
	dir := t.TempDir()
	private := func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} }
	probe := exec.Command("mount", "-t", "tmpfs", "tmpfs", dir)
	private(probe)
	if err := probe.Run(); err != nil {
		t.Skip("nothing can be mounted here: ", err)
	}
	cmd, line := child(t, "full", dir, private)
	if err := cmd.Wait(); err != nil || line != "told and made" {
		t.Error(line, err)
	}
}

// playFull mounts a small file system, which the child alone sees, and makes a state file with ever more room, and
// then with room for ever more files.
func playFull(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,nr_inodes=100"); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	bytes := func(room int) error {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			return err
		}
		return os.WriteFile(ballast, make([]byte, int64(fs.Bavail)*fs.Bsize-int64(room)<<10), 0o600)
	}
	files := func(room int) error {
		return syscall.Mount("", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("nr_inodes=%d", 2+room)) // with both folders
	}
	for _, c := range []struct {
		last, step int
		fill       func(int) error
		empty      func() error
	}{
		{384, 4, bytes, func() error { return os.Remove(ballast) }}, // kB
		{8, 1, files, func() error { return files(98) }},
	} {
		refused, made := 0, 0
		for room := 0; room <= c.last; room += c.step {
			first, err := playRoom(filepath.Join(dir, "state"), func() error { return c.fill(room) }, c.empty)
			if err != nil {
				return fmt.Errorf("room for %d: %w", room, err)
			}
			if first == nil {
				made++
			} else {
				refused++
			}
		}
		if refused < 3 || made < 3 {
			return fmt.Errorf("%d times refused, %d times made", refused, made)
		}
	}
	_, err := os.Stdout.WriteString("told and made\n")
	return err
}

// playRoom makes a state file on a disk that was filled, and then again with plenty of room. It gives the first answer.
func playRoom(dir string, fill, empty func() error) (first, err error) {
	ctx, o := context.Background(), testOptions(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := fill(); err != nil {
		return nil, err
	}
	f, first := Open(ctx, o)
	if first == nil {
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	var u *UnwritableError
	if first != nil && (!errors.As(first, &u) || !u.Full) {
		return nil, fmt.Errorf("not told as a full disk: %w", first)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new*")); len(left) > 0 {
		return nil, fmt.Errorf("left behind: %q", left)
	}
	if err := empty(); err != nil {
		return nil, err
	}
	if f, err = Open(ctx, o); err != nil {
		return nil, fmt.Errorf("with room again: %w", err)
	}
	return first, errors.Join(f.Close(), os.RemoveAll(dir))
}
