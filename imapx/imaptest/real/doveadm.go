package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Doveadm is a command of the server's own administration tool, which works on its mail directly. args follow the
// configuration: "-o", "name=value", "backup", … It is not started.
func (s *Server) Doveadm(args ...string) (*exec.Cmd, error) {
	tool := filepath.Join(s.base, "doveadm")
	if _, err := os.Stat(tool); err != nil {
		if err := copyTree(filepath.Join(unpacked("dovecot"), "doveadm"), tool, relocation(s.base)); err != nil {
			return nil, fmt.Errorf("copy of doveadm: %w", err)
		}
	}
	cmd := exec.Command(tool, append([]string{"-c", filepath.Join(s.base, "dovecot.conf")}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + s.base + "/deps", "TZ=UTC"}
	cmd.Dir = s.base
	return cmd, nil
}

// Version is what Dovecot says of itself, as "2.3.19.1".
func (s *Server) Version() (string, error) {
	cmd := exec.Command(filepath.Join(s.base, "dovecot"), "--version")
	cmd.Env = []string{"LD_LIBRARY_PATH=" + s.base + "/deps"}
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("version of Dovecot: %w", err)
	}
	version, _, _ := strings.Cut(string(out), " ")
	return strings.TrimSpace(version), nil
}

// Peers is the folder where .ci/fetch-peers puts the tools that mailmove is measured beside. It need not exist.
func Peers() string { return folder("peers") }
