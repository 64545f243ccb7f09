package state

import (
	"bufio"
	"strings"
	"testing"
)

func TestLocalFolderIsLocal(t *testing.T) {
	if kind, err := networkType(t.TempDir() + "/not/there/yet"); err != nil || kind != "" {
		t.Errorf("%q, %v", kind, err)
	}
}

func TestFUSEType(t *testing.T) {
	const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/ssh rw shared:2 - fuse.sshfs old:/srv rw
31 22 0:41 / /mnt/my\040disk rw - fuseblk /dev/sdb1 rw
32 31 0:42 / /mnt/my\040disk/cloud rw - fuse.rclone r: rw
33 22 0:43 / /mnt/over rw - fuse.sshfs a:/ rw
34 22 0:44 / /mnt/over rw - fuse.fuse-overlayfs fuse-overlayfs rw
nonsense
35 22 0:45 / /mnt/new rw - fuse.somethingnew x rw
`
	for path, want := range map[string]string{
		"/mnt/ssh":                  "fuse.sshfs",
		"/mnt/ssh/state":            "fuse.sshfs",
		"/mnt/my disk/state":        "",
		"/mnt/my disk/cloud/a":      "fuse.rclone",
		"/mnt/over/x":               "",
		"/mnt/new":                  "fuse.somethingnew",
		"/mnt/ssh2 (not under ssh)": "ext4",
	} {
		if got := fuseType(bufio.NewScanner(strings.NewReader(mounts)), path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := fuseType(bufio.NewScanner(strings.NewReader("")), "/x"); got != "fuse" {
		t.Errorf("nothing known: %q", got)
	}
}
