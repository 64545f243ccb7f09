package state

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// Exception is a message or folder that could not be carried as it is.
type Exception struct {
	ID        int64  // of the row; not looked at by PutException
	Pair      int64  // 0: no folder pair, the account or a folder that could not be planned
	Folder    string // source, decoded; with Pair 0 it belongs to the identity
	UID       uint32 // source; 0: the folder
	Flag      string // with the reason flag: which one; it belongs to the identity
	Reason    string // one word of the table in docs/state.md
	Code      string // the server's response code, may be empty
	Detail    string // the server's words
	MessageID string // short, optional, to find the message by
	Subject   string
	Date      string
	FirstPass int64 // the pass that reported it first; 0 in PutException: LastPass
	LastPass  int64 // the pass that saw it last
	Accepted  bool  // by the admin: known and agreed to
}

// maxExceptionText bounds each text of an exception, in bytes: they come from servers and mail.
const maxExceptionText = 500

// PutException stores an exception, one for each pair, source UID, reason and flag. Of one that is there already the
// texts and LastPass are brought up to date, FirstPass stays, and Accepted stays set once it is. isNew: it was
// not there, the pass that found it first was killed and never reported it, or it was asked for again (Retry); never
// where it is accepted.
func (f *File) PutException(ctx context.Context, e Exception) (isNew bool, err error) {
	if e.Reason == "" {
		return false, f.fail("store exception", errors.New("an exception needs a reason"))
	}
	if e.FirstPass == 0 {
		e.FirstPass = e.LastPass
	}
	for _, s := range []*string{&e.Folder, &e.Flag, &e.Code, &e.Detail, &e.MessageID, &e.Subject, &e.Date} {
		*s = shorten(*s, maxExceptionText)
	}
	err = f.write(ctx, "store exception", func(t *tx) error {
		isNew, err = t.putException(e)
		return err
	})
	return isNew && err == nil, err
}

func (t *tx) putException(e Exception) (isNew bool, err error) {
	var id, first, accepted int64
	err = t.queryRow(`SELECT id, first_pass, accepted FROM exceptions
		WHERE pair = ?1 AND uid = ?2 AND reason = ?3 AND (?1 > 0 OR folder = ?4) AND flag = ?5 COLLATE NOCASE`,
		[]any{e.Pair, e.UID, e.Reason, e.Folder, e.Flag}, &id, &first, &accepted)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = t.exec(`INSERT INTO exceptions (pair, folder, uid, reason, code, detail, message_id, subject, date, first_pass, last_pass, accepted, flag)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, e.Pair, e.Folder, e.UID, e.Reason, e.Code, e.Detail,
			e.MessageID, e.Subject, e.Date, e.FirstPass, e.LastPass, number(e.Accepted), e.Flag)
		return true, err
	}
	if err != nil {
		return false, err
	}
	if first != e.LastPass {
		// A pass without an end was killed: what it found was never shown to anyone.
		err = t.queryRow(`SELECT EXISTS (SELECT 1 FROM passes WHERE id = ? AND ended = 0)`, []any{first}, &isNew)
		if err != nil {
			return false, err
		}
		if isNew = isNew || first == askedAgain; isNew {
			first = e.LastPass
		}
	}
	_, err = t.exec(`UPDATE exceptions SET folder = ?, code = ?, detail = ?, message_id = ?, subject = ?, date = ?,
		first_pass = ?, last_pass = ?, accepted = max(accepted, ?) WHERE id = ?`, e.Folder, e.Code, e.Detail,
		e.MessageID, e.Subject, e.Date, first, e.LastPass, number(e.Accepted), id)
	return isNew && accepted == 0, err
}

// ClearExceptions removes the exceptions of these source UIDs; UID 0 stands for those of the folder itself, and
// with pair 0 for those of the account.
func (f *File) ClearExceptions(ctx context.Context, pair int64, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	return f.write(ctx, "clear exceptions", func(t *tx) error {
		for _, uid := range uids {
			if _, err := t.exec(`DELETE FROM exceptions WHERE pair = ? AND uid = ?`, pair, uid); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClearException removes the exception of one source UID and reason.
func (f *File) ClearException(ctx context.Context, pair int64, uid uint32, reason string) error {
	return f.write(ctx, "clear exceptions", func(t *tx) error {
		_, err := t.exec(`DELETE FROM exceptions WHERE pair = ? AND uid = ? AND reason = ?`, pair, uid, reason)
		return err
	})
}

// ClearAccountExceptions removes the account's own exceptions (pair 0, UID 0) of one reason, but for those of the
// flags in keep.
func (f *File) ClearAccountExceptions(ctx context.Context, reason string, keep []string) error {
	flags, err := queryAll(ctx, f.reader, `SELECT flag FROM exceptions WHERE pair = 0 AND uid = 0 AND reason = ?`,
		func(rows *sql.Rows) (flag string, err error) { return flag, rows.Scan(&flag) }, reason)
	if err != nil {
		return f.fail("read exceptions", err)
	}
	flags = slices.DeleteFunc(flags, func(flag string) bool {
		return slices.ContainsFunc(keep, func(k string) bool { return strings.EqualFold(shorten(k, maxExceptionText), flag) })
	})
	if len(flags) == 0 {
		return nil
	}
	return f.write(ctx, "clear exceptions", func(t *tx) error {
		for _, flag := range flags {
			if _, err := t.exec(`DELETE FROM exceptions WHERE pair = 0 AND uid = 0 AND reason = ? AND flag = ?`, reason, flag); err != nil {
				return err
			}
		}
		return nil
	})
}

// Exceptions gives all exceptions, by folder pair and source UID.
func (f *File) Exceptions(ctx context.Context) ([]Exception, error) {
	all, err := queryExceptions(ctx, f.reader, -1)
	return all, f.fail("read exceptions", err)
}

// EachException calls fn for every exception, in the order in which they were found; an error of fn ends it and is returned.
// It reads in pieces and holds no lock and no connection while fn runs.
func (f *File) EachException(ctx context.Context, fn func(Exception) error) error {
	for last := int64(0); ; {
		list, err := queryAll(ctx, f.reader, `SELECT `+exceptionColumns+` FROM exceptions WHERE id > ? ORDER BY id LIMIT ?`,
			scanException, last, readChunk)
		if err != nil {
			return f.fail("read exceptions", err)
		}
		for _, e := range list {
			if err := fn(e); err != nil {
				return err
			}
		}
		if len(list) < readChunk {
			return nil
		}
		last = list[len(list)-1].ID
	}
}

// AccountExceptions gives those of one reason that are of no folder pair: few, whatever the account holds.
func (f *File) AccountExceptions(ctx context.Context, reason string) ([]Exception, error) {
	list, err := queryAll(ctx, f.reader, `SELECT `+exceptionColumns+` FROM exceptions WHERE pair = 0 AND reason = ? ORDER BY uid, folder, flag`,
		scanException, reason)
	return list, f.fail("read exceptions", err)
}

// ExceptionUIDs gives the source UIDs of a pair that have exceptions, ascending.
func (f *File) ExceptionUIDs(ctx context.Context, pair int64) ([]uint32, error) {
	uids, err := queryAll(ctx, f.reader, `SELECT DISTINCT uid FROM exceptions WHERE pair = ? AND uid > 0 ORDER BY uid`,
		func(rows *sql.Rows) (uid uint32, err error) { return uid, rows.Scan(&uid) }, pair)
	return uids, f.fail("read exceptions", err)
}

// CountExceptions counts all exceptions, and those that the admin has accepted.
func (f *File) CountExceptions(ctx context.Context) (all, accepted int64, err error) {
	err = f.reader.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(accepted <> 0), 0) FROM exceptions`).Scan(&all, &accepted)
	return all, accepted, f.fail("count exceptions", err)
}

// queryExceptions gives at most limit exceptions, all with -1.
func queryExceptions(ctx context.Context, db *sql.DB, limit int) ([]Exception, error) {
	return queryAll(ctx, db, `SELECT `+exceptionColumns+`
		FROM exceptions ORDER BY pair, uid, folder, reason, flag LIMIT ?`, scanException, limit)
}

const exceptionColumns = `id, pair, folder, uid, reason, code, detail, message_id, subject, date, first_pass, last_pass, accepted, flag`

func scanException(rows *sql.Rows) (e Exception, err error) {
	return e, rows.Scan(&e.ID, &e.Pair, &e.Folder, &e.UID, &e.Reason, &e.Code, &e.Detail, &e.MessageID, &e.Subject, &e.Date,
		&e.FirstPass, &e.LastPass, &e.Accepted, &e.Flag)
}

// shorten cuts s to at most n bytes, not inside a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
