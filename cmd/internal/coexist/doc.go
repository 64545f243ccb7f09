// Package coexist makes the maps that lead from an old mail server to a new one while accounts move: Postfix' transport
// table, the passwd-file of a Dovecot that is a proxy, and what nginx answers its mail proxy with.
//
// Invariants:
//
//   - It makes text of entries and reads back its own text. It opens no file, asks no server, knows no flag and prints
//     nothing.
//   - One entry is one line, sorted by key, and nothing in the text depends on the time: two texts differ where entries
//     do, and diff(1) shows it.
//   - A value that a format cannot hold as it is is refused, with the reason; it is never altered, and never able to
//     begin another entry or another option.
//   - A password goes into the line that needs it and nowhere else: Masked is what may be shown.
//
// Where to change what: formats in format.go (the table), postfix.go, dovecot.go and nginx.go; texts, what changes and
// what is left over in table.go; loops in loop.go. docs/coexistence.md says what an admin does with the maps.
package coexist
