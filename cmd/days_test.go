package cmd

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// letPass is the script command
//
//	days N
//
// after which everything in the state folder happened N days earlier, and what waits is due.
func letPass(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: days N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(passDays(ts.Getenv("MAILMOVE_STATE_DIR"), n))
}

// passDays lets so many days pass for what is kept in a state folder.
func passDays(dir string, n int) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	ms := strconv.Itoa(n * 24 * 60 * 60 * 1000)
	paths, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		queries := []string{`UPDATE passes SET started = started - ` + ms + `, ended = ended - ` + ms}
		if strings.HasSuffix(path, "fleet.db") {
			queries = []string{
				`UPDATE groups SET since = since - ` + ms,
				`UPDATE outcomes SET last = last - ` + ms + `, good = max(0, good - ` + ms + `), mail = max(0, mail - ` + ms + `)`,
				`UPDATE ttl_seen SET first = first - ` + ms + `, last = last - ` + ms + `, ended = max(0, ended - ` + ms + `)`,
				`UPDATE notes SET due = 0, created = created - ` + ms,
			}
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			return err
		}
		for _, query := range queries {
			_, e := db.Exec(query)
			err = errors.Join(err, e)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
	return nil
}
