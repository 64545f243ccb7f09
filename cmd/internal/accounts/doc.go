// Package accounts reads lists of accounts as admins have them: ours, and those of other tools, in the encodings and with
// the separators that spreadsheets write.
//
// Invariants:
//
//   - It reads bytes and gives rows. It opens no file, talks to no server, knows no flag and prints nothing.
//   - A password is never trimmed, normalised or repeated in a text, and is an auth.Secret from the moment it is cut out.
//     Cells keep it, for a list may be written again; List.SecretColumns says where.
//   - Nothing is left out silently: a row that cannot be used has a Problem, a column that means nothing is named in
//     Warnings or Notes, and a file that cannot be read as a whole is an *Error with line and column.
//   - In doubt about bytes it refuses instead of guessing: a wrong umlaut in a password blocks an address.
//   - Work and memory are in proportion to the file, which is bounded (maxFile, maxRows).
//
// Where to change what:
//
//	list.go      the types, Read, and the limits
//	charset.go   UTF-8, UTF-16, Windows-1252, and what is no text
//	records.go   lines and cells, quotes, separators
//	header.go    headings: which columns there are, and whose list it is
//	formats.go   the table of other tools' lists, with and without a header
//	fields.go    cells to fields: hosts, ports, security, e-mail addresses
//	options.go   the column of options: words, and which are refused
//	imapsync.go  options of imapsync in our words
//	regexps.go   imapsync's expressions for folders as globs
//	imapcopy.go, jobs.go   lists that are no CSV
//	check.go     what is wrong between rows
//	write.go     our own list
//	result.go    the list that a run leaves behind
package accounts
