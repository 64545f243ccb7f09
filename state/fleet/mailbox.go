package fleet

import (
	"context"
	"database/sql"
	"net"
	"strings"
)

// Mailbox is whose failed logins are meant: at the server by any port, as the user itself or through an admin. Case does not count.
type Mailbox struct{ Server, User string }

func (m Mailbox) is(a account) bool {
	server := a.server
	if host, _, err := net.SplitHostPort(server); err == nil {
		server = host
	}
	user := a.user
	if _, whose, ok := strings.Cut(user, " for "); ok { // an admin's login, see package cmd
		user = whose
	}
	return strings.EqualFold(server, normal(m.Server)) && strings.EqualFold(user, m.User)
}

// ForgetMailboxes removes the failed logins of mailboxes and says how many there were. A server that was left alone for
// them only is tried again.
func (f *Fleet) ForgetMailboxes(ctx context.Context, boxes []Mailbox) (n int, err error) {
	err = f.update(ctx, func(c *sql.Conn) error {
		found, err := failedOf(ctx, c, boxes)
		if err != nil {
			return err
		}
		for _, a := range found {
			if _, err := c.ExecContext(ctx, `DELETE FROM logins WHERE server = ? AND user = ?`, a.server, a.user); err != nil {
				return err
			}
			if _, err := c.ExecContext(ctx, `DELETE FROM servers WHERE server = ?1
				AND NOT EXISTS (SELECT 1 FROM logins WHERE server = ?1 AND in_row = 1)`, a.server); err != nil {
				return err
			}
		}
		n = len(found)
		return nil
	})
	return n, f.fail(ctx, "forget failed logins", err)
}

func failedOf(ctx context.Context, c *sql.Conn, boxes []Mailbox) (found []account, err error) {
	rows, err := c.QueryContext(ctx, `SELECT server, user FROM logins`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a account
		if err := rows.Scan(&a.server, &a.user); err != nil {
			return nil, err
		}
		for _, m := range boxes {
			if m.is(a) {
				found = append(found, a)
				break
			}
		}
	}
	return found, rows.Err()
}
