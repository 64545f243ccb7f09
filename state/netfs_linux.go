package state

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// networkMagic are the f_type values of statfs(2) that belong to network, cluster and shared-folder file systems.
func networkMagic() map[int64]string {
	return map[int64]string{
		0x00006969: "nfs",
		0x0000517B: "smb",
		0xFF534D42: "cifs",
		0xFE534D42: "smb2",
		0x0000564C: "ncp",
		0x5346414F: "afs",
		0x6B414653: "afs",
		0x73757245: "coda",
		0x01021997: "9p",
		0x00C36400: "ceph",
		0x0BD00BD0: "lustre",
		0x19830326: "beegfs",
		0x47504653: "gpfs",
		0x01161970: "gfs2",
		0x7461636F: "ocfs2",
		0x786F4256: "vboxsf",
		0xBACBACBC: "vmhgfs",
		0x013111A8: "ibrix",
		0xAAD7AAEA: "panfs",
	}
}

// fuseMagic says only that a program serves the files; which one is in mountinfo.
const fuseMagic = 0x65735546

// localFUSE are the FUSE file systems that keep to one machine's disks. Every other one is taken for a network.
func localFUSE() map[string]bool {
	return map[string]bool{
		"fuseblk":             true, // ntfs-3g and others on a block device
		"fuse.ntfs-3g":        true,
		"fuse.fuse-overlayfs": true, // containers without root
		"fuse.mergerfs":       true,
		"fuse.gocryptfs":      true,
		"fuse.encfs":          true,
		"fuse.bindfs":         true,
	}
}

// networkType gives the type of the network file system that path lies on, "" for a local one.
func networkType(path string) (string, error) {
	path = existing(path)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return "", &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	magic := int64(fs.Type) & 0xFFFFFFFF // 32-bit systems sign it
	if magic != fuseMagic {
		return networkMagic()[magic], nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "fuse", nil // not to be told apart: refused
	}
	defer mounts.Close()
	return fuseType(bufio.NewScanner(mounts), real), nil
}

// fuseType finds the mount that path lies on, in the lines of mountinfo (proc(5)), and gives its type unless it
// is a local one.
func fuseType(mounts *bufio.Scanner, path string) string {
	found, longest := "fuse", -1
	for mounts.Scan() {
		before, after, ok := strings.Cut(mounts.Text(), " - ")
		fields, types := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(types) < 1 {
			continue
		}
		point := unescapeMount(fields[4])
		inside := point == "/" || path == point || strings.HasPrefix(path, point+"/")
		// The last of several mounts on one point is the one that is seen.
		if inside && len(point) >= longest {
			found, longest = types[0], len(point)
		}
	}
	if localFUSE()[found] {
		return ""
	}
	return found
}

// unescapeMount undoes the octal escapes of mountinfo: "\040" is a blank.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				fmt.Fprintf(&b, "%c", byte(v))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
