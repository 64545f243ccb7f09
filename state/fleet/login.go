package fleet

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	keepLogins = 30 * 24 * time.Hour // what failed longer ago is forgotten
	maxText    = 500                 // bytes of what a server said
)

// retryAfter is how long a credential is not tried again after so many failures.
func retryAfter(failures int) time.Duration {
	delays := [...]time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour}
	return delays[max(min(failures, len(delays)), 1)-1]
}

// Login is who logs in where. Server is the host, with the port where that tells servers apart. Credential is
// what somebody would change to put a failure right: the password; of a token that is renewed by itself, what it
// is got with. It is not kept.
type Login struct {
	Server, User string
	Credential   []byte
	Began        time.Time // of the try that is told; zero: when it ended
	Worked       bool      // its last pass came to its end, so the login is sound as far as anybody knows
}

// account normalises: host names are not case-sensitive and may end in a dot, users are left as they are.
func (l Login) account() account { return account{normal(l.Server), l.User} }

func normal(server string) string { return strings.ToLower(strings.TrimSuffix(server, ".")) }

// digest tells one credential from another.
type digest [16]byte

// digest is HMAC-SHA-256 with the file's key, half of it. Server and user are in it, so that two accounts with
// one password do not show that. Each part follows its length: no two logins are the same bytes.
func (f *Fleet) digest(l Login) digest {
	a := l.account()
	h := hmac.New(sha256.New, f.key)
	for _, part := range [][]byte{[]byte(a.server), []byte(a.user), l.Credential} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return digest(h.Sum(nil)[:len(digest{})])
}

// MayTry says whether a login may be tried now: nil, or a *BlockedError. A credential that failed waits 1 h, 4 h,
// then 24 h, and does not come again in this run; another one may be tried at once. Where a server's breaker is
// open everybody waits; when its time is up, nil makes this login the one probe, so ask only before trying, once for
// each try, and tell how it ended. A login that worked before need not wait for that time, for no server blocks an address
// for logins that work: it is the probe at once, unless such a one has failed since the breaker opened. A person who insists does not ask, but tells as well.
func (f *Fleet) MayTry(ctx context.Context, l Login, now time.Time) error {
	a, d := l.account(), f.digest(l)
	blocked, err := f.failedBefore(ctx, a, d, now)
	if err == nil && blocked != nil {
		err = blocked
	}
	if err == nil {
		err = f.mayProbe(ctx, a, l.Worked, now)
	}
	return f.fail(ctx, "read failed logins", err)
}

// failedBefore gives the error for a credential that failed and must wait; nil where there is none.
func (f *Fleet) failedBefore(ctx context.Context, a account, d digest, now time.Time) (*BlockedError, error) {
	var (
		known       []byte
		first, last int64
	)
	e := &BlockedError{Host: a.server, User: a.user}
	err := f.db.QueryRowContext(ctx, `SELECT digest, failures, first, last, text FROM logins WHERE server = ? AND user = ?`, a.server, a.user).
		Scan(&known, &e.Failures, &first, &last, &e.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil || !bytes.Equal(known, d[:]) {
		return nil, err
	}
	e.Since, e.Until = time.UnixMilli(first), time.UnixMilli(last).Add(retryAfter(e.Failures))
	f.mu.Lock()
	again, here := f.failed[a]
	f.mu.Unlock()
	e.Run = here && again == d && !now.Before(e.Until)
	believed := last <= now.Add(clockSlack).UnixMilli()
	if e.Run || believed && now.Before(e.Until) {
		return e, nil
	}
	return nil, nil
}

// Failed notes that the server refused the credential, with what it said. Not for failures that say nothing of it:
// no connection, a server that is busy. It is in no row where a login worked that began later: servers answer wrong
// passwords slowly, so of several at once the failures end last, whatever worked between them.
func (f *Fleet) Failed(ctx context.Context, l Login, now time.Time, text string) error {
	a, d := l.account(), f.digest(l)
	text = clean(text, l.Credential)
	f.mu.Lock()
	f.failed[a] = d
	inRow := l.Began.IsZero() || !f.worked[a.server].After(l.Began)
	f.mu.Unlock()
	err := f.update(ctx, func(c *sql.Conn) error {
		old := forgetOld(now)
		if _, err := c.ExecContext(ctx, old.query, old.args...); err != nil {
			return err
		}
		// The count goes on for the same credential and begins anew for another.
		_, err := c.ExecContext(ctx, `INSERT INTO logins (server, user, digest, failures, first, last, in_row, text)
			VALUES (?1, ?2, ?3, 1, ?4, ?4, ?6, ?5) ON CONFLICT (server, user) DO UPDATE SET
			failures = CASE WHEN digest = excluded.digest THEN failures + 1 ELSE 1 END,
			first = CASE WHEN digest = excluded.digest THEN min(first, excluded.first) ELSE excluded.first END,
			digest = excluded.digest, last = excluded.last, in_row = excluded.in_row, text = excluded.text`,
			a.server, a.user, d[:], now.UnixMilli(), text, inRow)
		if err != nil || !inRow {
			return err
		}
		return countFailure(ctx, c, a, l.Worked, now)
	})
	return f.fail(ctx, "note a failed login", err)
}

// Succeeded notes that a login worked: its failures are forgotten, and the server's breaker is closed. Where
// there is nothing to forget it only reads.
func (f *Fleet) Succeeded(ctx context.Context, l Login, now time.Time) error {
	a := l.account()
	f.mu.Lock()
	delete(f.failed, a)
	if l.Began.IsZero() {
		l.Began = now
	}
	if l.Began.After(f.worked[a.server]) {
		f.worked[a.server] = l.Began
	}
	f.mu.Unlock()
	var known bool
	err := f.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM logins WHERE server = ?1 AND (user = ?2 OR in_row = 1))
		OR EXISTS (SELECT 1 FROM servers WHERE server = ?1)`, a.server, a.user).Scan(&known)
	if err == nil && known {
		err = f.run(ctx, []statement{
			forgetOld(now),
			{`DELETE FROM logins WHERE server = ? AND user = ?`, []any{a.server, a.user}},
			{`UPDATE logins SET in_row = 0 WHERE server = ? AND in_row = 1`, []any{a.server}},
			{`DELETE FROM servers WHERE server = ?`, []any{a.server}},
		})
	}
	return f.fail(ctx, "note a login", err)
}

// Forget removes what is known of a login; with an empty user, of all logins to the server and the server itself.
// What is not known is no error.
func (f *Fleet) Forget(ctx context.Context, server, user string) error {
	server = normal(server)
	f.mu.Lock()
	for a := range f.failed {
		if a.server == server && (user == "" || a.user == user) {
			delete(f.failed, a)
		}
	}
	f.mu.Unlock()
	err := f.run(ctx, []statement{
		{`DELETE FROM logins WHERE server = ?1 AND (user = ?2 OR ?2 = '')`, []any{server, user}},
		{`DELETE FROM servers WHERE server = ?1 AND ?2 = ''`, []any{server, user}},
	})
	return f.fail(ctx, "forget a login", err)
}

type statement struct {
	query string
	args  []any
}

// forgetOld keeps the file from growing with every user that ever failed.
func forgetOld(now time.Time) statement {
	return statement{`DELETE FROM logins WHERE last < ?`, []any{now.Add(-keepLogins).UnixMilli()}}
}

// run executes statements in one transaction.
func (f *Fleet) run(ctx context.Context, all []statement) error {
	return f.update(ctx, func(c *sql.Conn) error {
		for _, s := range all {
			if _, err := c.ExecContext(ctx, s.query, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// clean is what may be kept of a server's words: one line, bounded, and nothing at all where they repeat the
// credential.
func clean(text string, credential []byte) string {
	if len(credential) > 0 && strings.Contains(text, string(credential)) {
		return ""
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxText {
		n := maxText
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	return text
}
