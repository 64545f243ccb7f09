package real

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MailDir is the Maildir++ root of a user (with the format maildir). It need not exist yet.
func (s *Server) MailDir(user string) string { return filepath.Join(s.mail, user, "Maildir") }

// LoadMaildir puts a copy of a Maildir++ tree in place of a user's mail. Message files are hard links where the
// file system allows it: servers never change them in place. The user should not be logged in.
func (s *Server) LoadMaildir(user, dir string) {
	s.t.Helper()
	s.Wipe(user)
	home := filepath.Join(s.mail, user)
	err := os.Mkdir(home, 0o700)
	if err == nil {
		err = giveTo(home, s.id)
	}
	if err == nil {
		err = s.loadTree(dir, s.MailDir(user))
	}
	if err != nil {
		s.t.Fatalf("load %s for %s: %v", dir, user, err)
	}
}

// Wipe forgets a user's mail.
func (s *Server) Wipe(user string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.mail, user)); err != nil {
		s.t.Fatalf("wipe %s: %v", user, err)
	}
}

func (s *Server) loadTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			if err := os.Mkdir(dst, 0o700); err != nil {
				return err
			}
			return giveTo(dst, s.id)
		}
		if parent := filepath.Base(filepath.Dir(path)); parent == "cur" || parent == "new" {
			err := os.Link(path, dst)
			if err == nil {
				return giveTo(dst, s.id)
			}
			if !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EMLINK) {
				return err
			}
		}
		return s.copyFile(path, dst)
	})
}

// copyFile keeps the modification time, which is a Maildir message's INTERNALDATE.
func (s *Server) copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(to, st.ModTime(), st.ModTime()); err != nil {
		return err
	}
	return giveTo(to, s.id)
}
