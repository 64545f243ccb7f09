package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mailmove/cmd/internal/ui"
)

// placeOf is where a file lies that is replaced whole, by a rename: behind a link, which stays. What is there and is no
// file is refused, for root's rename would put a file where a device, /dev/stdout or a pipe was.
func placeOf(path string) (string, error) {
	wrong := func(why string) (string, error) {
		return "", &os.PathError{Op: "open", Path: path, Err: errors.New(why)}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return wrong("that is a link that leads nowhere")
		}
		return path, nil
	case err != nil:
		return "", err
	case info.IsDir():
		return wrong("that is a folder")
	case !info.Mode().IsRegular():
		return wrong("that is no file")
	}
	return filepath.EvalSymlinks(path)
}

// checkPlace tells before a run of hours that a file could not be written at its end. Nothing stays in the folder.
func checkPlace(flag, path string) error {
	if path == "" {
		return nil
	}
	failed := func(err error) error {
		return &failure{code: exitNoInput, err: err, what: flag + " " + ui.Clean(path) + ": " + cause(err).Error() + "; nothing was begun",
			hint: folderHint(err, filepath.Dir(path), "give the name of a file: it is written in one step, at the end")}
	}
	place, err := placeOf(path)
	if err != nil {
		return failed(err)
	}
	file, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+"-*")
	if err != nil {
		return failed(err)
	}
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return failed(err)
	}
	return nil
}
