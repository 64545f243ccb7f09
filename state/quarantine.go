package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The quarantine holds mail that the target refuses in every form: a file for each message, in a folder for each account
// beside the state file. No name in it comes from mail.

const (
	quarantineDir = "quarantine"
	keptSuffix    = ".eml"
	draftSuffix   = ".part" // what a kill left of one
	movingSuffix  = ".move" // one that gets another name
)

// quarantineMost is how many bytes the quarantine of an account holds at most.
const quarantineMost = 1 << 30

// Kept names a message of the quarantine.
type Kept struct {
	Pair        int64
	UIDValidity uint32 // of the source folder
	UID         uint32 // on the source
}

func (k Kept) name() string {
	return fmt.Sprintf("%d-%d-%d%s", k.Pair, k.UIDValidity, k.UID, keptSuffix)
}

// keptOf reads a file's name.
func keptOf(name string) (k Kept, ok bool) {
	_, err := fmt.Sscanf(name, "%d-%d-%d", &k.Pair, &k.UIDValidity, &k.UID)
	return k, err == nil && k.name() == name
}

// Quarantine is the folder that holds an account's refused mail; it need not be there.
func Quarantine(dir, account string) string {
	return quarantineOf(filepath.Join(dir, FileName(account)))
}

// quarantineOf gives the folder of a state file.
func quarantineOf(path string) string {
	return filepath.Join(filepath.Dir(path), quarantineDir, strings.TrimSuffix(filepath.Base(path), extension))
}

// KeptFiles gives the paths of what the quarantine of an account holds.
func KeptFiles(dir, account string) (map[Kept]string, error) {
	return keptFiles(Quarantine(dir, account))
}

func keptFiles(dir string) (map[Kept]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	out := make(map[Kept]string)
	for _, e := range entries {
		if k, ok := keptOf(e.Name()); ok && e.Type().IsRegular() {
			out[k] = filepath.Join(dir, e.Name())
		}
	}
	return out, err
}

// ErrQuarantineFull is what Keep returns where the quarantine of the account has no room for a message.
var ErrQuarantineFull = fmt.Errorf("the quarantine of the account holds %d MiB at most", quarantineMost>>20)

// Keep writes a message of size bytes into the quarantine, with the date that it has, and gives the file's path below
// the state folder. Where it fails nothing is left of it.
func (f *File) Keep(k Kept, size int64, date time.Time, body io.WriterTo) (path string, err error) {
	if f.writer == nil {
		return "", f.fail("quarantine", ErrReadOnly)
	}
	dir := quarantineOf(f.path)
	f.keeping.Lock() // one after the other: together they must not hold more than they may
	defer f.keeping.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", f.fail("quarantine", err)
	}
	held, err := heldBy(dir, k.name())
	if err != nil {
		return "", f.fail("quarantine", err)
	}
	if held+size > quarantineMost {
		return "", ErrQuarantineFull
	}
	path = filepath.Join(dir, k.name())
	if err := writeKept(path+draftSuffix, date, body); err != nil {
		return "", f.fail("quarantine", errors.Join(err, removed(path+draftSuffix)))
	}
	if err := errors.Join(os.Rename(path+draftSuffix, path), syncDir(dir)); err != nil {
		return "", f.fail("quarantine", errors.Join(err, removed(path+draftSuffix)))
	}
	return filepath.Join(quarantineDir, filepath.Base(dir), k.name()), nil
}

// heldBy sums up the files of a quarantine but for one of this name.
func heldBy(dir, but string) (sum int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != but {
			sum += info.Size()
		}
	}
	return sum, err
}

func writeKept(path string, date time.Time, body io.WriterTo) error {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = body.WriteTo(w)
	err = errors.Join(err, w.Sync(), w.Close())
	if err == nil && !date.IsZero() {
		err = os.Chtimes(path, date, date) // the INTERNALDATE
	}
	return err
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MoveKept has the files of a pair follow its messages to new source UIDs (moved maps the old one to the new one), under
// another UIDVALIDITY or the same, and the exceptions name them so. It is called before Rekey, which moves the exceptions: where a
// death comes in between, the files are where the next pass wants them.
func (f *File) MoveKept(ctx context.Context, pair int64, from, to uint32, moved map[uint32]uint32) error {
	f.keeping.Lock()
	defer f.keeping.Unlock()
	dir := quarantineOf(f.path)
	files, err := keptFiles(dir)
	if err != nil {
		return f.fail("quarantine", err)
	}
	names := make(map[string]string)
	uids := make(map[string]uint32)
	for k, path := range files {
		if next, is := moved[k.UID]; is && k.Pair == pair && k.UIDValidity == from && (from != to || next != k.UID) {
			names[path] = filepath.Join(dir, Kept{pair, to, next}.name())
			uids[path] = k.UID
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := errors.Join(rename(names, from == to), syncDir(dir)); err != nil {
		return f.fail("quarantine", err)
	}
	return f.write(ctx, "follow quarantined mail", func(t *tx) error {
		for path, next := range names {
			if _, err := t.exec(`UPDATE exceptions SET detail = replace(detail, ?, ?) WHERE pair = ? AND uid = ?`,
				"/"+filepath.Base(path), "/"+filepath.Base(next), pair, uids[path]); err != nil {
				return err
			}
		}
		return nil
	})
}

// rename gives files other names. Two that may change places must not meet.
func rename(names map[string]string, meet bool) (err error) {
	suffix := ""
	if meet {
		suffix = movingSuffix
		for path := range names {
			err = errors.Join(err, os.Rename(path, path+suffix))
		}
	}
	for path, next := range names {
		err = errors.Join(err, os.Rename(path+suffix, next))
	}
	return err
}

// SweepKept removes from the quarantine what no exception of these reasons names any more: it was carried, or is gone
// from the source.
func (f *File) SweepKept(ctx context.Context, reasons []string) error {
	dir := quarantineOf(f.path)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, err := keptFiles(dir)
	if err != nil {
		return f.fail("quarantine", err)
	}
	pairs, err := f.Pairs(ctx)
	if err != nil {
		return err
	}
	validity := make(map[int64]uint32, len(pairs))
	for _, p := range pairs {
		validity[p.ID] = p.SourceMark.UIDValidity
	}
	open := make(map[Kept]bool, len(files)) // false: a file that nothing names yet, after the UIDVALIDITY that the state has
	for k := range files {
		open[Kept{k.Pair, validity[k.Pair], k.UID}] = false
	}
	err = f.EachException(ctx, func(e Exception) error {
		at := Kept{e.Pair, validity[e.Pair], e.UID}
		if _, kept := open[at]; kept && slices.Contains(reasons, e.Reason) {
			open[at] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k, path := range files {
		as := Kept{k.Pair, validity[k.Pair], k.UID}
		// Under another one it is of a folder whose marks were never committed, or of a pair of the other direction.
		if _, better := files[as]; open[as] && (k == as || !better) {
			continue
		}
		if err := removed(path); err != nil {
			return f.fail("quarantine", err)
		}
	}
	return f.fail("quarantine", dropDrafts(dir))
}

// dropDrafts removes what kills left, and the folder itself where it is empty.
func dropDrafts(dir string) error {
	drafts, err := filepath.Glob(filepath.Join(escaped(dir), "*"+keptSuffix+draftSuffix))
	moving, err2 := filepath.Glob(filepath.Join(escaped(dir), "*"+keptSuffix+movingSuffix))
	drafts, err = append(drafts, moving...), errors.Join(err, err2)
	for _, path := range drafts {
		err = errors.Join(err, removed(path))
	}
	_ = os.Remove(dir) // not empty: there is something to keep
	return err
}

// escaped keeps what a folder's name holds from being taken for a pattern.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// removeKept takes away the quarantine of an account and tells what it removed. Files that this package did not make stay.
func (r *Removed) removeKept(path string) error {
	dir := quarantineOf(path)
	files, err := keptFiles(dir)
	if err != nil {
		return err
	}
	for _, path := range files {
		info, err := os.Lstat(path)
		if err == nil {
			err = removed(path)
		}
		if err != nil {
			return err
		}
		r.Files, r.Bytes = append(r.Files, path), r.Bytes+info.Size()
	}
	slices.Sort(r.Files)
	if err := dropDrafts(dir); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(dir)) // other accounts may have theirs
	return nil
}
