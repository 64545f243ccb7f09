package fleet

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Group is how far the cutover of a group is. The states are words of the command that keeps them.
type Group struct {
	Name  string
	State string
	Since time.Time // when State became what it is
	Why   string    // who or what made it so; at most maxText bytes
	// Trouble is since when an account of it fails; zero: none does.
	Trouble time.Time
	// Safe is when somebody was told that a switch is safe; zero: nobody was since State is what it is.
	Safe time.Time
	// From is, of a change, the state that it was made for: ErrGroupMoved where the group is in another one by then.
	// "": the group is not kept yet.
	From string
}

// Step is a state that a group came to.
type Step struct {
	State string
	At    time.Time
	Why   string
}

// ErrGroupMoved: another process took the group to another state meanwhile. Nothing of the change was kept.
var ErrGroupMoved = errors.New("the group's state was changed by another process")

// Change is what is kept together, in one transaction: nobody is told of what did not happen, and nothing happens of
// which nobody is told.
type Change struct {
	Outcomes []Outcome
	Groups   []Group
	Notes    []Note // each is kept once for its Key, Channel and Recipient
}

// Keep keeps a change. ErrGroupMoved where a group is not in the state From any more.
func (f *Fleet) Keep(ctx context.Context, change Change) error {
	if len(change.Outcomes)+len(change.Groups)+len(change.Notes) == 0 {
		return nil
	}
	err := f.update(ctx, func(c *sql.Conn) error {
		for _, o := range change.Outcomes {
			if err := keepOutcome(ctx, c, o); err != nil {
				return err
			}
		}
		for _, g := range change.Groups {
			if err := keepGroup(ctx, c, g); err != nil {
				return err
			}
		}
		for _, n := range change.Notes {
			if err := keepNote(ctx, c, n); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrGroupMoved) {
		return err
	}
	return f.fail(ctx, "note a change", err)
}

// keepGroup writes a group, and a step where its state is another one than before.
func keepGroup(ctx context.Context, c *sql.Conn, g Group) error {
	var now string
	err := c.QueryRowContext(ctx, `SELECT state FROM groups WHERE name = ?`, g.Name).Scan(&now)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if now != g.From {
		return ErrGroupMoved
	}
	g.Why = clean(g.Why, nil)
	if _, err := c.ExecContext(ctx, `INSERT OR REPLACE INTO groups (name, state, since, why, trouble, safe) VALUES (?, ?, ?, ?, ?, ?)`,
		g.Name, g.State, millis(g.Since), g.Why, millis(g.Trouble), millis(g.Safe)); err != nil {
		return err
	}
	if now == g.State {
		return nil
	}
	_, err = c.ExecContext(ctx, `INSERT INTO steps (name, state, at, why) VALUES (?, ?, ?, ?)`, g.Name, g.State, millis(g.Since), g.Why)
	return err
}

// Groups gives the groups that are kept, by name.
func (f *Fleet) Groups(ctx context.Context) (map[string]Group, error) {
	all := make(map[string]Group)
	err := f.visit(ctx, `SELECT name, state, since, why, trouble, safe FROM groups`, nil, func(rows *sql.Rows) error {
		var (
			g                    Group
			since, trouble, safe int64
		)
		if err := rows.Scan(&g.Name, &g.State, &since, &g.Why, &trouble, &safe); err != nil {
			return err
		}
		g.Since, g.Trouble, g.Safe = moment(since), moment(trouble), moment(safe)
		all[g.Name] = g
		return nil
	})
	return all, f.fail(ctx, "read groups", err)
}

// Steps gives the states that a group came to, the first one first.
func (f *Fleet) Steps(ctx context.Context, group string) (all []Step, err error) {
	err = f.visit(ctx, `SELECT state, at, why FROM steps WHERE name = ? ORDER BY id`, []any{group}, func(rows *sql.Rows) error {
		var (
			s  Step
			at int64
		)
		if err := rows.Scan(&s.State, &at, &s.Why); err != nil {
			return err
		}
		s.At = moment(at)
		all = append(all, s)
		return nil
	})
	return all, f.fail(ctx, "read steps", err)
}

// visit goes through the rows of a query.
func (f *Fleet) visit(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	rows, err := f.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
