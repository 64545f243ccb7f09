package state

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKilledBetweenIntendAndRecord(t *testing.T) {
	ctx := context.Background()
	for part, recorded := range map[string]int{"intend": 0, "record": 12} {
		t.Run(part, func(t *testing.T) {
			dir := t.TempDir()
			cmd, line := child(t, part, dir, nil)
			if line != "ready" {
				t.Fatal(line)
			}
			// Alive, it has the lock, and its pid is told.
			_, err := Open(ctx, testOptions(dir))
			var busy *BusyError
			if !errors.As(err, &busy) || busy.PID != cmd.Process.Pid || time.Since(busy.Since) > time.Minute {
				t.Errorf("%v", err)
			}
			s, err := Inspect(ctx, filepath.Join(dir, FileName(testAccount)))
			must(t, err)
			if !s.Running || s.Holder.PID != cmd.Process.Pid || s.Windows != 1 || s.WindowMessages != 30 || s.Messages.Stored != int64(recorded) {
				t.Errorf("%+v", s)
			}
			kill(t, cmd)
			f := openTest(t, dir)
			windows, err := f.Windows(ctx)
			must(t, err)
			if len(windows) != 1 || len(windows[0].Rows) != 30 || windows[0].State != WindowOpen || windows[0].Floor != 40 || windows[0].UIDValidity != 5 {
				t.Fatalf("%+v", windows)
			}
			for i, r := range windows[0].Rows {
				want := testRow(uint32(i + 1))
				if i >= recorded {
					want.TargetUID = 0
				}
				if r != want {
					t.Errorf("%+v, want %+v", r, want)
				}
			}
		})
	}
}

// Killed at any moment, the file is sound, and each window is either recorded whole or still open.
func TestKilledAnywhere(t *testing.T) {
	ctx := context.Background()
	for i := range 8 {
		dir := t.TempDir()
		cmd, line := child(t, "busy", dir, nil)
		if line != "ready" {
			t.Fatal(line)
		}
		time.Sleep(time.Duration(i) * 3 * time.Millisecond)
		kill(t, cmd)
		f := openTest(t, dir)
		windows, err := f.Windows(ctx)
		must(t, err)
		uids, err := f.SourceUIDs(ctx, 1, 0)
		must(t, err)
		if len(uids)%50 != 0 || len(uids) < 500 || len(windows) > 1 {
			t.Errorf("%d rows, %d windows", len(uids), len(windows))
		}
		if len(windows) == 1 && windows[0].Rows[0].SourceUID != uint32(len(uids))+1 {
			t.Errorf("the window begins at %d, the ledger ends at %d", windows[0].Rows[0].SourceUID, len(uids))
		}
	}
}

func TestWriteErrorsOfTheKernel(t *testing.T) {
	dir := t.TempDir()
	cmd, line := child(t, "cramped", dir, nil)
	if !strings.HasPrefix(line, "unwritable: ") {
		t.Error(line)
	}
	must(t, cmd.Wait())
	f := openTest(t, dir) // sound, and writable again
	before, err := f.CountRows(context.Background(), 1)
	must(t, err)
	if before%1000 != 0 || before == 0 {
		t.Errorf("%d rows: not whole operations", before)
	}
	must(t, f.PutRows(context.Background(), 1, testRows(500_000, 500_999)))
	checkRows(t, f, 1, before+1000)
}

func TestFolderOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for parent := dir; parent != "/tmp" && len(parent) > 4; parent = filepath.Dir(parent) {
		must(t, os.Chmod(parent, 0o755))
	}
	nobody := func(cmd *exec.Cmd) {
		if os.Getuid() == 0 { // permissions do not bind root
			binary := filepath.Join(dir, "child")
			must(t, os.Link(os.Args[0], binary))
			cmd.Path = binary
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			return
		}
		must(t, os.Chmod(dir, 0o500))
	}
	cmd, line := child(t, "barred", dir, nobody)
	if !strings.HasPrefix(line, "unwritable: ") || !strings.Contains(line, "permission denied") || !strings.Contains(line, dir) {
		t.Error(line)
	}
	must(t, cmd.Wait())
	must(t, os.Chmod(dir, 0o700))
}
