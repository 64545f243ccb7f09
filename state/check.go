package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A file is read as a whole for damage before anything is built on it. For a large one that would cost more than a pass
// that finds nothing new: it is read when the program that had it open was killed, and else once a day. Damage that is met
// later is told all the same, by whatever reads the page.
const (
	checkUpTo  = 1 << 20 // bytes of a file that is always checked
	checkEvery = 24 * time.Hour
	metaCheck  = "checked" // when a larger file was checked last
)

// errUnsound is what quick_check found.
var errUnsound = errors.New("the integrity check failed")

// checkSoundness reads the file for damage where it is time to. log: it was not closed in good order.
func checkSoundness(ctx context.Context, db execer, path string, log, readOnly bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() <= checkUpTo {
		return quickCheck(ctx, db)
	}
	text, err := meta(ctx, db, metaCheck)
	if err != nil {
		return err
	}
	last, err := time.Parse(time.RFC3339, text)
	if age := time.Since(last); err == nil && age >= 0 && age < checkEvery && !log {
		return nil
	}
	if err := quickCheck(ctx, db); err != nil || readOnly {
		return err
	}
	return setMeta(ctx, db, metaCheck, time.Now().UTC().Format(time.RFC3339))
}

// quickCheck reads the whole file (not every index entry is compared with its row).
func quickCheck(ctx context.Context, db execer) error {
	var text string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&text); err != nil {
		return err
	}
	if text != "ok" {
		return fmt.Errorf("%w: %s", errUnsound, text)
	}
	return nil
}

// hasLog reports that a write-ahead log lies beside the file, as a killed program leaves it.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}
