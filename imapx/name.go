package imapx

import (
	"github.com/emersion/go-imap/v2"

	"mailmove/imapx/wire"
)

// EncodeName makes the wire form of a folder name (modified UTF-7, RFC 3501 section 5.1.3). Separators must be
// in the name already.
func EncodeName(name string) string { return wire.EncodeUTF7(name) }

// LegalFlag reports whether a flag can be sent at all: a keyword or system flag that is an atom (RFC 9051
// section 9), which what some servers list is not.
func LegalFlag(f imap.Flag) bool { return wire.CheckFlag(f) == nil }
