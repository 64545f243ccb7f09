package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"mailmove/cmd/internal/coexist"
	"mailmove/cmd/internal/ui"
)

// maxMap bounds a map that is read again, in bytes: a million accounts take less.
const maxMap = 256 << 20

// rollbackName is the file that holds the map before the last change.
func rollbackName(path string) string { return path + ".rollback" }

// replace puts the map in its place, if anything in it changes.
func (x *export) replace(ctx context.Context, wanted coexist.Table) error {
	path, err := x.path()
	if err != nil {
		return err
	}
	before, text, err := x.current(path)
	if err != nil {
		return err
	}
	stale := coexist.Stale(before, x.known)
	wanted = x.merge(before, wanted, stale)
	changes := coexist.Diff(before, wanted)
	x.show(changes)
	x.tellStale(stale)
	after := x.format.Text(wanted)
	same := text != nil && len(changes) == 0 && string(text) == string(after)
	index := x.newIndex()
	if same {
		if err := index.verify(ctx, path, wanted); err == nil || x.check {
			x.tellSum(path, changes, wanted)
			return err
		}
	}
	if x.check {
		x.tellSum(path, changes, wanted)
		return &failure{code: exitNotEqual, what: "--to " + path + ": the map is not as it would be written", hint: "the same command without --check writes it"}
	}
	if err := x.write(ctx, path, text, after, wanted, index); err != nil {
		return err
	}
	x.tellSum(path, changes, wanted)
	x.tellNext(path, changes, index)
	return nil
}

// merge gives the map as it will be: entries of accounts that are not chosen stay as they are, for a list moves in groups.
func (x *export) merge(before, made coexist.Table, stale []string) coexist.Table {
	after := maps.Clone(before)
	if x.prune {
		for _, key := range stale {
			delete(after, key)
		}
	}
	if x.remove {
		for _, m := range x.moved {
			delete(after, x.format.Find(m.key))
		}
	}
	maps.Copy(after, made)
	return after
}

// path is the file itself, where --to is a link to it: the link stays.
func (x *export) path() (string, error) {
	path, err := filepath.Abs(x.to)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", noInput("--to", err)
	}
	return real, nil
}

// current reads the map that is in use; text is nil where there is none. A file that somebody else made stays.
func (x *export) current(path string) (t coexist.Table, text []byte, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return coexist.Table{}, nil, nil
	case err != nil:
		return nil, nil, noInput("--to", err)
	case !info.Mode().IsRegular() || info.Size() > maxMap:
		return nil, nil, usagef("give another name", "--to %s: it is no map of mailmove", shown(path))
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, nil, noInput("--to", err)
	}
	if t, err = x.format.Parse(text); err != nil {
		return nil, nil, usagef("give another name: the file stays as it is", "--to %s: %v", path, err)
	}
	if text == nil {
		text = []byte{}
	}
	return t, text, nil
}

// write replaces the map, and before it the file that leads back. Where only the index was wanting there is nothing to lead
// back to.
func (x *export) write(ctx context.Context, path string, before, after []byte, wanted coexist.Table, index *mapIndex) error {
	old, err := os.Stat(path)
	if err != nil {
		old = nil
	}
	back := before
	if back == nil {
		back = x.format.Text(coexist.Table{})
	}
	if string(back) != string(after) || before == nil {
		if err := x.place(rollbackName(path), back, old, ready{}); err != nil {
			return err
		}
	}
	return x.place(path, after, old, ready{
		before: func(temp string) error {
			if err := index.make(ctx, temp, wanted); err != nil {
				return err
			}
			now, err := os.ReadFile(path)
			if ignoreMissing(err) != nil || string(now) != string(before) { // whoever changed it thought of other accounts
				return errors.Join(&failure{code: exitBusy, err: err, what: "--to " + path + ": somebody else changed it at the same time", hint: "run it again"},
					index.drop(temp))
			}
			return nil
		},
		after: func(temp string) error { return index.install(temp, path) },
	})
}

// ready is what is done with a new file before and after it is put in place.
type ready struct{ before, after func(temp string) error }

// place writes a file beside its place and renames it.
func (x *export) place(path string, text []byte, like fs.FileInfo, with ready) (err error) {
	failed := func(err error) error {
		return &failure{code: exitOutput, err: err, what: "--to " + path + ": " + cause(err).Error(), hint: folderHint(err, filepath.Dir(path), "the map that was there is still in use")}
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return failed(err)
	}
	temp := file.Name()
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // what went wrong first is what is told
		}
	}()
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(x.mode(like)), ownAs(file, like), file.Sync(), file.Close())
	if err != nil {
		return failed(err)
	}
	if with.before != nil {
		if err := with.before(temp); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return failed(err)
	}
	if with.after != nil {
		if err := with.after(temp); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(path))
}

// mode is that of the file before. A new one is for its group, too, for servers read it as users of their own; one with
// passwords is for its owner only, and never for everybody.
func (x *export) mode(like fs.FileInfo) os.FileMode {
	secret := x.pass == "target"
	switch {
	case like != nil && secret:
		return like.Mode().Perm() &^ 0o007
	case like != nil:
		return like.Mode().Perm()
	case secret:
		return 0o600
	}
	return 0o640
}

// syncFolder makes renames in a folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return nil // who may not list it can do no more
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil && !errors.Is(err, syscall.EINVAL) {
		return &failure{code: exitOutput, err: err, what: "--to " + dir + ": " + cause(err).Error()}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tellStale says which entries are of no account of the list.
func (x *export) tellStale(stale []string) {
	if len(stale) == 0 || x.prune {
		return
	}
	names := strings.Join(stale[:min(len(stale), 5)], ", ")
	if more := len(stale) - 5; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	x.a.warn("%s of no account of the list: %s; --remove-stale takes them out", countText(int64(len(stale)), "entry stays that is", "entries stay that are"), names)
}

func (x *export) tellSum(path string, changes []coexist.Change, wanted coexist.Table) {
	added, gone := 0, 0
	for _, c := range changes {
		switch {
		case c.Before == "":
			added++
		case c.After == "":
			gone++
		}
	}
	fmt.Fprintf(x.a.out, "%s: %s: %s new, %s changed, %s removed\n", ui.Clean(path), countText(int64(len(wanted)), "entry", "entries"),
		ui.Count(int64(added)), ui.Count(int64(len(changes)-added-gone)), ui.Count(int64(gone)))
}
