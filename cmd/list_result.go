package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"mailmove/cmd/internal/accounts"
	"mailmove/cmd/internal/ui"
)

// cells are the columns of an outcome.
func (o outcome) cells() []string {
	if o.word == "" {
		return make([]string, len(accounts.ResultColumns()))
	}
	next := o.next
	if o.text != "" {
		next = strings.TrimSuffix(o.text+"; "+next, "; ")
	}
	return []string{
		o.word, strconv.Itoa(o.code), strconv.FormatInt(o.copied, 10), strconv.FormatInt(o.bytes, 10),
		strconv.FormatInt(o.exceptions, 10), strconv.FormatFloat(o.took.Seconds(), 'f', 1, 64), ui.Clean(next),
	}
}

// write makes the files that a run leaves behind. A dry run leaves the figures of the last real one: an alarm hangs on them.
func (r *listRun) write() error {
	var err error
	if path := r.f.list.result; path != "" {
		var text []byte
		if text, err = r.result(); err == nil {
			err = writeWhole("--result", path, text)
		}
	}
	if path := r.f.list.metrics; path != "" && !r.f.dryRun {
		err = errors.Join(err, writeWhole("--metrics-file", path, r.figures()))
	}
	return err
}

// result is the list with what became of each row.
func (r *listRun) result() ([]byte, error) {
	var b bytes.Buffer
	err := r.list.WriteResult(&b, func(row int) []string { return r.entries[row].outcome.cells() })
	return b.Bytes(), err
}

// folderHint says what to do about a file that cannot be made; usual is for any other reason than its folder.
func folderHint(err error, dir, usual string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the folder " + dir + " is not there: make it, or name another"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "this user may not write in the folder " + dir + ": name another, or run it as one who may"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "there is no room in the folder " + dir + ": make some, or name another"
	}
	return usual
}

// writeWhole puts a file in its place in one step: who reads it sees the old one or the new one. It is for its owner only,
// but where the one that was there was for others too.
func writeWhole(flag, path string, data []byte) (err error) {
	mode := os.FileMode(0o600)
	failed := func(err error) error {
		return &failure{code: exitOutput, err: err, what: fmt.Sprintf("%s %s: %v", flag, path, cause(err)),
			hint: folderHint(err, filepath.Dir(path), "the work is done and in the state; mailmove status shows it")}
	}
	place, err := placeOf(path)
	if err != nil {
		return failed(err)
	}
	if info, err := os.Stat(place); err == nil {
		mode = info.Mode().Perm()
	}
	file, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+"-*")
	if err != nil {
		return failed(err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), place)
	}
	if err != nil {
		return failed(errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}
