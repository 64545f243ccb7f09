// Package imapx is IMAP as far as moving mail needs it: Source, which can only read, and Target, which can also
// create folders, append, store flags and remove. Both are one connection; any number of goroutines may use it.
// The vocabulary (UID sets, flags, capabilities) is go-imap's; the wire engine is our own (docs/decisions).
//
// Invariants:
//   - A Source sends EXAMINE, BODY.PEEK, SEARCH, LIST, STATUS and the like: nothing that changes the old mailbox.
//   - Every error is an *Error, classified once, in classify.go; callers switch on its fields, never on text.
//   - Every wait ends with its context, or when nothing moved for Options.Timeout. Cancelling closes the socket.
//   - A body is complete or it does not exist. What a pipelined FETCH brings is thrown away unless its EXAMINE
//     showed the planned UIDVALIDITY.
//   - A literal that does not wait is sent only where the server has taken the folder and every flag atom
//     before (accept.go): mail must never become a command.
//   - Names go out as raw as they came in. Credentials and literals never reach a trace, a log or an error.
//   - What a server can make us hold, wait for or compute is bounded: guard.go and wire.Limits; docs/hostile-servers.md is
//     made from them. testdata/hostile has a transcript for each odd server, with what it ends in.
//   - No answer reaches a VisitHandler after its Visit has returned.
//
// Where to change what:
//
//	endpoint.go folder.go visit.go append.go error.go   the API's types
//	way.go proxy*.go          how a server is reached: addresses, SOCKS5, HTTP CONNECT
//	dial.go login.go authenticate.go   connect, TLS, STARTTLS, greeting, login, SASL exchanges
//	conn.go command.go        the connection: commands in flight and the reader
//	ending.go                 how it ends, in words
//	gmail.go                  Gmail's labels and message ids
//	id.go                     who the server says it is (ID), and its row in imapx/provider
//	guard.go                  bounds of what a server may say
//	rolling.go trace.go       deadlines; the protocol trace
//	compress.go outlet.go pace.go   COMPRESS, the way out, and when a line is slow
//	classify.go               what a refusal means, by code and by text
//	list.go listparse.go      LIST, LSUB, STATUS, NAMESPACE
//	select.go                 EXAMINE and SELECT, and who has the selection
//	visit_run.go visit_rounds.go visit_search.go fetch.go   a Visit's flights, SEARCH, FETCH and bodies
//	target.go prepare.go store.go rename.go move.go         folders, flags, removal, renames and moves
//	accept.go append_send.go append_wait.go                 APPEND: the probe, the literals, the answers
package imapx
