package fleet

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"
)

// TrustedCertificate is a certificate that somebody trusts a server to have, whoever signed it. A server may have several:
// one on each machine behind a name.
type TrustedCertificate struct {
	Server string            // as in logins: the address that is dialled, with a port where it is an unusual one
	SHA256 [sha256.Size]byte // of the whole certificate
	// What it said of itself, at most maxText bytes each; empty and zero where it was never seen. From outside.
	Names  string
	Issuer string
	Ends   time.Time
	Added  time.Time
}

// trustedSchema makes the table of trusted certificates.
func trustedSchema() []string {
	return []string{
		`CREATE TABLE trusted (
			server TEXT NOT NULL, sha256 BLOB NOT NULL, names TEXT NOT NULL, issuer TEXT NOT NULL, ends INTEGER NOT NULL,
			added INTEGER NOT NULL, PRIMARY KEY (server, sha256)) WITHOUT ROWID`,
	}
}

// mostTrusted bounds what is kept of one server.
const mostTrusted = 16

// ErrTooManyTrusted: a server has so many trusted certificates already that one more is no trust at all.
var ErrTooManyTrusted = errors.New("16 certificates of this server are trusted already")

// Trust adds a certificate to those of its server.
func (f *Fleet) Trust(ctx context.Context, t TrustedCertificate) error { return f.trust(ctx, t, false) }

// TrustOnly makes a certificate the only one of its server.
func (f *Fleet) TrustOnly(ctx context.Context, t TrustedCertificate) error {
	return f.trust(ctx, t, true)
}

func (f *Fleet) trust(ctx context.Context, t TrustedCertificate, only bool) error {
	tooMany := false
	err := f.update(ctx, func(c *sql.Conn) error {
		server := normal(t.Server)
		if only {
			if _, err := c.ExecContext(ctx, `DELETE FROM trusted WHERE server = ?`, server); err != nil {
				return err
			}
		}
		var n int
		err := c.QueryRowContext(ctx, `SELECT count(*) FROM trusted WHERE server = ? AND sha256 <> ?`, server, t.SHA256[:]).Scan(&n)
		if err != nil {
			return err
		}
		if tooMany = n >= mostTrusted; tooMany {
			return nil
		}
		_, err = c.ExecContext(ctx, `INSERT OR REPLACE INTO trusted (server, sha256, names, issuer, ends, added) VALUES (?, ?, ?, ?, ?, ?)`,
			server, t.SHA256[:], clean(t.Names, nil), clean(t.Issuer, nil), millis(t.Ends), millis(t.Added))
		return err
	})
	if err == nil && tooMany {
		return ErrTooManyTrusted
	}
	return f.fail(ctx, "trust a certificate", err)
}

// Trusted gives the certificates that a server is trusted to have, the latest first; those of all servers, in their order,
// where it is empty.
func (f *Fleet) Trusted(ctx context.Context, server string) (all []TrustedCertificate, err error) {
	err = func() error {
		rows, err := f.db.QueryContext(ctx, `SELECT server, sha256, names, issuer, ends, added FROM trusted
			WHERE ?1 = '' OR server = ?1 ORDER BY server, added DESC, sha256`, normal(server))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				t           TrustedCertificate
				sum         []byte
				ends, added int64
			)
			if err := rows.Scan(&t.Server, &sum, &t.Names, &t.Issuer, &ends, &added); err != nil {
				return err
			}
			if len(sum) != len(t.SHA256) {
				return errUnsound
			}
			t.SHA256, t.Ends, t.Added = [sha256.Size]byte(sum), moment(ends), moment(added)
			all = append(all, t)
		}
		return rows.Err()
	}()
	return all, f.fail(ctx, "read trusted certificates", err)
}

// Distrust removes one certificate of a server, or all where sum is nil, and says how many there were.
func (f *Fleet) Distrust(ctx context.Context, server string, sum *[sha256.Size]byte) (n int64, err error) {
	query, args := `DELETE FROM trusted WHERE server = ?`, []any{normal(server)}
	if sum != nil {
		query, args = query+` AND sha256 = ?`, append(args, sum[:])
	}
	r, err := f.db.ExecContext(ctx, query, args...)
	if err == nil {
		n, err = r.RowsAffected()
	}
	return n, f.fail(ctx, "forget a certificate", err)
}
