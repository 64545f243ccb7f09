package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mailmove/imapx/imaptest/real"
)

// TestExportedNginxMap: nginx is between people and both servers. A moved user comes to the new mailbox, under a new name if
// it has one; who has not moved, and names that mean something to nginx, come to the old one.
func TestExportedNginxMap(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("mailmove")
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := real.Dovecot(t, real.Options{}), real.Dovecot(t, real.Options{})
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list, moved := filepath.Join(dir, "list.csv"), filepath.Join(dir, "mailmove.map")
	text := "id,source_user,target_user\none,u1,u1\ntwo,u2,u200\nhas blank,u3 x,u300\nword,default,u400\n"
	if err := errors.Join(os.WriteFile(list, []byte(text), 0o600), os.WriteFile(moved, nil, 0o644), os.Chmod(moved, 0o644)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, program, "export", "nginx", "--accounts", list, "--all", "--any-domain", "--to", moved, "--state-dir", filepath.Join(dir, "state"),
		"--source", "imap://"+old.Addr(), "--source-tls", "none", "--target", "imap://"+fresh.Addr(), "--target-tls", "none").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	nginx := real.StartNginx(t, moved, old.Addr())
	for _, user := range []string{"u1", "U2", "u5", "u3 x", "default"} {
		if _, err := subjects(t, nginx.Addr(), user, real.Password); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	if _, err := subjects(t, nginx.Addr(), "u1", "wrong"); err == nil {
		t.Error("a wrong password is let in")
	}
	for user, s := range map[string]*real.Server{"u1": fresh, "u200": fresh, "u300": fresh, "u400": fresh, "u5": old} {
		if _, err := os.Stat(s.MailDir(user)); err != nil {
			t.Errorf("%s did not come where it belongs: %v", user, err)
		}
	}
	for _, user := range []string{"u1", "u2", "default"} {
		if _, err := os.Stat(old.MailDir(user)); err == nil {
			t.Errorf("%s came to the old server", user)
		}
	}
}
