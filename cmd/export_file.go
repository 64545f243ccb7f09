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

// write replaces the map, and before it the file that leads back.
func (x *export) write(ctx context.Context, path string, before, after []byte, wanted coexist.Table, index *mapIndex) error {
	if before == nil {
		before = x.format.Text(coexist.Table{})
	}
	old, err := os.Stat(path)
	if err != nil {
		old = nil
	}
	if err := x.place(rollbackName(path), before, old, nil); err != nil {
		return err
	}
	return x.place(path, after, old, func(temp string) error { return index.make(ctx, temp, path, wanted) })
}

// place writes a file beside its place and renames it. With made, that is done with the new file before; what it returns
// ends it all.
func (x *export) place(path string, text []byte, like fs.FileInfo, made func(temp string) error) (err error) {
	failed := func(err error) error {
		return &failure{code: exitOutput, err: err, what: "--to " + path + ": " + cause(err).Error(), hint: "the map that was there is still in use"}
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return failed(err)
	}
	temp := file.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(temp)))
		}
	}()
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(x.mode(like)), ownAs(file, like), file.Sync(), file.Close())
	if err != nil {
		return failed(err)
	}
	if made != nil {
		if err := made(temp); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return failed(err)
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

// ownAs gives a file to whom another one belongs.
func ownAs(file *os.File, like fs.FileInfo) error {
	if like == nil {
		return nil
	}
	was, is := like.Sys().(*syscall.Stat_t)
	if !is || int(was.Uid) == os.Geteuid() && int(was.Gid) == os.Getegid() {
		return nil
	}
	return file.Chown(int(was.Uid), int(was.Gid))
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
	fmt.Fprintf(x.a.out, "%s: %s: %d new, %d changed, %d removed\n", ui.Clean(path), countText(int64(len(wanted)), "entry", "entries"),
		added, len(changes)-added-gone, gone)
}
