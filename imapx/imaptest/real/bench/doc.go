// Package bench measures mailmove beside what a user would pick instead, between real Dovecots, and writes
// docs/benchmarks.md and docs/benchmarks.svg. It is nothing but tests with the build tag bench, run by "make bench":
//
//	make bench                                   # every line, five rounds: an hour
//	make bench LINES='first S' ROUNDS=1          # one line; a regular expression that matches the whole name
//	make bench LINES='first .*' PEERS='mailmove limit.*'
//	make bench LINES=none                        # measures nothing, writes the documents from what was kept
//
// What holds:
//
//   - Peers take turns: a round runs each of them once, every round begins with another one. Only figures of the same
//     round may be compared.
//   - Each first pass goes into a user that nobody used, and a referee (package imaptest) reads what came of it.
//     mailmove has to be right; what another peer got wrong is told beside its time.
//   - Servers, mail, and every peer's state lie on the same file system, memory where there is room.
//   - Nothing here decides a test of "make test": no figure of a machine can.
//
// Where to change what: what is measured and what it should reach is the table of lines_test.go; how a peer is run is
// peers_test.go and mbsync_test.go; servers, mail and the referee lab_test.go; the order of rounds bench_test.go; a
// process and its costs child_test.go; the yardstick limit_test.go; what is kept figures_test.go; the documents
// report_test.go, goals_test.go and chart_test.go; the tests of all this self_test.go. What people have to say of the
// figures (a section of its own in the page) is notes.md in this folder, if it is there.
package bench
