package fleet

import (
	"context"
	"database/sql"
	"time"
)

// Outcome is how the last pass over an account ended, or why there was none.
type Outcome struct {
	Account string
	Word    string // done, exceptions, stopped, busy or failed; waiting: there was no pass, and somebody was told why
	Code    int    // what a run over this account alone would have ended with
	Text    string // the error, where it failed; at most maxText bytes
	// Times are to the millisecond; zero: never.
	Since      time.Time // when Code became what it is
	Last       time.Time // when the last pass ended
	Good       time.Time // when the last pass ended that came to its end
	Told       time.Time // when somebody who wants to hear only of what is new was told of Code
	Mail       time.Time // when a pass last copied something
	Final      bool      // a final pass is behind the account
	Exceptions int64     // that are open, and nobody agreed to
}

// Outcomes gives what is kept, by account.
func (f *Fleet) Outcomes(ctx context.Context) (map[string]Outcome, error) {
	return f.outcomes(ctx, ``)
}

// Outcome gives what is kept of one account, if anything is.
func (f *Fleet) Outcome(ctx context.Context, account string) (o Outcome, known bool, err error) {
	all, err := f.outcomes(ctx, ` WHERE account = ?`, account)
	o, known = all[account]
	return o, known, err
}

func (f *Fleet) outcomes(ctx context.Context, where string, args ...any) (map[string]Outcome, error) {
	all := make(map[string]Outcome)
	err := func() (err error) {
		rows, err := f.db.QueryContext(ctx, `SELECT account, word, code, text, since, last, good, told, mail, final, exceptions FROM outcomes`+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				o                             Outcome
				since, last, good, told, mail int64
			)
			if err := rows.Scan(&o.Account, &o.Word, &o.Code, &o.Text, &since, &last, &good, &told, &mail, &o.Final, &o.Exceptions); err != nil {
				return err
			}
			o.Since, o.Last, o.Good, o.Told, o.Mail = moment(since), moment(last), moment(good), moment(told), moment(mail)
			all[o.Account] = o
		}
		return rows.Err()
	}()
	return all, f.fail(ctx, "read outcomes", err)
}

// Record keeps outcomes, each in place of what was kept of its account. One transaction.
func (f *Fleet) Record(ctx context.Context, all ...Outcome) error {
	return f.Keep(ctx, Change{Outcomes: all})
}

func keepOutcome(ctx context.Context, c *sql.Conn, o Outcome) error {
	_, err := c.ExecContext(ctx, `INSERT OR REPLACE INTO outcomes (account, word, code, text, since, last, good, told, mail, final, exceptions)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, o.Account, o.Word, o.Code, clean(o.Text, nil),
		millis(o.Since), millis(o.Last), millis(o.Good), millis(o.Told), millis(o.Mail), o.Final, o.Exceptions)
	return err
}

// ForgetOutcome removes what is kept of an account; nothing is no error.
func (f *Fleet) ForgetOutcome(ctx context.Context, account string) error {
	_, err := f.db.ExecContext(ctx, `DELETE FROM outcomes WHERE account = ?`, account)
	return f.fail(ctx, "forget an outcome", err)
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
