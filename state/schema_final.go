package state

// finalStep is version 4. A program that does not know it would carry flags, moves and deletions into a mailbox that is
// lived in since its final pass, and take what was carried back to the source for new mail of the source.
func finalStep() step {
	return step{
		`DROP VIEW messages`,
		`DROP VIEW intents`,
		// UNIQUE cannot be changed in place: a folder of either side may be the first of a pair in both directions.
		`CREATE TABLE pairs_4 (
			id INTEGER PRIMARY KEY, reverse INTEGER NOT NULL DEFAULT 0,
			source TEXT NOT NULL, target TEXT NOT NULL,
			source_name TEXT NOT NULL, target_name TEXT NOT NULL,
			source_mailboxid TEXT NOT NULL, target_mailboxid TEXT NOT NULL,
			source_uidvalidity INTEGER NOT NULL DEFAULT 0, source_uidnext INTEGER NOT NULL DEFAULT 0,
			source_messages INTEGER NOT NULL DEFAULT 0, source_highestmodseq INTEGER NOT NULL DEFAULT 0,
			target_uidvalidity INTEGER NOT NULL DEFAULT 0, target_uidnext INTEGER NOT NULL DEFAULT 0,
			target_messages INTEGER NOT NULL DEFAULT 0, target_highestmodseq INTEGER NOT NULL DEFAULT 0,
			UNIQUE (reverse, source))`,
		`INSERT INTO pairs_4 (id, reverse, source, target, source_name, target_name, source_mailboxid, target_mailboxid,
			source_uidvalidity, source_uidnext, source_messages, source_highestmodseq,
			target_uidvalidity, target_uidnext, target_messages, target_highestmodseq)
			SELECT id, 0, source, target, source_name, target_name, source_mailboxid, target_mailboxid,
			source_uidvalidity, source_uidnext, source_messages, source_highestmodseq,
			target_uidvalidity, target_uidnext, target_messages, target_highestmodseq FROM pairs`,
		`DROP TABLE pairs`,
		`ALTER TABLE pairs_4 RENAME TO pairs`,
		`CREATE TABLE floors (folder TEXT PRIMARY KEY, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL,
			messages INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE VIEW messages AS SELECT p.source_name AS folder, p.reverse, l.source_uid, l.target_uid,
			CASE l.status WHEN 0 THEN 'stored' WHEN 1 THEN 'gone-on-target' WHEN 2 THEN 'refused' WHEN 3 THEN 'gone-on-source'
				WHEN 4 THEN 'moved-on-target' WHEN 5 THEN 'deferred' ELSE l.status END AS status,
			l.size, CASE l.date WHEN 0 THEN NULL ELSE datetime(l.date, 'unixepoch') END AS date, f.flags,
			lower(hex(l.fingerprint)) AS fingerprint, lower(hex(l.digest)) AS digest
			FROM ledger l LEFT JOIN pairs p ON p.id = l.pair LEFT JOIN flagsets f ON f.id = l.flags`,
		`CREATE VIEW intents AS SELECT w.id, p.source_name AS folder, p.target_name AS target_folder, p.reverse, w.pass,
			CASE w.state WHEN 0 THEN 'open' WHEN 1 THEN 'watched' ELSE w.state END AS state,
			datetime(w.created / 1000, 'unixepoch') AS created, w.uidvalidity, w.floor, w.messages, w.source_uids
			FROM windows w LEFT JOIN pairs p ON p.id = w.pair`,
	}
}
