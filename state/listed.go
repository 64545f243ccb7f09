package state

import (
	"context"
	"database/sql"
)

// ListedException is an exception as it stands in the file.
type ListedException struct {
	Exception
	New bool // found by the newest pass, or by one that was killed before it could report
}

const listedPage = 2000 // exceptions that are held at once

// ReadExceptions shows fn every exception of a state file by folder and source UID, also while a pass is running, and
// gives the account's id. It holds no lock and no file while fn runs, which may be slow; what a pass changes meanwhile
// may show or not. An error of fn ends it and is returned. Other errors are those of Inspect.
func ReadExceptions(ctx context.Context, path string, fn func(account string, e ListedException) error) error {
	var last ListedException
	for {
		s := Summary{Path: path}
		var page []ListedException
		err := s.reading(ctx, func(db *sql.DB) (err error) {
			if err := s.readMeta(ctx, db); err != nil {
				return err
			}
			page, err = queryAll(ctx, db, `SELECT `+exceptionColumns+`,
				accepted = 0 AND first_pass <> ?5 AND (first_pass = (SELECT coalesce(max(id), 0) FROM passes) OR
					EXISTS (SELECT 1 FROM passes p WHERE p.id = first_pass AND p.ended = 0))
				FROM exceptions WHERE (folder, uid, id) > (?1, ?2, ?3) ORDER BY folder, uid, id LIMIT ?4`, scanListed,
				last.Folder, last.UID, last.ID, listedPage, askedAgain)
			return err
		})
		if err != nil {
			return classify(path, "read exceptions", err)
		}
		for _, e := range page {
			if err := fn(s.Account, e); err != nil {
				return err
			}
		}
		if len(page) < listedPage {
			return nil
		}
		last = page[len(page)-1]
	}
}

func scanListed(rows *sql.Rows) (e ListedException, err error) {
	return e, rows.Scan(&e.ID, &e.Pair, &e.Folder, &e.UID, &e.Reason, &e.Code, &e.Detail, &e.MessageID, &e.Subject, &e.Date,
		&e.FirstPass, &e.LastPass, &e.Accepted, &e.Flag, &e.New)
}
