package state

// deletionsStep is version 5. A program that does not know it would leave a deletion that was begun as it is, with a copy
// marked \Deleted on the target.
func deletionsStep() step {
	return step{
		`CREATE TABLE deletions (
			id INTEGER PRIMARY KEY AUTOINCREMENT, pair INTEGER NOT NULL, pass INTEGER NOT NULL,
			source_uid INTEGER NOT NULL, target_uid INTEGER NOT NULL, uidvalidity INTEGER NOT NULL,
			how INTEGER NOT NULL, trash TEXT NOT NULL, trash_uidvalidity INTEGER NOT NULL, floor INTEGER NOT NULL,
			state INTEGER NOT NULL, time INTEGER NOT NULL)`,
		`CREATE INDEX deletions_open ON deletions (id) WHERE state = 0`,
		// Copies that may be deleted: those of messages that left the source and that we stored.
		`CREATE INDEX ledger_left ON ledger (pair, source_uid) WHERE status = 3 AND target_uid > 0 AND window > 0`,
		`ALTER TABLE windows ADD COLUMN foreign_uids TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE passes ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0`,
		`DROP VIEW history`,
		`CREATE VIEW history AS SELECT id AS pass, datetime(started / 1000, 'unixepoch') AS started,
			CASE ended WHEN 0 THEN NULL ELSE round((ended - started) / 1000.0, 1) END AS seconds,
			result, error, folders, source_messages, copied, copied_bytes, matched, flags, recovered, doubles,
			exceptions, new_exceptions, deferred, deleted FROM passes`,
		`CREATE VIEW deleted AS SELECT d.id, p.source_name AS folder, p.target_name AS target_folder, d.pass,
			CASE d.how WHEN 1 THEN 'trash' WHEN 2 THEN 'expunge' ELSE d.how END AS how,
			CASE d.state WHEN 0 THEN 'open' WHEN 1 THEN 'done' ELSE d.state END AS state,
			datetime(d.time / 1000, 'unixepoch') AS time, d.source_uid, d.target_uid, d.uidvalidity, d.trash
			FROM deletions d LEFT JOIN pairs p ON p.id = d.pair`,
	}
}
