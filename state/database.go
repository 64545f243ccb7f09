package state

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout bounds every wait for a lock inside the file; only a sqlite3 shell of the admin can hold one.
const busyTimeout = 10 * time.Second

// access is how a database is opened.
type access string

const (
	readWrite access = "mode=rw"
	readOnly  access = "mode=ro"
	// immutable: nobody writes (we hold the lock) and there is no write-ahead log; nothing is created beside.
	immutable access = "mode=ro&immutable=1"
	// readOnlyLog: nobody writes, and a killed pass left a log; its index is rebuilt in memory, not in -shm.
	readOnlyLog access = "mode=ro&readonly_shm=1"
	inMemory    access = "mode=memory"
)

// pragmas of each connection. SQLite's memory is outside Go's limit, so the cache is capped (KiB when negative)
// and nothing is mapped. synchronous=FULL: a commit is on disk when it returns, in WAL mode too.
func pragmas(a access) []string {
	common := []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"mmap_size(0)", "temp_store(MEMORY)", "trusted_schema(0)", "cell_size_check(1)",
	}
	if a == readWrite {
		return append(common, "cache_size(-2048)", "synchronous(FULL)", "journal_size_limit(4194304)")
	}
	return append(common, "cache_size(-1024)", "query_only(1)")
}

// openDB gives a database of at most conns connections; nothing is opened before the first use.
func openDB(path string, a access, conns int) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: escapePath(path)}
	query := []string{string(a)}
	for _, p := range pragmas(a) {
		query = append(query, "_pragma="+p)
	}
	u.RawQuery = strings.Join(query, "&")
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// escapePath keeps SQLite's URI parser (https://sqlite.org/uri.html) away from the "?", "#" and "%" of a path.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
