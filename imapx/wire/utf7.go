package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf7Base64 is the base64 of modified UTF-7 (RFC 3501 section 5.1.3): "," for "/", no padding.
var errUTF7 = errors.New("not valid modified UTF-7")

func utf7Base64() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
		WithPadding(base64.NoPadding).Strict()
}

// EncodeUTF7 writes a folder name in modified UTF-7. Bytes of name that are no UTF-8 become U+FFFD.
func EncodeUTF7(name string) string {
	var b strings.Builder
	var run []uint16
	flush := func() {
		if len(run) == 0 {
			return
		}
		raw := make([]byte, 0, 2*len(run))
		for _, u := range run {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + utf7Base64().EncodeToString(raw) + "-")
		run = run[:0]
	}
	for _, r := range name {
		if r < 0x20 || r > 0x7e {
			run = utf16.AppendRune(run, r)
			continue
		}
		flush()
		b.WriteRune(r)
		if r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// DecodeUTF7 reads a folder name. Names that are not valid modified UTF-7 are an error; real servers hold such
// ("R&D", raw UTF-8): show the raw name then, and never send a decoded one.
func DecodeUTF7(raw string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c < 0x20 || c > 0x7e {
			return "", errUTF7
		}
		if c != '&' {
			b.WriteByte(c)
			continue
		}
		end := strings.IndexByte(raw[i:], '-')
		if end < 0 {
			return "", errUTF7
		}
		if end == 1 {
			b.WriteByte('&')
			i++
			continue
		}
		s, err := decodeRun(raw[i+1 : i+end])
		if err != nil {
			return "", err
		}
		b.WriteString(s)
		i += end
	}
	return b.String(), nil
}

func decodeRun(run string) (string, error) {
	raw, err := utf7Base64().DecodeString(run)
	if err != nil || len(raw)%2 != 0 || strings.ContainsAny(run, "\r\n") {
		return "", errUTF7
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	var b strings.Builder
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) {
			if i+1 == len(units) {
				return "", errUTF7
			}
			r = utf16.DecodeRune(r, rune(units[i+1]))
			if r == utf8.RuneError {
				return "", errUTF7
			}
			i++
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}
