// Package state keeps what mailmove knows of one account: one SQLite file, one writer.
//
// It holds the folder pairs with their marks, the ledger (source UID -> target UID), the intents written before
// every APPEND, the exceptions and the history of passes. docs/state.md documents every table and column and
// tells the append protocol in plain words; the file is made to be read with sqlite3.
//
// Invariants:
//
//   - Losing the file never costs mail: without it a pass matches what both sides hold and rebuilds it.
//   - Whoever has a *File open for writing holds a kernel lock that dies with the process.
//   - What a writing method was asked to do is on disk (fsync) when it returns nil, and not in the file at all
//     when it returns an error. The one exception is an error that says that the commit itself failed.
//   - All writes go through one goroutine, which takes everything that is queued into one transaction: calls
//     made at the same time share one fsync.
//   - No password ever goes in, and nothing here prints, reads flags or the environment, or exits.
//   - Names, flags and subjects are hostile bytes. They are bound as parameters, never pasted into SQL, and the
//     account id becomes a file name only through FileName.
//
// Where to change what: tables in schema.go (append a step, never edit one that was released) with
// docs/state.md; opening, checks and read-only access in open.go; connections and pragmas in database.go; the
// lock in lock.go; group commit in writer.go; the ledger in ledger.go, status.go and rekey.go; folder pairs in
// mark.go; intents in window.go; the final pass and the way back in final.go and reverse.go; what `mailmove status` shows in inspect.go.
package state
