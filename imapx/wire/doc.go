// Package wire is the framing and the tokens of IMAP, without policy: it neither knows sessions nor decides
// what an answer means.
//
// Invariants:
//   - A frame is one logical line with its literals (RFC 9051 section 4.3). Framing comes first, parsing second:
//     a frame that does not parse costs that frame alone, the stream stays in step.
//   - The announced length of a literal is the truth. Fewer bytes are an error of the connection, never a
//     shorter literal.
//   - Memory is bounded: lines, literals kept in memory and nesting have limits (see Limits). Larger literals
//     go to the Sink that the reader's hook gives, or are read and dropped.
//   - CR, LF and NUL cannot get into a command: Command refuses them everywhere but in literals, and its
//     literals always wait for the server (only the caller, who streams message bodies, may do otherwise).
//   - Secrets are written by Command.Secret alone, which is also what keeps them out of the trace.
//
// Where to change what: reader.go frames, response.go the shape of an answer, parser.go tokens, command.go what
// is sent, utf7.go folder names, date.go INTERNALDATE, atom.go flags and keywords, visible.go what may be shown.
package wire
