package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"mailmove/cmd/internal/ui"
	"mailmove/state"
)

// bindStateDir declares the flag of the commands that work on the state alone.
func bindStateDir(set *pflag.FlagSet, dir *string) {
	set.StringVar(dir, "state-dir", "", "`DIR` of the state (default: as for sync)")
}

// stateFiles lists the state files of a folder. One that is not there is a slip, or another user's: no accounts and no
// exceptions would be taken for good news.
func stateFiles(dir string) ([]string, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, &failure{code: exitNoInput, what: fmt.Sprintf("no state in %s: there is no such folder", dir),
			hint: "give the --state-dir of the passes; the first mailmove sync makes the folder"}
	}
	return state.List(dir)
}

// accountPath finds the state file of an account that there is.
func accountPath(dir, id string) (string, error) {
	path := filepath.Join(dir, state.FileName(id))
	known, err := stateFiles(dir)
	if err == nil && !slices.Contains(known, path) {
		err = noAccount(dir, id)
	}
	return path, err
}

// noAccounts says that a folder holds none yet.
func noAccounts(w io.Writer, dir string) error {
	_, err := fmt.Fprintf(w, "no account in %s\n", ui.Clean(dir))
	return err
}

func noAccount(dir, id string) error {
	return &failure{code: exitNoInput, what: fmt.Sprintf("no account %s in %s", shown(id), dir),
		hint: "mailmove status lists the accounts"}
}

// openAccount opens the state of an account that there is, with its lock: no pass runs meanwhile.
func openAccount(ctx context.Context, dir, id string) (*state.File, error) {
	if _, err := accountPath(dir, id); err != nil {
		return nil, err
	}
	return state.Open(ctx, state.Options{Dir: dir, Account: id})
}

// accountPaths gives the state file of one account, or of all where the id is empty.
func accountPaths(dir, id string) ([]string, error) {
	if id == "" {
		return stateFiles(dir)
	}
	path, err := accountPath(dir, id)
	if err != nil {
		return nil, err
	}
	return []string{path}, nil
}
