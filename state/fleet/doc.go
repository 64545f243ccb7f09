// Package fleet keeps what belongs to no single account: one SQLite file, fleet.db, in the state folder, which
// all runs of a machine share. That is which logins failed and which servers want to be left alone: an old
// hoster's fail2ban blocks the address after a few wrong passwords, for every account that is still to be moved. And
// how the last pass of each account ended, and how many connections servers take: what a run over a list asks first.
// And how far each group's cutover is, with the notifications that are not delivered yet.
//
// Invariants:
//
//   - Several processes use the file at once: each transaction is short, waits at most busyTimeout for the others,
//     and is on disk when the method returns nil.
//   - Losing the file costs no mail: failed logins are tried again, outcomes are asked of the accounts' own files, and
//     certificates that were trusted here are trusted no more.
//   - No password goes in. A credential is known by a keyed digest; the key lies in the same file (mode 0600), so a
//     digest says nothing without the file, and with it guesses have to be made one by one.
//   - Time comes in as an argument. A stored time that lies in the future is not believed: a clock that was wrong
//     once blocks nobody for longer than it should.
//   - What a server said is kept shortened, on one line, never where it repeats the credential, and quoted when it
//     is shown.
//
// Where to change what: tables in schema.go (append a step, never edit one that was released) with docs/state.md;
// how long a login waits in login.go; when a server is left alone in breaker.go; accounts of a list in
// outcome.go, trusted certificates in trusted.go, limits in limit.go, a day's volumes in volume.go; records of the DNS in
// ttl.go; groups and their steps in group.go, what is still to be told in note.go; opening in fleet.go.
package fleet
