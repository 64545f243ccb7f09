package accounts

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	utf8Name    = "utf-8"
	utf16Name   = "utf-16"
	windowsName = "windows-1252"
)

const (
	saveAsUTF8   = "save it as CSV UTF-8"
	giveEncoding = "save it as CSV UTF-8, or give --encoding (utf-8, utf-16, windows-1252) if you know it"
)

// decode makes text of bytes, and sets Encoding and BOM.
func (l *List) decode(data []byte, encoding string) (string, *Error) {
	if what := notText(data); what != "" {
		return "", &Error{Text: "that is " + what + ", not a list", Next: "open it and " + saveAsUTF8}
	}
	var bad *Error
	text := ""
	switch l.Encoding = encoding; encoding {
	case utf8Name:
		text, bad = l.fromUTF8(data)
	case utf16Name:
		text, bad = l.fromUTF16(data)
	case windowsName:
		text, bad = fromWindows(data)
	case "":
		text, bad = l.found(data)
	default:
		return "", &Error{Text: "unknown encoding", Next: "it is one of " + strings.Join(Encodings(), ", ")}
	}
	if bad != nil {
		return "", bad
	}
	if at := strings.IndexByte(text, 0); at >= 0 {
		bad = place(text, at, "a zero byte: this is no text")
		bad.Next = giveEncoding
		return "", bad
	}
	if !strings.Contains(text, "\n") { // as an old Mac writes lines
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, nil
}

// place is an error at a place of a text.
func place(text string, at int, what string) *Error {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	return &Error{Line: 1 + strings.Count(text[:at], "\n"), Column: 1 + utf8.RuneCountInString(text[start:at]), Text: what}
}

// notText names the kinds of files that lists are taken for or kept in.
func notText(data []byte) string {
	for _, kind := range []struct{ magic, what string }{
		{"PK\x03\x04", "a spreadsheet or a ZIP archive"},
		{"\xd0\xcf\x11\xe0", "an old Excel file"},
		{"\x1f\x8b", "a gzip file"},
		{"%PDF", "a PDF"},
		{"SQLite format 3\x00", "a SQLite database"},
		{"\x7fELF", "a program"},
		{"\x89PNG", "a picture"},
	} {
		if bytes.HasPrefix(data, []byte(kind.magic)) {
			return kind.what
		}
	}
	return ""
}

// found tells the encoding by the byte order mark, by zero bytes, and by what is valid.
func (l *List) found(data []byte) (string, *Error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")), order(data) != nil:
		l.Encoding = utf16Name
		return l.fromUTF16(data)
	case utf8.Valid(data):
		l.Encoding = utf8Name
		return l.fromUTF8(data)
	}
	l.Encoding = windowsName
	text, bad := fromWindows(data)
	if bad != nil {
		return "", bad
	}
	return text, l.guessed(data)
}

// guessed warns that the encoding is a guess, with the rows that depend on it. Where a line is UTF-8 and another is not,
// no guess is right for both.
func (l *List) guessed(data []byte) *Error {
	var foreign, valid lines
	n := 0
	for line := range bytes.Lines(data) {
		n++
		switch {
		case isASCII(line):
		case utf8.Valid(line):
			valid.add(n)
		default:
			foreign.add(n)
		}
	}
	if valid.count > 0 {
		return &Error{Line: foreign.first(), Text: fmt.Sprintf("the file is of two encodings: line %d is UTF-8, line %d is not", valid.first(), foreign.first()),
			Next: "a password would be wrong: " + giveEncoding}
	}
	l.Warnings = append(l.Warnings, Problem{Hint: "mailmove accounts show FILE shows them; save the list as CSV UTF-8, or say --encoding windows-1252",
		Text: "the file is not UTF-8 and was read as Windows-1252; what is not ASCII is in " + foreign.String()})
	return nil
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (l *List) fromUTF8(data []byte) (string, *Error) {
	data, l.BOM = bytes.CutPrefix(data, []byte("\xef\xbb\xbf"))
	text := string(data)
	for at, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
			bad := place(text, at, "that is not UTF-8")
			bad.Next = giveEncoding
			return "", bad
		}
	}
	return text, nil
}

// order tells UTF-16 without a mark by its zero bytes, nil where it is none. Lists are mostly ASCII: nearly every other
// byte is zero, always on the same side.
func order(data []byte) binary.ByteOrder {
	head := data[:min(len(data), 4096)&^1]
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch half := len(head) / 2; {
	case half == 0:
	case zeros[1] > half*6/10 && zeros[0] == 0:
		return binary.LittleEndian
	case zeros[0] > half*6/10 && zeros[1] == 0:
		return binary.BigEndian
	}
	return nil
}

func (l *List) fromUTF16(data []byte) (string, *Error) {
	by := order(data)
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		by, data, l.BOM = binary.LittleEndian, data[2:], true
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		by, data, l.BOM = binary.BigEndian, data[2:], true
	case by == nil:
		by = binary.LittleEndian // as Windows writes it
	}
	if len(data)%2 != 0 {
		return "", &Error{Text: "that is not UTF-16: the number of bytes is odd", Next: giveEncoding}
	}
	var b strings.Builder
	b.Grow(len(data) / 2)
	for i := 0; i < len(data); i += 2 {
		r := rune(by.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			second := rune(0)
			if i+4 <= len(data) {
				second = rune(by.Uint16(data[i+2:]))
			}
			if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
				bad := place(b.String(), b.Len(), "that is not UTF-16: half a character")
				bad.Next = giveEncoding
				return "", bad
			}
			i += 2
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// windows1252 are the characters of the bytes 0x80 to 0x9f (the WHATWG Encoding Standard's index, but for the five that
// have no character); the others are those of Unicode.
func windows1252() [32]rune {
	return [32]rune{
		'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
		0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
	}
}

func fromWindows(data []byte) (string, *Error) {
	if bytes.IndexByte(data, 0) >= 0 {
		return "", &Error{Text: "that is no text: it holds zero bytes", Next: giveEncoding}
	}
	upper := windows1252()
	var b strings.Builder
	b.Grow(len(data) + len(data)/8)
	for _, c := range data {
		switch {
		case c < 0x80:
			b.WriteByte(c)
		case c >= 0xa0:
			b.WriteRune(rune(c))
		case upper[c-0x80] != 0:
			b.WriteRune(upper[c-0x80])
		default:
			bad := place(b.String(), b.Len(), fmt.Sprintf("the byte 0x%02x is neither UTF-8 nor Windows-1252", c))
			bad.Next = saveAsUTF8
			return "", bad
		}
	}
	return b.String(), nil
}
