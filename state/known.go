package state

import "context"

// checkEndpoints asks about what the file was made for. One without folder pairs was made for nothing yet.
func checkEndpoints(ctx context.Context, db execer, known func(source, target string) error) error {
	if known == nil {
		return nil
	}
	var used bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pairs)`).Scan(&used); err != nil || !used {
		return err
	}
	source, err := meta(ctx, db, "source")
	if err != nil {
		return err
	}
	target, err := meta(ctx, db, "target")
	if err != nil {
		return err
	}
	return known(source, target)
}
