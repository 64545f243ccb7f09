package sync

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const spoolPrefix = "spool-"

// RemoveSpool removes spool files that a kill left in a state folder between making and unlinking them, those from
// before a time. They hold nothing: mail is written to a file that has no name any more.
func RemoveSpool(dir string, before time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return &SpoolError{Dir: dir, Err: err}
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(e.Name(), spoolPrefix) || !info.ModTime().Before(before) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &SpoolError{Dir: dir, Err: err}
		}
	}
	return nil
}
