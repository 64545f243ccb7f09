package wire

import (
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
)

const (
	maxFlag  = 255  // bytes of one flag that is sent; servers take far less
	maxFlags = 4096 // flags of one list that is read; Maildir has room for 26 keywords, Cyrus for 128

	maxFlagText = 64 << 10 // bytes of them together
)

// IsAtom reports whether s may be sent as an atom (RFC 9051 section 9, ATOM-CHAR).
func IsAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if !atomByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func atomByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
}

// CheckFlag says why a flag must not be sent, nil where it may. `\*` is no flag.
func CheckFlag(f imap.Flag) error {
	name := strings.TrimPrefix(string(f), `\`)
	if len(f) > maxFlag || !IsAtom(name) {
		return fmt.Errorf("%q is no legal flag", Visible(string(f), maxFlag))
	}
	return nil
}

// IsRecent reports whether f is \Recent, which no client may set (RFC 3501 section 2.3.2).
func IsRecent(f imap.Flag) bool { return strings.EqualFold(string(f), `\Recent`) }

// Flags reads a parenthesised list of flags, without \Recent. Brackets within flags (Gmail) are kept.
func (p *Parser) Flags() ([]imap.Flag, error) {
	var flags []imap.Flag
	text := 0
	err := p.List(func() error {
		s, err := p.AString()
		if err != nil {
			return err
		}
		if text += len(s); text > maxFlagText {
			return Malformed("more than %d bytes of flags", maxFlagText)
		}
		if f := flagOf(s); f != "" && !IsRecent(f) {
			flags = append(flags, f)
		}
		if len(flags) > maxFlags {
			return Malformed("more than %d flags", maxFlags)
		}
		return nil
	})
	return flags, err
}

// flagOf makes no copy of the flags that nearly every message has, and gives system flags the spelling of RFC 9051 section
// 2.3.2: they are not case-sensitive, but imap4d refuses another one.
func flagOf(s []byte) imap.Flag {
	for _, known := range [...]imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft} {
		if string(s) == string(known) || len(s) == len(known) && s[0] == '\\' && strings.EqualFold(string(s), string(known)) {
			return known
		}
	}
	return imap.Flag(s)
}
