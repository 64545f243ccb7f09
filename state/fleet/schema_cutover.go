package fleet

// cutoverTables are those of groups on their way through a cutover, and of what is told of them.
func cutoverTables() []string {
	return []string{
		`ALTER TABLE outcomes ADD COLUMN mail INTEGER NOT NULL DEFAULT 0`,
		// What was copied before the column was there was copied by the last good pass at the latest.
		`UPDATE outcomes SET mail = good`,
		`CREATE TABLE groups (
			name TEXT PRIMARY KEY, state TEXT NOT NULL, since INTEGER NOT NULL, why TEXT NOT NULL,
			trouble INTEGER NOT NULL, safe INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE steps (
			id INTEGER PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL)`,
		`CREATE INDEX steps_by_name ON steps (name, id)`,
		`CREATE TABLE notes (
			id INTEGER PRIMARY KEY, key TEXT NOT NULL, channel TEXT NOT NULL, recipient TEXT NOT NULL, kind TEXT NOT NULL,
			name TEXT NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER NOT NULL, lease INTEGER NOT NULL,
			tries INTEGER NOT NULL, batch TEXT NOT NULL, result TEXT NOT NULL, text TEXT NOT NULL,
			UNIQUE (key, channel, recipient))`,
		`CREATE INDEX notes_waiting ON notes (due) WHERE result = ''`,
		// For people with sqlite3; the program does not read it.
		`CREATE VIEW cutover AS SELECT name, state, datetime(since / 1000, 'unixepoch') AS since, why FROM groups ORDER BY name`,
	}
}

// noteIndexes are those by which a note is found among all that was told in months: each delivery of thousands looks twice.
func noteIndexes() []string {
	return []string{
		`DROP INDEX notes_waiting`,
		`CREATE INDEX notes_in_order ON notes (id) WHERE result = ''`,
		`CREATE INDEX notes_together ON notes (recipient, channel, kind, name, batch) WHERE result = ''`,
	}
}
