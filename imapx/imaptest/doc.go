// Package imaptest is what moving mail is tested with. It stands on go-imap and the standard library only, never on
// the code that it tests, and it does not import testing: the demo uses it too. Real servers are in
// [mailmove/imapx/imaptest/real], for tests only.
//
//   - NewCorpus makes mail: presets from 75 messages to 200,000, every quirk by name, the same bytes for the same seed.
//     It becomes a Maildir++ tree (WriteMaildir) or the mail of an embedded server. corpus*.go, maildir.go
//   - StartEmbedded serves go-imap's in-memory server. embedded.go
//   - Compare and CompareCorpus are the referee: what differs between two accounts, or an account and its corpus.
//     TakeSnapshot proves of a Maildir on disk that nobody changed it. compare.go, readaccount.go, maildir.go
//   - NewProxy and NewNetwork are bad networks, and count round trips (see Stats). net.go, link.go
//   - NewMeddler is a proxy that knows commands: it refuses the n-th of a verb in place of the server, says BYE, loses or
//     delays the answer. meddle.go, meddlelink.go
//   - Play serves a transcript, exact to the byte. script.go, scriptparse.go
//   - NewCA makes certificates, good ones and bad ones. tls.go
//
// What holds: everything listens on a free port of loopback; what has a Close leaves no goroutine behind; random
// choices follow a seed; the referee never marks a message as read and fails rather than believe a short literal.
//
// # Transcripts
//
// testdata/*.imap, one file a quirk and named after it. A line is a verb, a space and text; blank lines and lines that
// begin with # are comments.
//
//	S: text        the server says text and CRLF
//	S= "text\x00"  … these bytes of a quoted Go string, and nothing else
//	S= 700 "ab"    … 700 times
//	N= 700 "<n> "  … 700 times, with the number in place of <n>; the client may close meanwhile
//	C: pattern     the client says this line, ended by CRLF
//	C= "text"      … these bytes, C= 700 "ab" … 700 times
//	C!             the client closes
//	Q: 50ms        the client says nothing for so long, as while it waits for a continuation
//	W: 50ms        the server waits
//	B: on          the server sends byte by byte from here, until B: off
//	T: starttls    TLS begins
//	X: fin         the server closes; X: rst resets
//	---            the next connection begins
//
// In a pattern, <name> stands for a word, <*> for anything. The first use of a name keeps the word, later ones must be
// equal, and S: lines get it filled in: "C: <a> NOOP", "S: <a> OK". After the last line of a connection the client has
// to close without another word.
package imaptest
